"""How long the leaves of a tightened schema may get.

A bound comes from the user's schema, else from the examples at the same place, else from the defaults below.
"""

from __future__ import annotations

import importlib
import math
import re
import statistics
import warnings
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

SLACK = 1.25  # a bound taken from examples is this much above the longest of them
STRING = 400  # characters of a string without bound or example
SHORTEST_STRING = 24  # no bound taken from examples is below this
SENTENCE_SLACK = 1.6  # instead of SLACK where sentences are counted: a text ends with one, seldom at this bound
FEWEST_TEXTS = 5  # examples from which sentences are counted
SENTENCE_WORDS = 5  # median words above which an example counts as sentences
SENTENCE_SHARE = 0.8  # of the examples that end with a mark, for a text to be made of sentences
ARRAY = 8  # items of an array without bound or example
SHORTEST_ARRAY = 3
MAP = 4  # entries of an object whose names are free
NAME_REPEAT = 24  # most repetitions in the name of a property that the schema gives as a pattern
NUMBER = 999_999  # largest magnitude of a number without bound or example
SAFE_NUMBER = 10**15  # a bound beyond this bounds no digits worth having
DECIMALS = 4  # most decimals of a number that is no multiple of anything
BYTES_PER_CHARACTER = 4  # of UTF-8, in the worst case
IMPOSED = "this maxLength is for decoding only"
STATED = "x-minLength"  # the user's minLength, where the grammar cannot hold it beside our pattern

FORMATS = {
    "date-time": 35, "time": 24, "date": 10, "duration": 24, "email": 64, "hostname": 64,
    "ipv4": 15, "ipv6": 45, "uuid": 36, "uri": 100,
}  # fmt: skip
"""The formats that grammars know, all ASCII, with the longest text that we let them have."""


class Impossible(Exception):
    """No value fits a schema; the text says why, as a clause."""


def string_form(plain: Sequence[Mapping[str, Any]], values: Sequence[Any]) -> dict[str, Any]:
    """The one string schema for all of `plain` at once, with a maxLength or a pattern that bounds it.

    Raises:
        Impossible: no string fits.
    """
    low = max((int(part["minLength"]) for part in plain if "minLength" in part), default=0)
    high = min((int(part["maxLength"]) for part in plain if "maxLength" in part), default=None)
    patterns = list(dict.fromkeys(str(part["pattern"]) for part in plain if "pattern" in part))
    names = {str(part["format"]) for part in plain if part.get("format") in FORMATS}
    imposed: dict[str, Any] = {}
    if high is not None and low > high:
        raise Impossible(f"minLength {low} is above maxLength {high}")
    for pattern in patterns:
        least, most = pattern_width(pattern)
        if high is not None and least > high:
            raise Impossible(f"a text that fits the pattern has {least} characters or more, and maxLength is {high}")
        if most is not None and most < low:
            raise Impossible(f"a text that fits the pattern has {most} characters at most, and minLength is {low}")
        low = max(low, least)
        high = most if high is None else high if most is None else min(high, most)
    if high is None:
        longest = max((len(value) for value in values if isinstance(value, str)), default=None)
        high = max(FORMATS[name] for name in names) if names else STRING
        sentences = None if patterns or longest is None else sentence_pattern(values)
        if longest is not None:
            high = max(SHORTEST_STRING, math.ceil((SENTENCE_SLACK if sentences else SLACK) * longest))
        high = max(high, math.ceil(SLACK * low))
        if sentences:  # grammars give up on a pattern with both lengths; the schema still judges a short text
            patterns, least, low = [sentences], low, 0
            imposed = {STATED: least} if least else {}
        imposed["$comment"] = IMPOSED
    form: dict[str, Any] = {"type": "string", **imposed}
    # a grammar cannot always intersect a counted pattern with lengths, so what the pattern says is not said again
    implied = pattern_width(patterns[0]) if len(patterns) == 1 and is_regular(patterns[0]) else (0, None)
    if high != implied[1]:
        form["maxLength"] = high
    if low > implied[0]:
        form["minLength"] = low
    if len(names) == 1:
        form["format"] = names.pop()
    return {**form, **_pattern_form([pattern for pattern in patterns if is_regular(pattern)])}


