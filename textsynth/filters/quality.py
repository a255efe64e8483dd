"""Text that is what a training set wants: of a length, in a language, no boilerplate, no loops, answers that check."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from textsynth.filters.base import Memory
from textsynth.records import Record, Verdict, text_of
from textsynth.similarity.words import runs, tokenize

_BOILERPLATE = re.compile(
    r"\bas an? (?:ai|artificial intelligence|(?:large )?language model)\b"
    r"|\b(?:i am|i'm) (?:just )?an? (?:ai|language model)\b|\bmy (?:training data|knowledge cutoff)\b|\blorem ipsum\b"
    r"|\bi(?:'m| am) (?:sorry|afraid),? (?:but )?(?:i )?(?:can(?:no|')t|can not|am unable)"
    r"|\bi (?:can(?:no|')t|am unable to) (?:assist|help|fulfill|comply|provide)\b"
    r"|\[(?:insert|your|name|date|company)\b[^\]]*\]|^(?:sure|certainly|of course)[,!] here(?:'s| is| are)\b",
    re.IGNORECASE | re.MULTILINE,
)
_NUMBER = r"-?\$?\d[\d,]*(?:\.\d+)?"
_EQUATION = re.compile(rf"((?:{_NUMBER}|[-+*/x×÷() ])+)=\s*({_NUMBER})")
_NOTED = re.compile(r"<<([^<>]*)>>")  # as gsm8k notes what a calculator is asked
_FINAL = re.compile(rf"####\s*({_NUMBER})\s*$")
_FENCE = re.compile(r"```(?:python|py)?[ \t]*\n(.*?)```", re.DOTALL)
_OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
_REASONS = {
    "words": "wrong_length",
    "boilerplate": "boilerplate",
    "repeats": "repetitive",
    "language": "wrong_language",
    "arithmetic": "wrong_answer",
    "python": "bad_code",
}
_LOOP = 4  # tokens of a run that is counted
_SURE = 20  # characters from which a language can be told


@dataclass(frozen=True)
class Wanted:
    """What a text must be; None: anything.

    Args:
        words: fewest and most words; language: ISO 639-1; boilerplate: whether it is refused;
        max_repeats: most of a text's runs of four words that may come again in it;
        arithmetic: equations must hold, and a last line `#### N` must be the last of their results;
        python: `compile` or `run` the Python in a text.
    """

    words: tuple[int, int] | None = None
    language: str | None = None
    boilerplate: bool = True
    max_repeats: float | None = 0.5
    arithmetic: bool = False
    python: str | None = None


class QualityFilter:
    """Refuses text by simple rules, each with a reason of its own.

    Args:
        wanted: the rules; text: the fields that they hold for, together.
    """

    name = "quality"
    memory: Memory = "nothing"

    def __init__(self, wanted: Wanted, text: Sequence[str]) -> None:
        self._wanted, self._text = wanted, tuple(text)

    def prepare(self, records: Sequence[Record]) -> None:
        """Nothing to do in bulk."""

    def check(self, record: Record) -> Verdict:
        """Accept, or refuse with the reason of the first rule that the text breaks."""
        text = text_of(record.fields or {}, self._text)
        for what, scores in self._faults(text):
            return Verdict(self.name, False, _REASONS[what], scores)
        return Verdict(self.name, True)

    def remember(self, record: Record) -> None:
        """Nothing."""

    def evidence(self) -> Mapping[str, Any]:
        """Nothing measured."""
        return {}

    def _faults(self, text: str) -> Iterator[tuple[str, dict[str, float | str]]]:
        wanted, words = self._wanted, len(text.split())
        if wanted.words and not wanted.words[0] <= words <= wanted.words[1]:
            yield "words", {"words": words}
        if wanted.boilerplate and (found := _BOILERPLATE.search(text)):
            yield "boilerplate", {"at": found.start()}
        if wanted.max_repeats is not None and (share := repeats(text)) > wanted.max_repeats:
            yield "repeats", {"repeats": round(share, 6)}
        if wanted.language and len(text) >= _SURE and (language := language_of(text)) != wanted.language:
            yield "language", {"language": language}
        if wanted.arithmetic and (error := wrong_arithmetic(text)):
            yield "arithmetic", {"error": error}
        if wanted.python and (error := bad_python(text, wanted.python == "run")):
            yield "python", {"error": error}


def repeats(text: str) -> float:
    """The share of a text's runs of four words that came before in it."""
    found = runs(tokenize([text]), _LOOP).ids
    return 1 - len(set(found.tolist())) / len(found) if len(found) else 0.0


