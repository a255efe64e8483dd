"""Long texts cut where sentences end: documents to passages, a field to its first characters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from textsynth.inputs.readers import Row

_SENTENCE = 5  # words from which a sentence says something
_SENTENCE_END = re.compile(r"[.!?…。！？][\"')\]]*(?=\s|$)|[。！？]")


def passages(rows: Iterator[Row], words: int | None, one_a_sentence: bool) -> Iterator[Row]:
    """Each row's `text` as passages of at most so many words, cut at the ends of paragraphs and sentences.

    A sentence that is too long is cut at a word. With `one_a_sentence`, a passage is a row for each of its sentences of
    five words or more, which stands in the column `sentence`.
    """

    def as_rows(row: Row, passage: Sequence[str]) -> Iterator[Row]:
        whole = {**row, "text": " ".join(passage)}
        told = [piece for piece in passage if len(piece.split()) >= _SENTENCE] if one_a_sentence else []
        yield from ({**whole, "sentence": piece} for piece in told) if one_a_sentence else (whole,)

    for row in rows:
        text = row.get("text")
        if words is None or not isinstance(text, str):
            yield row
            continue
        passage, size = list[str](), 0
        for sentence in _sentences(text):
            for piece in (sentence[at : at + words] for at in range(0, len(sentence), words)):
                if size + len(piece) > words:
                    yield from as_rows(row, passage)
                    passage, size = [], 0
                passage.append(" ".join(piece))
                size += len(piece)
        if passage:
            yield from as_rows(row, passage)


def _sentences(text: str) -> Iterator[list[str]]:
    """The words of each sentence."""
    for paragraph in re.split(r"\n\s*\n", text):
        start = 0
        for end in [match.end() for match in _SENTENCE_END.finditer(paragraph)] + [len(paragraph)]:
            if words := paragraph[start:end].split():
                yield words
            start = end


def cut_text(text: str, most: int) -> str:
    """The longest beginning of at most `most` characters that ends with a sentence, else with a word."""
    if len(text) <= most:
        return text
    head = text[:most]
    ends = [match.end() for match in _SENTENCE_END.finditer(text[: most + 1]) if match.end() <= most]
    if ends and ends[-1] >= most // 4:
        return head[: ends[-1]]
    return head[: head.rfind(" ")].rstrip() if " " in head[most // 4 :] else head
