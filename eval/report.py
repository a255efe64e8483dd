"""The report of a run of 1,000 accepted records, in real headless Chromium. Usage: python eval/report.py [--times 5]

The clinical_note job over the scripted engine, with all of its texts in the page; the same page with hostile texts in
it; and one with clinical notes of about 1,500 characters and 13 facts in their place, each with its spans and a run
shared with a seed. Needs Chromium (apt-get install chromium) and playwright. Times are medians: from the navigation to
a browser of records that can be used, each in a page of its own. `--keep PATH` keeps the page.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import yaml
from overhead import CHANGES, RECIPE, answers
from playwright.sync_api import Browser, sync_playwright

from textsynth.engines.scripted import ScriptedEngine
from textsynth.job import job_from
from textsynth.outputs.report import write_report
from textsynth.outputs.store import Store
from textsynth.pipeline import run_prepared
from textsynth.prepare import prepare

RECORDS = 1000
HOSTILE = (
    "<script>window.hit=1</script>", "</style><style>*{display:none}</style>", "</script><script>window.hit=1</script>",
    "<!-- <script> <!--", "x" * 1_000_000, "\u202eturned \u2066around\u200f", "line\u2028and\u2029paragraph",
    "<img src=http://127.0.0.1:9/x onerror=window.hit=1>",
)  # fmt: skip


def main(times: int, keep: Path | None) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("report.py: there is no chromium. Install it: apt-get install chromium.")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        run = Path(folder) / "run"
        make_run(run)
        start = time.perf_counter()
        with Store(run, write=False) as store:
            page = write_report(store, run)
        numbers: dict[str, Any] = {"records": RECORDS, "bytes": page.stat().st_size}
        numbers["seconds_to_write"] = round(time.perf_counter() - start, 2)
        if keep:
            shutil.copyfile(page, keep)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        numbers["chromium"] = browser.version
        looked = [look(browser, page) for _ in range(times)]
        numbers["seconds_to_open"] = round(statistics.median(one.pop("seconds") for one in looked), 3)
        numbers |= looked[0]
        numbers["phone"] = look(browser, page, viewport={"width": 375, "height": 812})
        plant(run)
        with Store(run, write=False) as store:
            numbers["hostile"] = look(browser, write_report(store, run), viewport={"width": 375, "height": 812})
        plant_clinical(run)
        start = time.perf_counter()
        with Store(run, write=False) as store:
            page = write_report(store, run)
        numbers["clinical"] = {"seconds_to_write": round(time.perf_counter() - start, 2), "bytes": page.stat().st_size}
        numbers["clinical"] |= look(browser, page)
        browser.close()
    print(json.dumps(numbers, indent=2))


def make_run(folder: Path) -> None:
    """1,000 accepted notes, each in words of its own."""
    recipe = yaml.safe_load((RECIPE / "job.yaml").read_text(encoding="utf-8"))
    job = job_from({**recipe, **CHANGES, "plan": {"target": RECORDS}}, RECIPE / "job.yaml")
    result = run_prepared(prepare(job, engine=ScriptedEngine(answers())), folder)
    assert result.accepted == RECORDS


def plant(folder: Path) -> None:
    """Hostile texts in place of the first notes of a run, and as its name."""
    with Store(folder) as store:
        for row, text in zip(list(store.records("accepted")), HOSTILE, strict=False):
            fields = row["fields"] | {"note": text, "diagnosis": text[:500]}
            store._run("UPDATE records SET fields = ? WHERE id = ?", [(json.dumps(fields), row["id"])])
        store.put("job_name", HOSTILE[0])


def plant_clinical(folder: Path) -> None:
    """Clinical notes of about 1,500 characters in place of all notes of a run."""
    units = ("mmHg", "/min", "Cel", "%")
    facts = {
        "age": 61, "sex": "female", "admitted": "2031-03-04",
        "problems": [{"name": f"condition {n}", "code": f"3834{n}", "system": "SNOMED CT"} for n in "abc"],
        "medications": [{"name": f"drug {n}", "dose": "25 mg"} for n in "abc"],
        "vitals": [{"name": f"sign {at}", "value": 80 + at, "unit": unit} for at, unit in enumerate(units)],
    }  # fmt: skip
    said = {"/age": "61-year-old", "/sex": "woman", "/admitted": "2031-03-04"}
    said |= {f"/problems/{at}": f"condition {n}" for at, n in enumerate("abc")}
    said |= {f"/medications/{at}": f"drug {n} 25 mg" for at, n in enumerate("abc")}
    said |= {f"/vitals/{at}": f"sign {at} {80 + at} {unit}" for at, unit in enumerate(units)}
    scores = {"span": 11.0, "span_start": 30.0, "score": 0.1, "p_value": 0.4}
    with Store(folder) as store:
        for row in list(store.records("accepted")):
            words = f"{row['fields']['note']} " * 20
            note = " ".join(f"{words[at * 97 : at * 97 + 90]} {one}." for at, one in enumerate(said.values()))
            places = ((fact, note.index(one), len(one)) for fact, one in said.items())
            spans = [{"fact": fact, "start": start, "end": start + length} for fact, start, length in places]
            fields = facts | {"note": note, "spans": spans}
            store._run("UPDATE records SET fields = ? WHERE id = ?", [(json.dumps(fields), row["id"])])
            verdict = (row["id"], 9, "leakage", True, None, json.dumps(scores), None)
            store._run("INSERT INTO verdicts VALUES (?, ?, ?, ?, ?, ?, ?)", [verdict])
        store.put("sources", dict.fromkeys(facts, "sampled") | {"note": "written", "spans": "located"})
        store.put("schema", {"properties": dict.fromkeys((*facts, "note", "spans"))})


def look(browser: Browser, path: Path, **options: Any) -> dict[str, Any]:
    """Open the page, use every control, open the first 20 records, and count what went wrong."""
    page = browser.new_page(**options)
    said: list[str] = []
    requests: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    start = time.perf_counter()
    page.goto(path.as_uri(), wait_until="domcontentloaded")
    page.locator("#list summary").first.wait_for()
    seconds = time.perf_counter() - start
    counts = [page.locator("#count").inner_text()]
    for name, value in (("Search", "asthma"), ("Search", "")):
        page.get_by_label(name).fill(value)
        counts.append(page.locator("#count").inner_text())
    for value in ("rejected", "surplus", "accepted"):
        page.get_by_label("Verdict").select_option(value)
        counts.append(page.locator("#count").inner_text())
    for summary in page.locator("#list summary").all()[:20]:
        summary.focus()
        page.keyboard.press("Enter")
    found = {
        "seconds": seconds,
        "console_messages": len(said),
        "requests_besides_the_page": len([url for url in requests if url != path.as_uri()]),
        "overflow_px": page.evaluate("document.documentElement.scrollWidth - innerWidth"),
        "script_of_a_record_ran": page.evaluate("window.hit === 1"),
        "opened_by_keyboard": page.locator("#list details[open] .opened").count(),
        "counts": counts,
    }
    page.close()
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--keep", type=Path, default=None)
    given = parser.parse_args()
    main(given.times, given.keep)