def language_of(text: str) -> str:
    """The likeliest language of a text, ISO 639-1 (Lui and Baldwin, "langid.py", 2012)."""
    import py3langid

    return str(py3langid.classify(text)[0])


def wrong_arithmetic(text: str) -> str:
    """The first equation of a text that does not hold, or how its last line differs from the last result; else "".

    Rounded results hold where they agree to the digits that they have.
    """
    last, plain = None, _NOTED.sub("", text)
    for found in (*_EQUATION.finditer("\n".join(_NOTED.findall(text))), *_EQUATION.finditer(plain)):
        left, right = found[1].strip(), _plain(found[2])
        value = _value(left)
        if value is None:
            continue
        last, digits = Fraction(right), len(right.partition(".")[2])
        if abs(value - last) > Fraction(1, 2 * 10**digits) + (0 if digits else Fraction(1, 2) * (value % 1 != 0)):
            return f"{left} is not {right}"
    final = _FINAL.search(text)
    if final and last is not None and Fraction(_plain(final[1])) != last:
        return f"the answer is {final[1]}, and the last result {float(last):g}"
    return ""


def bad_python(text: str, run: bool = False) -> str:
    """Why the Python of a text is none: its code fences, or all of it without any; "" where it compiles.

    Args:
        run: also run it, in a process of its own with 5 seconds, 512 MB, no files to write and no input.
    """
    blocks = _FENCE.findall(text) or [text]
    for block in blocks:
        try:
            compile(block, "answer", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as error:
            return f"{type(error).__name__} in line {getattr(error, 'lineno', None) or 1}"
        if run and (failed := _fails(block)):
            return failed
    return ""


def _fails(code: str) -> str:
    import subprocess
    import sys
    import tempfile

    limits = "import resource as r; r.setrlimit(r.RLIMIT_AS, (1 << 29,) * 2); r.setrlimit(r.RLIMIT_CPU, (5, 5));"
    limits += "r.setrlimit(r.RLIMIT_FSIZE, (0, 0)); r.setrlimit(r.RLIMIT_NPROC, (0, 0));"
    start = f"{limits} import sys; exec(compile(sys.stdin.read(), 'answer', 'exec'), {{'__name__': '__main__'}})"
    with tempfile.TemporaryDirectory() as folder:
        try:
            done = subprocess.run(
                [sys.executable, "-I", "-c", start], input=code.encode("utf-8", "replace"), cwd=folder, env={},
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=10, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return "it did not end"
    last = done.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
    return f"it failed: {last.partition(':')[0][:60] or f'exit code {done.returncode}'}" if done.returncode else ""


def _plain(number: str) -> str:
    return number.replace("$", "").replace(",", "")


def _value(left: str) -> Fraction | None:
    """What an expression of numbers is; None where it is none, such as a single number."""
    try:
        tree = ast.parse(_plain(left).replace("x", "*").replace("×", "*").replace("÷", "/").strip(), mode="eval")
        return None if isinstance(tree.body, ast.Constant) else _evaluated(tree.body)
    except (SyntaxError, ValueError, ZeroDivisionError, RecursionError):
        return None


def _evaluated(node: ast.AST) -> Fraction:
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
        return Fraction(str(node.value))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_evaluated(node.operand)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        value = _OPERATORS[type(node.op)](_evaluated(node.left), _evaluated(node.right))
        return Fraction(value)
    raise ValueError(ast.dump(node))
