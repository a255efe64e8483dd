"""An OpenAI-compatible server that answers every chat after a fixed time: `python mock_server.py MILLISECONDS`.

It prints its port. Raw asyncio with answers made beforehand, so that it takes a small part of one core at 1,300
requests/s (a server of aiohttp's takes several times that, and would be what is measured). GET /stats tells how many
chats were answered, the most that were open at a time and its CPU seconds, all since it was last asked. It ends when
its stdin closes.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

MODEL = {"id": "mock", "object": "model", "created": 1, "owned_by": "mock", "max_model_len": 32768}
CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "mock",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": '{"answer":"A short text that stands for a record."}'},
            "finish_reason": "stop",
            "logprobs": None,
        }
    ],
    "usage": {"prompt_tokens": 20, "completion_tokens": 12, "total_tokens": 32},
}
counts = {"answered": 0, "open": 0, "most_open": 0, "cpu_since": 0.0}


def http(value: Any, status: str = "200 OK") -> bytes:
    body = json.dumps(value).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


MODELS, ANSWER = http({"object": "list", "data": [MODEL]}), http(CHAT)
UNKNOWN, UNREADABLE = http({"error": {"message": "no such path"}}, "404 Not Found"), http({}, "411 Length Required")


class Connection(asyncio.Protocol):
    """One kept-alive connection; requests on it are answered in turn."""

    latency = 0.0

    def connection_made(self, transport: Any) -> None:
        self.transport, self.received = transport, b""

    def data_received(self, data: bytes) -> None:
        self.received += data
        while (end := self.received.find(b"\r\n\r\n")) >= 0:
            head = self.received[:end].lower()
            at = head.find(b"\r\ncontent-length:")
            length = int(head[at + 17 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.received) < end + 4 + length:
                return
            self.received = self.received[end + 4 + length :]
            self.answer(head)

    def answer(self, head: bytes) -> None:
        if head.startswith(b"post /v1/chat/completions"):
            if b"\r\ntransfer-encoding:" in head:
                self.transport.write(UNREADABLE)
                self.transport.close()
                return
            counts["open"] += 1
            counts["most_open"] = max(counts["most_open"], counts["open"])
            asyncio.get_running_loop().call_later(self.latency, self.done)
        elif head.startswith(b"get /v1/models"):
            self.transport.write(MODELS)
        elif head.startswith(b"get /stats"):
            cpu = time.process_time()
            self.transport.write(http(counts | {"cpu_seconds": cpu - counts["cpu_since"]}))
            counts.update(answered=0, most_open=counts["open"], cpu_since=cpu)
        else:
            self.transport.write(UNKNOWN)

    def done(self) -> None:
        counts["open"] -= 1
        counts["answered"] += 1
        self.transport.write(ANSWER)


async def main(latency: float) -> None:
    Connection.latency = latency
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1]) / 1000))
