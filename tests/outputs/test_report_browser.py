"""The report in real headless Chromium: silent, without a request, every control works, hostile records do nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.outputs.clinical import NOTE, clinical_run
from tests.outputs.fake_run import NOTES, fake_run
from tests.outputs.test_report import EVALUATION
from textsynth.outputs.report import write_evaluation_report, write_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
sync_api = pytest.importorskip("playwright.sync_api", reason="the browser's tests need playwright (the dev extra)")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium is installed: apt-get install chromium")
PHONE = {"width": 375, "height": 812}
HOSTILE = [
    "<script>window.hit=1</script>", "</style><style>*{display:none}</style>", "</script><script>window.hit=1</script>",
    "<!-- <script> <!--", "x" * 1_000_000, "\u202eturned \u2066around\u200f", "line\u2028and\u2029paragraph",
    "<img src=http://127.0.0.1:9/x onerror=window.hit=1>", "]]>&lt;&amp;{{ 7 * 7 }}",
    "__proto__ constructor \x00 \x1b[2J",
]  # fmt: skip


class Seen:
    """A page, and everything that went wrong or out while it was looked at."""

    def __init__(self, browser: Any, path: Path, **options: Any) -> None:
        self.trouble: list[str] = []
        self.page = browser.new_page(**options)
        self.page.on("console", lambda message: self.trouble.append(message.text))
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.requests: list[str] = []
        self.page.goto(path.as_uri())

    @property
    def ids(self) -> list[str]:
        found: list[str] = self.page.locator("#list summary code").all_inner_texts()
        return found

    @property
    def overflow(self) -> int:
        return int(self.page.evaluate("document.documentElement.scrollWidth - innerWidth"))


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


Open = Callable[..., AbstractContextManager[Seen]]


@pytest.fixture
def look(browser: Any) -> Open:
    """Open a page; at the end it must have said nothing and asked for nothing but itself."""

    @contextmanager
    def opened(path: Path, **options: Any) -> Iterator[Seen]:
        seen = Seen(browser, path, **options)
        yield seen
        assert seen.trouble == []
        assert seen.requests == [path.as_uri()]
        seen.page.close()

    return opened


def page_of(folder: Path, *args: Any, **meta: Any) -> Path:
    with fake_run(folder, *args, **meta) as store:
        return write_report(store, folder)


def test_search_and_filters_find_records(tmp_path: Path, look: Open) -> None:
    with look(page_of(tmp_path)) as seen:
        count = seen.page.locator("#count")
        assert (count.inner_text(), len(seen.ids)) == ("80 records", 50)
        seen.page.get_by_role("button", name="Show 30 more of 30").click()
        assert len(seen.ids) == 80 and not seen.page.locator("#more").is_visible()
        seen.page.get_by_label("Verdict").select_option("rejected")
        assert count.inner_text() == "32 records"
        seen.page.get_by_label("Reason").select_option("copied_span")
        assert seen.ids == [f"r{number:07d}" for number in range(4, 80, 10)]
        seen.page.get_by_label("Verdict").select_option("accepted")
        assert (count.inner_text(), seen.ids) == ("0 records", [])
        seen.page.get_by_label("Reason").select_option("")
        seen.page.get_by_label("Verdict").select_option("")
        seen.page.get_by_label("Search").fill("R0000013")
        assert seen.ids == ["r0000013"]
        seen.page.get_by_label("Search").fill(NOTES[0]["diagnosis"].upper())
        assert "r0000000" in seen.ids and 0 < len(seen.ids) < 10


def test_a_record_opens_by_keyboard_with_its_facts_marked_and_its_lineage(tmp_path: Path, look: Open) -> None:
    with look(page_of(tmp_path)) as seen:
        seen.page.get_by_label("Reason").focus()
        seen.page.keyboard.press("Tab")
        seen.page.keyboard.press("Enter")
        first = seen.page.locator("#list details").first
        marked = first.locator(".text mark").all_inner_texts()
        assert str(NOTES[0]["age"]) in marked and NOTES[0]["diagnosis"] in marked
        assert first.locator(".text").inner_text() == NOTES[0]["note"]
        assert "drawn from: age = s000003" in first.inner_text()
        assert "p_value" in first.locator("table").inner_text()
        seen.page.keyboard.press("ArrowDown")
        seen.page.keyboard.press("Space")
        assert seen.page.locator("#list details").nth(1).get_attribute("open") is not None
        seen.page.keyboard.press("ArrowUp")
        seen.page.keyboard.press("Enter")
        assert first.get_attribute("open") is None


def test_a_refused_record_says_why_its_text_is_missing(tmp_path: Path, look: Open) -> None:
    with look(page_of(tmp_path)) as seen:
        seen.page.get_by_label("Search").fill("r0000004")
        seen.page.locator("#list summary").click()
        opened = seen.page.locator("#list details").inner_text()
        assert "Its text is not shown: no leakage gate accepted it" in opened
        assert "refused: copied_span" in opened
        assert NOTES[4]["note"][:30] not in opened


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_never_scrolls_sideways(tmp_path: Path, look: Open, scheme: str) -> None:
    notes = [NOTES[0] | {"note": text, "diagnosis": text[:400]} for text in HOSTILE]
    path = page_of(tmp_path, 20, ("accepted",), notes, evaluation=EVALUATION)
    with look(path, viewport=PHONE, color_scheme=scheme) as seen:
        assert seen.overflow == 0
        for summary in seen.page.locator("details > summary").all():
            if summary.is_visible():
                summary.click()
        assert seen.overflow == 0
        stroke = "getComputedStyle(document.querySelector('figure path[stroke]')).stroke"
        colors = seen.page.evaluate(f"[getComputedStyle(document.body).backgroundColor, {stroke}]")
        assert colors[0] == {"light": "rgb(253, 253, 251)", "dark": "rgb(21, 24, 27)"}[scheme]
        assert colors[1] != "none"


def test_hostile_records_do_nothing(tmp_path: Path, look: Open) -> None:
    notes = [{name: text[:50_000] for name in NOTES[0]} | {"note": text, text[:40]: text[:900]} for text in HOSTILE]
    path = page_of(tmp_path, len(HOSTILE), ("accepted",), notes, job_name=HOSTILE[0], shortfall=HOSTILE[:4])
    with look(path) as seen:
        assert len(seen.ids) == len(HOSTILE)
        for summary in seen.page.locator("#list summary").all():
            summary.click()
        assert seen.page.evaluate("window.hit") is None
        assert seen.page.locator("script, style").count() == 3
        texts = [part.inner_text() for part in seen.page.locator("#list .text:last-of-type").all()]
        assert any("</script><script>window.hit=1</script>" in text for text in texts)
        assert "Cut here: it has 1,000,000 characters." in seen.page.locator("#list").inner_text()


def test_the_policy_stops_a_script_that_is_not_ours(tmp_path: Path, browser: Any) -> None:
    path = page_of(tmp_path)
    html = path.read_text(encoding="utf-8").replace("</main>", "</main><script>window.hit=1</script>", 1)
    path.write_text(html, encoding="utf-8")
    seen = Seen(browser, path)
    assert seen.page.evaluate("window.hit") is None
    assert any("Content Security Policy" in said for said in seen.trouble)
    seen.page.close()


def test_without_javascript_the_page_still_shows_records(tmp_path: Path, look: Open) -> None:
    with look(page_of(tmp_path), java_script_enabled=False) as seen:
        assert seen.page.locator("article.record").first.is_visible()
        assert not seen.page.locator("#search").is_visible()


def test_printed_it_has_the_sample_in_place_of_the_controls(tmp_path: Path, look: Open) -> None:
    with look(page_of(tmp_path)) as seen:
        seen.page.emulate_media(media="print")
        assert not seen.page.locator("#search").is_visible() and not seen.page.locator("#more").is_visible()
        assert seen.page.locator("article.record").first.is_visible()
        assert len(seen.page.pdf()) > 20_000


def clinical_page(folder: Path) -> Path:
    with clinical_run(folder) as store:
        return write_report(store, folder)


def opened(seen: Seen, record: str) -> Any:
    """A record of the browser, opened."""
    seen.page.get_by_label("Search").fill(record)
    seen.page.locator("#list summary").click()
    return seen.page.locator("#list details").first


def box(part: Any) -> dict[str, float]:
    found: dict[str, float] = part.bounding_box()
    return found


@pytest.mark.parametrize(("width", "beside"), [(1280, True), (800, True), (375, False)])
def test_a_note_has_its_facts_beside_it_or_above_it_on_a_phone(
    tmp_path: Path, look: Open, width: int, beside: bool
) -> None:
    with look(clinical_page(tmp_path), viewport={"width": width, "height": 900}) as seen:
        record = opened(seen, "r0000000")
        facts, text = box(record.locator(".facts")), box(record.locator(".text"))
        assert (facts["x"] + facts["width"] <= text["x"]) == beside
        assert (facts["y"] + facts["height"] <= text["y"]) != beside
        assert facts["x"] >= 0 and text["x"] + text["width"] <= width and seen.overflow == 0
        lines = record.locator(".facts dd").all_inner_texts()
        assert "Hypertension (SNOMED CT 38341003)" in lines and "heart rate 88 /min" in lines
        assert record.locator(".text").inner_text() == NOTE
        assert "spans" not in record.locator(".facts dt").all_inner_texts()


LIT = ".text .lit"


def test_a_fact_lights_where_it_stands_and_the_other_way_round_by_mouse_and_keyboard(
    tmp_path: Path, look: Open
) -> None:
    with look(clinical_page(tmp_path)) as seen:
        record = opened(seen, "r0000000")
        plain_color = record.locator(".text mark").first.evaluate("e => getComputedStyle(e).backgroundColor")
        record.locator(".facts dd", has_text="heart rate").hover()
        assert record.locator(LIT).all_inner_texts() == ["pulse 88"]
        assert record.locator(LIT).evaluate("e => getComputedStyle(e).backgroundColor") != plain_color
        record.locator(".text mark", has_text="woman").hover()
        assert record.locator(".facts .lit").all_inner_texts() == ["female"]
        seen.page.mouse.move(1, 1)
        assert record.locator(".lit").count() == 0
        record.locator("summary").focus()
        seen.page.keyboard.press("Tab")  # the first fact
        assert record.locator(LIT).all_inner_texts() == ["67-year-old"]
        seen.page.keyboard.press("Tab")
        seen.page.keyboard.press("Enter")  # to where it stands
        assert seen.page.evaluate("document.activeElement.textContent") == "woman"
        assert record.locator(".facts .lit").all_inner_texts() == ["female"]
        seen.page.keyboard.press("Enter")  # and back
        assert seen.page.evaluate("document.activeElement.textContent") == "female"


@pytest.mark.parametrize(
    ("record", "word", "kind", "sign", "fact"),
    [
        ("r0000001", "man", "contradicted", "\u2717", "female contradicted"),
        ("r0000002", "", "", "", "metformin 500 mg missing in the text"),
        ("r0000003", "asthma", "unsupported", "?", ""),
    ],
)
def test_what_is_wrong_is_told_in_color_and_without(
    tmp_path: Path, look: Open, record: str, word: str, kind: str, sign: str, fact: str
) -> None:
    with look(clinical_page(tmp_path)) as seen:
        found = opened(seen, record)
        wrong = found.locator(".facts dd", has=seen.page.locator(".wrong"))
        assert wrong.all_inner_texts() == ([fact] if fact else [])
        if word:
            mark, stated = found.locator(f".text mark.{kind}"), found.locator(".text mark.stated").first
            assert mark.inner_text() == word
            style = "e => [getComputedStyle(e).backgroundColor, getComputedStyle(e).borderBottomStyle]"
            assert all(a != b for a, b in zip(mark.evaluate(style), stated.evaluate(style), strict=True))
            assert sign in mark.evaluate("e => getComputedStyle(e, '::after').content")
            assert found.locator(f".signs mark.{kind}").count() == 1


@pytest.mark.parametrize(("scheme", "media"), [("light", "screen"), ("dark", "screen"), ("light", "print")])
def test_a_run_shared_with_a_seed_is_marked_in_a_way_of_its_own(
    tmp_path: Path, look: Open, scheme: str, media: str
) -> None:
    with look(clinical_page(tmp_path), color_scheme=scheme) as seen:
        record = opened(seen, "r0000000")
        assert record.locator(".text mark.shared").get_attribute("title") == "shared with a seed: 17 words"
        assert "shared with a seed: 17 words" in record.locator(".signs").inner_text()
        seen.page.emulate_media(media=media)
        part = record if media == "screen" else seen.page.locator("article.record").first
        mark = part.locator(".text mark.shared")
        assert mark.inner_text().startswith("lungs are clear") and mark.inner_text().endswith("rhythm")
        line = "e => getComputedStyle(e).textDecorationStyle + getComputedStyle(e).borderBottomStyle"
        assert mark.evaluate(line) == "wavynone"
        assert part.locator(".text mark.stated").first.evaluate(line) == "solidsolid"
        assert "17 words" in part.inner_text()


def test_no_run_is_marked_where_none_is_shared(tmp_path: Path, look: Open) -> None:
    with look(clinical_page(tmp_path)) as seen:
        assert opened(seen, "r0000001").locator("mark.shared").count() == 0


def test_an_evaluation_of_two_files_opens_in_silence(tmp_path: Path, look: Open) -> None:
    with look(write_evaluation_report(EVALUATION, tmp_path / "page.html"), viewport=PHONE) as seen:
        assert seen.page.get_by_role("heading", level=1).inner_text() == "1 of 2 required gates failed"
        assert seen.overflow == 0