def _pattern_form(usable: Sequence[str]) -> dict[str, Any]:
    form: dict[str, Any] = {"pattern": usable[0]} if usable else {}
    return {**form, "allOf": [{"pattern": pattern} for pattern in usable[1:]]} if len(usable) > 1 else form


def sentence_pattern(values: Sequence[Any]) -> str | None:
    """A pattern that ends a text after as many sentences as the median example has.

    A bound in characters cuts a text that rambles in the middle of a word; this one lets it end well. None where the
    examples are not sentences: too few, too short, or more than one in five without a mark at its end.
    """
    texts = [value.strip() for value in values if isinstance(value, str) and value.strip()]
    ended = [text for text in texts if re.search(r"[.!?][\"')\]]*$", text)]
    if len(texts) < FEWEST_TEXTS or len(ended) < SENTENCE_SHARE * len(texts):
        return None
    if statistics.median(len(text.split()) for text in texts) <= SENTENCE_WORDS:
        return None
    counts = sorted(len(re.findall(r"[.!?]+", text.lstrip(".!?"))) for text in ended)
    most = max(1, counts[len(counts) // 2])
    least = 1 if len(texts) == sum(isinstance(value, str) for value in values) else 0
    return rf"^(?:[^.!?]+[.!?]){{{least},{most}}}$"


def pattern_width(pattern: str) -> tuple[int, int | None]:
    """Fewest and most characters of a text that a pattern matches; (0, None) where that cannot be told.

    The most is told only for a pattern that is anchored at both ends.
    """
    parser = importlib.import_module("re._parser")  # the widths that Python's own regex compiler works with
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parsed = parser.parse(pattern)
    except (re.error, OverflowError, RecursionError):
        return 0, None
    least, most = parsed.getwidth()
    ends = [str(parsed[i]) for i in (0, -1)] if len(parsed) else []
    anchored = ends == ["(AT, AT_BEGINNING)", "(AT, AT_END)"]
    return int(least), int(most) if anchored and most < STRING * 10 else None


def is_regular(pattern: str) -> bool:
    """Whether a grammar can hold a pattern: no look-around, word boundary or back-reference."""
    bare = re.sub(r"\\[^bB1-9k]", "", pattern)
    return re.search(r"\\[bB1-9k]|\(\?(<?[=!])|\(\?P=", bare) is None


def bounded_name(pattern: str) -> str | None:
    """A pattern for short names, each of which `pattern` matches too; None where we find none."""
    if not is_regular(pattern):
        return None
    quantifier = r"\\.|\[(?:\\.|[^\]\\])*\]|([*+])\??|\{(\d+),\}\??"
    short = re.sub(quantifier, lambda found: _repeat(found) or found[0], pattern)
    tail = f"[A-Za-z0-9_]{{0,{NAME_REPEAT}}}$"
    candidates = (short, short + tail, f"^{short}", f"^{short}$")
    return next((one for one in candidates if pattern_width(one)[1] is not None), None)


def _repeat(found: re.Match[str]) -> str | None:
    """A quantifier without an end, given one."""
    if found[1] or found[2]:
        least = int(found[2] or (0 if found[1] == "*" else 1))
        return f"{{{least},{least + NAME_REPEAT}}}"
    return None


def number_form(plain: Sequence[Mapping[str, Any]], values: Sequence[Any], integer: bool) -> dict[str, Any]:
    """The one number schema for all of `plain` at once: bounded at both ends and in its decimals.

    Raises:
        Impossible: no number fits.
    """
    low, above = _limit(plain, "minimum", "exclusiveMinimum", max)
    high, below = _limit(plain, "maximum", "exclusiveMaximum", min)
    if low is not None and high is not None and (low > high or (low == high and (above or below))):
        raise Impossible(f"no number is at least {_plain(low)} and at most {_plain(high)}")
    step = _step(plain, integer)
    low, high = _closed(low, high, [v for v in values if isinstance(v, int | float) and not isinstance(v, bool)])
    if step is None:
        step = Fraction(1, 10 ** _decimals(high - low, values))
    first = math.ceil(low / step) + (1 if above and low % step == 0 else 0)
    last = math.floor(high / step) - (1 if below and high % step == 0 else 0)
    if first > last:
        raise Impossible(f"no multiple of {_plain(step)} lies between {_plain(low)} and {_plain(high)}")
    form = {"type": "integer" if integer else "number", "minimum": _plain(first * step), "maximum": _plain(last * step)}
    return form if integer and step == 1 else {**form, "multipleOf": _plain(step)}


def _limit(plain: Sequence[Mapping[str, Any]], key: str, exclusive: str, tightest: Any) -> tuple[Fraction | None, bool]:
    """The tightest of all bounds on one side, and whether it is itself left out."""
    found: list[tuple[Fraction, bool]] = []
    for part in plain:
        if key in part:
            found.append((_exact(part[key]), part.get(exclusive) is True))  # draft 4 has a flag beside the bound
        if exclusive in part and not isinstance(part[exclusive], bool):
            found.append((_exact(part[exclusive]), True))
    if not found:
        return None, False
    limit = tightest(value for value, _ in found)
    return limit, any(left_out for value, left_out in found if value == limit)


def _step(plain: Sequence[Mapping[str, Any]], integer: bool) -> Fraction | None:
    steps = [_exact(part["multipleOf"]) for part in plain if part.get("multipleOf")] + [Fraction(1)] * integer
    if not steps:
        return None
    numerator = math.lcm(*(step.numerator for step in steps))
    return Fraction(numerator, math.gcd(*(step.denominator for step in steps)))


def _closed(low: Fraction | None, high: Fraction | None, seen: Sequence[float]) -> tuple[Fraction, Fraction]:
    """Both ends of a range, those that are missing taken from the digits of the examples."""
    low = None if low is not None and abs(low) > SAFE_NUMBER else low
    high = None if high is not None and abs(high) > SAFE_NUMBER else high
    seen = [value for value in seen if math.isfinite(value) and abs(value) <= SAFE_NUMBER]
    reach = Fraction(10 ** len(str(math.floor(max(map(abs, seen))))) - 1 if seen else NUMBER)
    if low is None:
        positive = bool(seen) and min(seen) >= 0 and (high is None or high >= 0)
        low = Fraction(0) if positive else min(-reach, high - reach if high is not None else -reach)
    if high is None:
        high = max(reach, low + reach)
    return low, high


def _decimals(span: Fraction, values: Sequence[Any]) -> int:
    """Decimals for a number: as many as the examples have, and enough to divide its range in ten."""
    seen = [-int(Decimal(repr(v)).as_tuple().exponent) for v in values if isinstance(v, float) and math.isfinite(v)]
    wanted = min(DECIMALS, max(0, *seen)) if seen else 2
    return max(wanted, 1 - math.floor(math.log10(span)) if 0 < span < 1 else 0)


def _exact(number: float) -> Fraction:
    return Fraction(repr(number)) if isinstance(number, float) else Fraction(number)


def _plain(number: Fraction) -> int | float:
    return int(number) if number.denominator == 1 else float(number)


def imposed_bounds(tightened: Mapping[str, Any]) -> dict[str, int]:
    """The top-level fields whose maxLength comes from us and not from the user: a text that fills it was cut off."""
    found: dict[str, int] = {}
    for whole in tightened.get("anyOf", [tightened]):
        for name, form in whole.get("properties", {}).items():
            for one in form.get("anyOf", [form]):
                if one.get("$comment") == IMPOSED:
                    found[name] = max(found.get(name, 0), one["maxLength"])
    return found
