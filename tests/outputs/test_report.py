"""report.html and metrics.json, of good, odd, empty and hostile runs."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.outputs.fake_run import JOB, LEAKAGE, NOTES, SEED_TEXT, SOURCES, fake_run
from textsynth.outputs import browser
from textsynth.outputs import report as report_module
from textsynth.outputs.export import write_run_files
from textsynth.outputs.report import write_evaluation_report, write_report
from textsynth.outputs.verdict import duration

HOSTILE = {
    "age": 3, "sex": "</style><b>", "specialty": "<script>alert(1)</script>", "complaint": "x" * 5000,
    "finding": "\u202eturned", "diagnosis": '"><img src=http://x/y onerror=z>', "treatment": "$\\frac{$ {{ 7 * 7 }}",
    "note": "</p></article><script>alert(2)</script><!-- {% raw %} \u202e " + "y" * 5000,
}  # fmt: skip
VOID = {"meta", "br", "img", "use", "path", "input"}


class Page(HTMLParser):
    """Tags, attributes and text of a page; a tag left open or closed twice is a failure."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.scripts: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open

    @property
    def records(self) -> list[dict[str, Any]]:
        """What the browser of records shows."""
        found: list[dict[str, Any]] = json.loads(self.scripts[0])["records"]
        return found

    @property
    def charts(self) -> int:
        return self.attributes.count(("svg", "role", "img"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] == ["script"]:
            self.scripts.append(data)
        elif self._open[-1:] != ["style"]:
            self.text += data


def plain(pieces: list[Any]) -> str:
    """A text of the browser without its marks."""
    return "".join(piece if isinstance(piece, str) else piece[0] for piece in pieces)


def report(folder: Path, *args: Any, **meta: Any) -> Page:
    with fake_run(folder, *args, **meta) as store:
        path = write_report(store, folder)
    assert path == folder / "report.html"
    return Page(path.read_text(encoding="utf-8"))


def test_verdict_comes_first_and_in_words(tmp_path: Path) -> None:
    text = " ".join(report(tmp_path).text.split())
    assert text.index("40 of 40 records accepted") < text.index("What this vouches for")
    assert "From 80 written (50% yield) in 3 min 12 s." in text
    assert "32 were refused: 8 as nearly a repeat of an accepted record, 8 as copying a run of words" in text
    assert "8 more passed every filter but were not needed." in text
    assert "has not ended" not in text


def test_records_made_elsewhere_are_counted_against_what_was_read(tmp_path: Path) -> None:
    text = report(tmp_path, engine=None, hashes={"input": "33ee"}).text
    assert "40 of 80 records accepted" in text
    assert "From 80 read (50% yield)" in text


def test_claims_say_what_alpha_means_and_what_is_not_promised(tmp_path: Path) -> None:
    text = report(tmp_path, sources=SOURCES | {"age": "copied"}).text
    assert "refused with probability at most 0.05 (alpha), averaged over the draw of the calibration set" in text
    assert "split conformal over 19 genuine records" in text
    assert "shares 14 words in a row or more with a seed. This is a policy that alpha does not cover" in text
    assert "its recall is not measured here" in text
    assert "Differential privacy: a model that is shown seeds as examples gives none" in text
    assert "copied from seed rows, and the gate does not judge them: age." in text
    assert "copied from a seed" in text


AS_A_SET: dict[str, Any] = {
    "rows": 40, "calibration_records": 26, "level": 0.01, "units": [["age"], ["sex"]], "flagged": False,
    "excess": 0.1, "calibration_excess": 0.1, "independent_excess": 0.0, "calibration_p_value": 0.4,
    "independent_p_value": 0.2,
}  # fmt: skip
WARNING = "The accepted rows as a set point to single seeds: several values of one seed turn up together"


@pytest.mark.parametrize(
    ("found", "warned", "says"),
    [
        (
            AS_A_SET | {"flagged": True},
            True,
            "point to no single seed: they do. Tested: 40 rows that passed every filter, against 26",
        ),
        (
            AS_A_SET,
            False,
            "rows as a set do not point to single seeds. Tested: 40 rows that passed every filter, against 26",
        ),
        (AS_A_SET | {"flagged": None, "untested": "it takes more"}, False, "not tested, since it takes more."),
        (None, False, ""),
    ],
)
def test_rows_that_point_to_seeds_as_a_set_are_the_first_thing_said(
    tmp_path: Path, found: dict[str, Any] | None, warned: bool, says: str
) -> None:
    text = " ".join(report(tmp_path, evidence={"leakage": LEAKAGE | {"rows_as_a_set": found}}).text.split())
    assert (WARNING in text[: text.index("What this vouches for")]) == warned
    claimed, filters = text.index("Not claimed"), text.index("The filters, in the order")
    clean = found is not None and found["flagged"] is False
    assert says in (text[:claimed] if clean else text[claimed:filters])
    assert ("as a set" in text) == (found is not None)
    numbers = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert numbers["leakage"]["rows_as_a_set"] == found


def test_each_filter_states_its_error_rate_or_that_it_has_none(tmp_path: Path) -> None:
    evidence = {"schema": {}, "leakage": LEAKAGE, "dedup": {}, "<b>mine": {}}
    filters = [*JOB["filters"][:2], {"type": "dedup", "near": 0.8}]
    page = report(tmp_path, job=JOB | {"filters": filters}, evidence=evidence)
    said = " ".join(page.text.split())
    table = said[said.index("The filters, in the order") : said.index("What became of each record")]
    assert "schemawhat the record schema does not allowexact: refuses nothing else8" in table
    assert "at most 0.05 of genuinely new records; split conformal over 19 genuine ones8" in table
    assert "none: a fixed Jaccard similarity of 0.88" in table
    assert "<b>minewhat this filter of your own decidesit states none0" in table
    assert "b" not in page.tags


def test_new_ground_is_shown_by_round_and_so_is_what_was_done(tmp_path: Path) -> None:
    said = {"saturation: less is new. Seeds are shown to fewer.": 1, "the context is short": 2}
    with fake_run(tmp_path, 90, said=said) as store:
        for number, new in enumerate((28, 15, 6)):
            aim = {"answers": ["examples"] * (number == 2)}
            store._run(
                "UPDATE rounds SET aim = ?, gave = ? WHERE round = ?",
                [(json.dumps(aim), json.dumps({"judged": 30, "new": new}), number)],
            )
        page = Page(write_report(store, tmp_path).read_text(encoding="utf-8"))
    assert "New ground by round" in page.text
    assert page.charts == 8
    assert "engine: the context is short (2 times)" in page.text
    assert "engine: saturation" not in page.text and "saturation: less is new." in page.text
    rounds = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))["rounds"]
    assert [row["new_ground_rate"] for row in rounds] == [0.933333, 0.5, 0.2]
    assert [row["answers"] for row in rounds] == [[], [], ["examples"]]


