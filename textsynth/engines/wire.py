"""The network side of the openai engine: one event loop, one session, and every request's way to its answer.

Heavy: import it only where a server is about to be asked.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING, Any

import aiohttp

from textsynth import __version__
from textsynth.engines.dialect import PROBE, Refusal, models_of, obeys, parsed, text_of, tokens_of
from textsynth.engines.pacing import Again, Kind, Pace, Tries, retry_after
from textsynth.errors import EngineError
from textsynth.records import Completion, Request

if TYPE_CHECKING:
    from textsynth.engines.openai import OpenAIEngine

_LARGEST = 32 * 2**20  # bytes of an answer; more is not what was asked for
_TAKEN = 4  # completions handed out at a time: what is asked instead is on its way before the next ones are
_CONNECT = 30.0  # seconds that a connection may take, whatever the deadline of a request
_LISTING = 10.0  # seconds that the list of models may take: nothing hangs on it
_KINDS: dict[int, Kind] = {429: "busy", 503: "busy", 502: "away", 504: "away"}
_BROKEN = (408, 409, 425, 500)


class Wire:
    """Asks one server. `ask` and `wait` are for the thread that made it; the rest runs in its event loop."""

    def __init__(self, engine: OpenAIEngine) -> None:
        self.engine, self.dialect = engine, engine.dialect
        self.pace = Pace(engine.concurrency)
        self.fault: Exception | None = None
        self._loop = asyncio.new_event_loop()
        self._session = self._loop.run_until_complete(self._connect())
        self._tasks: set[asyncio.Task[None]] = set()
        self._sent: set[asyncio.Task[Any] | None] = set()  # of those tasks: an answer is on its way
        self._done: list[Completion] = []
        self._line: deque[asyncio.Future[None]] = deque()  # who waits for the level to allow one more
        self._open = 0
        self._quiet_until = 0.0  # the server asked not to be asked before
        self._served: float | None = None  # when it last answered well
        self._models: asyncio.Task[None] | None = None
        self._probe: asyncio.Task[None] | None = None
        self._closing = False
        self.cancelled = False

    @property
    def held(self) -> int:
        """Requests that were asked and whose completion is not handed out yet."""
        return len(self._tasks) + len(self._done)

    def ask(self, request: Request) -> None:
        """Begin to answer a request."""
        self._tasks.add(self._loop.create_task(self._answer(request)))

    def wait(self) -> list[Completion]:
        """A few of the completions there are, after at least one more request is settled if there are none."""
        if self._tasks:
            if self._done:
                self._loop.call_soon(self._halt)
            self._loop.run_forever()  # until _halt is called
        done, self._done = self._done[:_TAKEN], self._done[_TAKEN:]
        return done

    def cancel(self) -> None:
        """Any thread may call this: `wait` returns at once."""
        self.cancelled = True
        with contextlib.suppress(RuntimeError):  # it is closed already
            self._loop.call_soon_threadsafe(self._halt)

    def close(self) -> None:
        """Drop what is open, and the connections."""
        self._closing = True
        self._loop.run_until_complete(self._disconnect())
        self._loop.close()

    def _halt(self) -> None:
        if not self._closing:
            self._loop.stop()

    async def _connect(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ttl_dns_cache=300),  # `pace` is the limit
            timeout=aiohttp.ClientTimeout(total=self.engine.timeout, sock_connect=_CONNECT),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={
                "Content-Type": "application/json",
                "Accept-Encoding": "identity",
                "User-Agent": f"textsynth/{__version__}",
                **self.engine.key_header,
            },
        )

    async def _disconnect(self) -> None:
        tasks: list[asyncio.Task[Any]] = [*self._tasks, *(one for one in (self._models, self._probe) if one)]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._session.close()

    async def _answer(self, request: Request) -> None:
        task: Any = asyncio.current_task()
        try:
            completion = await self._complete(request)  # before `_done` is looked up: `wait` puts a new list there
            self._done.append(completion)
        except Exception as error:
            self._fail(error)
        finally:
            self._tasks.discard(task)
            self._halt()

    def _fail(self, error: Exception) -> None:
        """The run ends here: what is on its way may arrive, what waits is dropped."""
        self.fault = self.fault or error
        for task in self._tasks - self._sent - {asyncio.current_task()}:
            task.cancel()

    async def _complete(self, request: Request) -> Completion:
        if self._models is None:
            self._models = self._loop.create_task(self._list_models())
        if not self._models.done():
            await asyncio.shield(self._models)
        if request.schema is not None and self.dialect.honors is None:
            self._probe = self._probe or self._loop.create_task(self._try_schema())
            await asyncio.shield(self._probe)
        return self.dialect.read(request, await self._accepted(request))

    async def _accepted(self, request: Request) -> Any:
        """The answer to a request, made in another way where the server refuses it."""
        body = self.dialect.body(request)
        while True:
            try:
                return await self._post(body)
            except Refusal as refusal:
                self.dialect.learn(request, refusal)
                if request is PROBE and not self.dialect.holds(PROBE):
                    return None
                if (refused := body) == (body := self.dialect.body(request)):
                    raise await self._refused(refusal, len(refused)) from None

    async def _try_schema(self) -> None:
        """Find out whether the server holds answers to a schema."""
        answer = await self._accepted(PROBE)
        self.dialect.honors = answer is not None and obeys(text_of(answer["choices"][0]))

    async def _list_models(self) -> None:
        """What the server tells of its models; a server need not have this list."""
        limit = aiohttp.ClientTimeout(total=min(_LISTING, self.engine.timeout or _LISTING))
        try:
            async with self._session.get(f"{self.engine.base_url}/models", timeout=limit, allow_redirects=False) as got:
                models = models_of(await self._body(got)) if got.status == 200 else []
        except (aiohttp.ClientError, TimeoutError, Again, ValueError):
            return
        self.engine.hear(models)

    async def _post(self, body: bytes) -> Any:
        """The JSON of a good answer, asked for until there is one.

        Raises:
            Refusal: the server will not take this body.
            EngineError: it is time to give up.
        """
        tries = Tries(self.engine.patience)
        while True:
            await self._turn()
            asked = monotonic()
            try:
                answer = await self._send(body)
            except Again as failure:
                caught = failure
            else:
                self._served = now = monotonic()
                self.pace.answered(now - asked, (tokens_of(answer) or (0, 0))[1], self._open)
                return answer
            finally:
                self._release()
            if self.fault:  # nothing more is asked; which fault it was is known
                raise EngineError(caught.words)
            now = monotonic()
            if caught.kind in ("busy", "late"):
                self.pace.refused(asked, now)
            pause = tries.pause(caught, now, self._served)
            if pause is None:
                raise self.engine.gave_up(caught)
            self.engine.said[f"the server {caught.words} and was asked again."] += 1
            if caught.wait is not None:
                self._quiet_until = max(self._quiet_until, now + caught.wait)
            await asyncio.sleep(pause)

    async def _turn(self) -> None:
        """Wait until the level has room and the server wants to be asked."""
        while self._open >= int(self.pace.level):
            place = self._loop.create_future()
            self._line.append(place)
            await place
        self._open += 1
        while (quiet := self._quiet_until - monotonic()) > 0:
            try:
                await asyncio.sleep(quiet)
            except BaseException:
                self._release()
                raise
        self._sent.add(asyncio.current_task())

    def _release(self) -> None:
        self._sent.discard(asyncio.current_task())
        self._open -= 1
        for _ in range(min(len(self._line), int(self.pace.level) - self._open)):
            if not (place := self._line.popleft()).done():
                place.set_result(None)

    async def _send(self, body: bytes) -> Any:
        """One try.

        Raises:
            Again: it failed in a way that may pass.
            Refusal: the server will not take this body.
            EngineError: it failed for good.
        """
        try:
            async with self._session.post(
                f"{self.engine.base_url}/chat/completions", data=body, allow_redirects=False
            ) as got:
                data = await self._body(got)
        except TimeoutError as error:
            if isinstance(error, aiohttp.ConnectionTimeoutError):
                raise Again("away", "cannot be reached (no connection in time)") from None
            raise Again("late", f"gave no whole answer within {self.engine.timeout} s") from None
        except (aiohttp.ClientConnectorCertificateError, aiohttp.ClientConnectorSSLError) as error:
            raise self.engine.fault(
                f"no secure connection can be made ({type(error).__name__})",
                "Use http, or the name in its certificate, or let SSL_CERT_FILE name who signed it",
            ) from None
        except aiohttp.ClientConnectorError as error:
            number = error.os_error.errno or 0  # below 0 for a name that is not found
            reason = os.strerror(number) if number > 0 else error.os_error.strerror or "no connection"
            raise Again("away", f"cannot be reached ({reason})") from None
        except aiohttp.ClientResponseError:
            raise Again("garbage", "does not speak HTTP") from None
        except (aiohttp.ClientError, OSError):
            raise Again("broken", "closed the connection before its answer was whole") from None
        if got.status == 200:
            return parsed(data)
        raise await self._judge(got.status, data, got.headers)

    async def _body(self, got: aiohttp.ClientResponse) -> bytes:
        if (got.content_length or _LARGEST + 1) <= _LARGEST:
            return await got.read()
        data = bytearray()
        async for part in got.content.iter_any():
            data += part
            if len(data) > _LARGEST:
                raise Again("garbage", f"answered more than {_LARGEST // 2**20} MiB")
        return bytes(data)

    async def _judge(self, status: int, data: bytes, headers: Any) -> Exception:
        """What a status other than 200 means."""
        if status in _KINDS or status in _BROKEN or status > 501:
            return Again(_KINDS.get(status, "broken"), f"answered {status}", retry_after(headers.get("Retry-After")))
        if status in (401, 403):
            return self.engine.wants_key(status)
        if status in (404, 405, 501) or 300 <= status < 400:
            await self._list_models()
            return self.engine.not_there(status)
        return Refusal(status, data)

    async def _refused(self, refusal: Refusal, size: int) -> EngineError:
        await self._list_models()
        return self.engine.not_taken(refusal, size)
