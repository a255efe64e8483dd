"""Numbers, negations and names: what counts as the same, and what as a contradiction."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from textsynth.similarity.claims import NEAR, agreement, claims_of, paraphrase


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("take 5 mg", "take 5.0mg"),
        ("two sisters", "2 sisters"),
        ("Twice daily", "2 times daily"),
        ("twenty-five patients", "25 patients"),
        ("twenty five patients", "25 patients"),
        ("a cost of 1,250 dollars", "a cost of 1250 dollars"),
        ("the 3rd day", "the third day"),
        ("$4.1bn", "4.1 billion"),
        ("on Tuesday", "on tuesday's"),
        ("half of them", "0.5 of them"),
        ("x² and \uff11\uff12", "x2 and 12"),
        ("one of them came", "they came"),
    ],
)
def test_the_same_numbers_however_they_are_written(one: str, other: str) -> None:
    assert claims_of(one).numbers == claims_of(other).numbers


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("She denies pain and has no fever.", 2),
        ("He can't and won\u2019t, and doesnt.", 3),
        ("Without relief; never seen, cannot walk.", 3),
        ("Nothing is known, nor noted.", 2),
        ("The knot is noble.", 0),
    ],
)
def test_negations_are_counted(text: str, count: int) -> None:
    assert claims_of(text).negations == count


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Yesterday the nurse saw Mandela there.", {"mand"}),
        ("Every man I saw was here today.", set()),
        ("the MRI was done. Then all were told", {"mri"}),
        ("Heavy Fighting Reported In Aleppo Today", set()),
        ("", set()),
    ],
)
def test_names_are_what_is_capitalized_inside_a_sentence(text: str, names: set[str]) -> None:
    assert claims_of(text).names == names


@pytest.mark.parametrize(
    ("one", "other", "agree"),
    [
        ("He takes 5 mg of it.", "He takes 50 mg of it.", 0.0),
        ("He takes 5 mg on day 3.", "He takes 50 mg on day 3.", 0.5),
        ("He takes 5 mg of it.", "He takes some of it.", 1.0),
        ("Closed higher on Tuesday.", "Closed lower on Wednesday.", 0.0),
        ("There is fever.", "There is no fever.", 0.75),
        ("No fever and no pain here.", "No fever here.", 0.875),
        ("The patient likes Boston much.", "The patient likes Denver much.", 0.9),
        ("The patient likes Boston much.", "The patient likes BOSTON'S much.", 1.0),
        ("", "", 1.0),
    ],
)
def test_agreement(one: str, other: str, agree: float) -> None:
    assert agreement(claims_of(one), claims_of(other)) == pytest.approx(agree)
    assert agreement(claims_of(other), claims_of(one)) == pytest.approx(agree)


PIECES = st.lists(st.sampled_from(["no", "5", "six", "Anna", "MRI", "pain", "never", "Friday", ".", "Bob"]), max_size=9)


@given(PIECES, PIECES, st.floats(-1, 1))
def test_claims_lower_a_cosine_never_below_where_they_are_compared_and_both_ways_alike(
    one: list[str], other: list[str], cosine: float
) -> None:
    a, b = claims_of(" ".join(one)), claims_of(" ".join(other))
    found = paraphrase(cosine, a, b)
    assert found == paraphrase(cosine, b, a)
    assert found <= cosine
    assert found == cosine if cosine <= NEAR else found >= NEAR
    assert paraphrase(cosine, a, a) == pytest.approx(cosine)