def test_twenty_records_from_the_whole_run_with_their_evidence(tmp_path: Path) -> None:
    page = report(tmp_path)
    shown = re.findall(r"(r\d{7}): scores and lineage", page.text)
    assert len(shown) == 20 == page.tags.count("article")
    assert (shown[0], shown[-1]) == ("r0000000", "r0000075")
    assert NOTES[0]["note"] in page.text
    assert '"prompt_hash": "22dd"' in page.text


def test_numbers_stand_in_metrics_json_too(tmp_path: Path) -> None:
    report(tmp_path)
    found = json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))
    assert (found["accepted"], found["yield_rate"], found["status"]) == (40, 0.5, "done")
    assert found["leakage"]["gate"]["p_value"] == 0.05


def test_charts_draw_the_gate_beside_genuine_records(tmp_path: Path) -> None:
    page = report(tmp_path)
    assert page.charts == page.tags.count("figure") == 7
    genuine = [
        value for tag, name, value in page.attributes if (tag, name) == ("path", "stroke") and value == "var(--genuine)"
    ]
    assert len(genuine) == 4
    assert not [value for _, name, value in page.attributes if name in ("fill", "stroke") and "#0" in value]


def test_same_run_same_bytes(tmp_path: Path) -> None:
    files = []
    for name in ("a", "b"):
        report(tmp_path / name)
        files.append([(tmp_path / name / file).read_bytes() for file in ("report.html", "metrics.json")])
    assert files[0] == files[1]


def test_page_loads_nothing_and_runs_one_script_that_its_policy_names(tmp_path: Path) -> None:
    page = report(tmp_path)
    assert ("meta", "http-equiv", "Content-Security-Policy") in page.attributes
    policy = next(value for tag, name, value in page.attributes if name == "content" and "default-src" in value)
    assert policy.startswith("default-src 'none'; script-src 'sha256-") and "unsafe" not in policy
    data, script = page.scripts
    assert policy.count(base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()) == 1
    assert {"link", "iframe", "img", "object", "base", "form"}.isdisjoint(page.tags)
    assert not [name for _, name, _ in page.attributes if name == "style" or name.startswith("on")]
    linked = [value for _, name, value in page.attributes if name in ("href", "src", "xlink:href")]
    assert all(value.startswith("#") for value in linked)


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    evil = "</title><script>alert(3)</script>"
    page = report(
        tmp_path, 20, ("accepted",), [HOSTILE], job_name=evil, shortfall=[evil], status="short",
        job=JOB | {"rng": evil}, seeds={evil: 1}, versions={evil: evil}, sources=SOURCES | {"sex": "written"},
    )  # fmt: skip
    assert {"img", "b"}.isdisjoint(page.tags)
    assert (page.tags.count("style"), page.tags.count("script")) == (1, 2)
    assert page.tags.count("article") == 20
    for value in HOSTILE.values():
        assert str(value) in page.text
    assert "<" not in page.scripts[0] and "\u2028" not in page.scripts[0]
    kept = {name: text for name, text, *_ in page.records[0]["facts"]}
    kept |= {name: plain(pieces) for name, pieces, *_ in page.records[0]["texts"]}
    assert kept == {name: str(value) for name, value in HOSTILE.items()}


def test_page_holds_no_seed_text(tmp_path: Path) -> None:
    report(tmp_path)
    assert SEED_TEXT not in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert SEED_TEXT not in (tmp_path / "metrics.json").read_text(encoding="utf-8")


def test_text_that_no_gate_accepted_is_nowhere_in_the_page(tmp_path: Path) -> None:
    notes = [NOTES[0] | {"note": f"text number {at}", "complaint": f"complaint {at}"} for at in range(2)]
    page = report(tmp_path, 2, ("accepted", "copied_span"), notes)
    assert "text number 0" in page.text and "complaint 0" in page.text
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "text number 1" not in html and "complaint 1" not in html
    assert [record["id"] for record in page.records if record.get("hidden")] == ["r0000001"]


def test_the_browser_has_text_where_rejected_jsonl_has_it(tmp_path: Path) -> None:
    with fake_run(tmp_path) as store:
        page = Page(write_report(store, tmp_path).read_text(encoding="utf-8"))
        write_run_files(store, tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "rejected.jsonl").read_text(encoding="utf-8").splitlines()]
    refused = {record["id"]: bool(record["texts"]) for record in page.records if record["state"] != "accepted"}
    assert refused == {line["id"]: "fields" in line for line in lines}
    assert set(refused.values()) == {True, False}
    assert len(page.records) == 80
    assert "lineage" in page.records[0] and "drawn from: age = s000003" in page.records[0]["lineage"]


def test_the_browser_has_an_even_sample_of_many_records_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browser, "MOST", 20)
    page = report(tmp_path)
    assert [record["id"] for record in page.records[:3]] == ["r0000000", "r0000004", "r0000008"]
    assert "20 of 80, spread evenly over the run" in page.text
    monkeypatch.setattr(browser, "_ROOM", 9000)
    page = report(tmp_path / "small")
    assert 1 < len(page.records) < 20
    assert f"{len(page.records)} of 80, spread evenly over the run" in page.text


def test_a_text_of_a_megabyte_is_cut_and_its_length_said(tmp_path: Path) -> None:
    page = report(tmp_path, 2, ("accepted",), [NOTES[0] | {"note": "y" * 1_000_000}])
    assert page.records[0]["texts"] == [["note", ["y" * 20_000], 1_000_000]]
    assert (tmp_path / "report.html").stat().st_size < 500_000


def test_yield_by_cell_comes_with_those_that_lack_most_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = [
        {"cell": {"specialty": name}, "quota": 30, "accepted": got, "completed": 50, "yield_rate": got / 50,
         "reasons": {"near_seed": 4}}
        for name, got in (("Urology", 30), ("<b>Cardiology", 12))
    ]  # fmt: skip
    monkeypatch.setattr(report_module, "cell_numbers", lambda store: cells)
    page = report(tmp_path)
    text = page.text[page.text.index("Yield by cell") :]
    assert text.index("<b>Cardiology") < text.index("Urology")
    assert "refused: 4 near_seed" in text


EVALUATION: dict[str, Any] = {
    "files": {kind: {"name": f"{kind}.csv", "records": 1200, "used": 1000} for kind in ("synthetic", "holdout")},
    "requirements": [
        {"text": "privacy.longest_span<8", "metric": "privacy.longest_span", "value": 12.0, "passed": False,
         "said": "privacy.longest_span is 12, and < 8 is required."},
        {"text": "utility.macro_f1>=0.7", "metric": "utility.macro_f1", "value": 0.74, "passed": True,
         "said": "utility.macro_f1 is 0.74, and >= 0.7 is required."},
    ],
    "notes": ["column x: all values are the same."],
    "metrics": {"privacy": {"longest_span": {
        "title": "Longest run", "value": 12.0, "ceiling": 19.0, "low": None, "high": None, "better": "lower",
        "secondary": False}}, "text": {}},
    "columns": [
        {"name": "</style>$a$ \u202e", "kind": "category", "accuracy": 0.9, "ceiling": 0.95, "distribution": {
            "bins": ["<script>", "漢\x00"], "real": [0.5, 0.5], "synthetic": [0.4, 0.6], "holdout": [0.5, 0.5]}},
        {"name": "note", "kind": "text", "missing": {"synthetic": 0.125, "real": 0.0}},
    ],
    "cells": {"columns": ["age", "sex"], "smallest": 3, "cells": 140, "below": {"5": 0.04}},
    "correlation": {"columns": ["a", "b", "c"], "real": [[1, 0.1, 0]] * 3, "synthetic": [[1, None, 0.9]] * 3},
    "map": {"explained": 0.3, "synthetic": [[0.1, 0.2]] * 900, "holdout": [[0.0, 0.1]]},
    "similarity": {"span": {"edges": [0, 5, 10], "counts": {"synthetic": [3, 1], "holdout": [2, 2]}}},
    "lengths": {"edges": [0, 5, 10], "counts": {"synthetic": [3, 1], "holdout": [2, 2]}},
    "utility": {"label": "income", "scores": [
        {"model": "columns", "trained_on": of, "macro_f1": 0.7, "low": 0.6, "high": 0.8}
        for of in ("synthetic", "real")] + [{"model": "text", "trained_on": "both", "macro_f1": None}]},
}  # fmt: skip


def test_an_evaluation_of_two_files_has_a_page_that_says_first_which_gate_failed(tmp_path: Path) -> None:
    page = Page(write_evaluation_report(EVALUATION, tmp_path / "page.html").read_text(encoding="utf-8"))
    text = " ".join(page.text.split())
    assert text.index("1 of 2 required gates failed") < text.index("failed privacy.longest_span is 12, and < 8")
    assert text.index("passed utility.macro_f1 is 0.74") < text.index("privacy.longest_span12")
    assert "1,200 records, 1,000 of them used" in text
    assert "140 cells, the smallest with 3. 4.0% of the records are in cells of fewer than 5." in text
    assert "syntheticcolumns" in text and "0.1250" in text
    assert page.charts == 6 and {"script", "b"}.isdisjoint(page.tags)
    assert page.tags.count("use") < 900  # the map is thinned


def test_of_many_columns_the_farthest_are_drawn_and_that_is_said(tmp_path: Path) -> None:
    (column, _) = EVALUATION["columns"]
    columns = [column | {"name": f"column {at}", "accuracy": 0.5 + at / 100} for at in range(20)]
    path = write_evaluation_report(EVALUATION | {"columns": columns}, tmp_path / "page.html")
    titles = re.findall(r"<h3><bdi>(column \d+)</bdi>", path.read_text(encoding="utf-8"))
    assert titles == [f"column {at}" for at in range(12)]
    assert "one of the 12 farthest of 20 columns; accuracy 0.500" in Page(path.read_text(encoding="utf-8")).text


def test_an_evaluation_with_nothing_computed_still_has_a_page(tmp_path: Path) -> None:
    bare = {"files": EVALUATION["files"], "requirements": [], "notes": [], "metrics": {}}
    page = Page(write_evaluation_report(bare, tmp_path / "page.html").read_text(encoding="utf-8"))
    assert "No gate was required." in page.text
    assert page.charts == 0


def test_a_run_shows_the_evaluation_that_it_keeps(tmp_path: Path) -> None:
    page = report(tmp_path, evaluation=EVALUATION)
    assert page.text.index("40 of 40 records accepted") < page.text.index("privacy.longest_span is 12")
    assert page.charts == 7 + 6
    assert json.loads((tmp_path / "metrics.json").read_text(encoding="utf-8"))["evaluation"] == EVALUATION


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("running", "This run has not ended"),
        ("interrupted", "This run was interrupted and can be resumed"),
        ("failed", "This run was stopped by a fault"),
        ("short", "This run ended short of its target"),
    ],
)
def test_an_unfinished_run_says_so(tmp_path: Path, status: str, says: str) -> None:
    text = report(tmp_path, 30, status=status, shortfall=["25 records are missing."]).text
    assert says in text
    assert "25 records are missing." in text


def test_a_run_without_anything(tmp_path: Path) -> None:
    nothing = dict.fromkeys(("job", "sources", "engine", "schema", "hashes", "versions", "seeds", "elapsed"))
    page = report(tmp_path, 0, status="running", evidence={}, **nothing)
    assert "No record is complete yet." in page.text
    assert "No record was accepted yet." in page.text
    assert "there was no leakage gate" in page.text
    assert page.charts == 0
    assert page.records == []


def test_a_run_that_stopped_before_the_gate_was_calibrated_claims_nothing_of_it(tmp_path: Path) -> None:
    empty = {"center": {}, "spread": {}, "calibration_scores": [], "calibration_raw": {}, "calibration_records": 0}
    for number, evidence in enumerate(({}, {"leakage": LEAKAGE | empty})):
        text = report(tmp_path / str(number), 0, status="failed", evidence=evidence).text
        assert "the leakage gate has not judged any record yet" in text
        assert "refused with probability" not in text


def test_no_record_accepted(tmp_path: Path) -> None:
    page = report(tmp_path, 4, ("schema_mismatch",), status="short")
    assert "0 of 40 records accepted" in page.text
    assert "No record was accepted." in page.text


def test_a_run_without_engine_or_gate(tmp_path: Path) -> None:
    sources = dict.fromkeys(SOURCES, "sampled")
    text = report(tmp_path, engine=None, evidence={}, sources=sources, job=JOB | {"filters": [{"type": "schema"}]}).text
    assert "From 80 drawn" in text
    assert "there was no leakage gate" in text
    assert "drawing values from seeds gives none" in text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (192, "3 min 12 s"), (7384, "2 h 3 min")]
)
def test_durations_are_for_readers(seconds: float, text: str) -> None:
    assert duration(seconds) == text
