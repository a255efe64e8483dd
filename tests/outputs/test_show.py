"""One record's whole life as text, with seed text masked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.outputs.fake_run import KINDS, NOTES, fake_run
from textsynth.errors import InputError
from textsynth.outputs.show import life_of
from textsynth.outputs.store import Store
from textsynth.records import Completion, Request

SECRET = "the seed keeps nine parrots"
MESSAGES = (
    {"role": "system", "content": "You write notes."},
    {"role": "user", "content": f"Age 40. {SECRET}"},
    {"role": "assistant", "content": f'{{"note": "{SECRET}"}}'},
    {"role": "user", "content": "Age 50. Write one."},
)
RETRY = (*MESSAGES, {"role": "assistant", "content": SECRET}, {"role": "user", "content": "That answer is not valid."})


def add(store: Store, record_id: str, messages: tuple[dict[str, str], ...], answer: str | None) -> None:
    request = Request(f"{record_id}-0-1", 0, 0, messages, None, {}, 77, ("s000004",))
    store.add_requests([(record_id, request)])
    if answer is not None:
        store.add_completion(Completion(request.id, answer, "stop", 30, 7))


def id_of(kind: str) -> str:
    return f"r{KINDS.index(kind):07d}"


def test_a_whole_life_is_shown(tmp_path: Path) -> None:
    with fake_run(tmp_path, 10) as store:
        add(store, id_of("near_duplicate"), MESSAGES, '{"note": "Rests."}')
        text = life_of(store, id_of("near_duplicate"))
    assert text.startswith(f"record {id_of('near_duplicate')}\nstate: rejected (near_duplicate)\n")
    for part in ("rng_seed 77, seeds s000004", "[system] You write notes.", "[user] Age 50. Write one.", "style"):
        assert part in text
    assert '[answer, stop, 7 tokens] {"note": "Rests."}' in text
    assert "schema: accepted" in text
    assert 'dedup: refused: near_duplicate {"jaccard": 0.9}, neighbor r0000000' in text
    assert text.endswith(json.dumps(NOTES[KINDS.index("near_duplicate")], indent=2, ensure_ascii=False))


def test_turns_that_show_seeds_are_masked_unless_asked_for(tmp_path: Path) -> None:
    with fake_run(tmp_path, 10) as store:
        add(store, id_of("accepted"), MESSAGES, '{"note": "Rests."}')
        masked, clear = life_of(store, id_of("accepted")), life_of(store, id_of("accepted"), with_seeds=True)
    assert SECRET not in masked
    assert masked.count("(a seed, ") == 2
    assert f"[user] Age 40. {SECRET}" in clear
    assert "(a seed, " not in clear


@pytest.mark.parametrize("kind", ["copied_span", "invalid_json", "schema_mismatch"])
def test_what_no_gate_accepted_is_masked_unless_asked_for(tmp_path: Path, kind: str) -> None:
    note = NOTES[KINDS.index(kind)]["note"]
    with fake_run(tmp_path, 10) as store:
        add(store, id_of(kind), RETRY, f'{{"note": "{SECRET}')
        masked, clear = life_of(store, id_of(kind)), life_of(store, id_of(kind), with_seeds=True)
    assert SECRET not in masked
    assert note not in masked
    assert "--with-seeds shows it" in masked
    assert clear.count(SECRET) == 4
    assert kind == "invalid_json" or note in clear


@pytest.mark.parametrize("kind", ["accepted", "surplus", "near_duplicate"])
def test_what_the_gate_accepted_is_shown(tmp_path: Path, kind: str) -> None:
    with fake_run(tmp_path, 10) as store:
        text = life_of(store, id_of(kind))
    assert NOTES[KINDS.index(kind)]["note"] in text
    assert "--with-seeds" not in text


def test_a_record_that_is_not_judged_yet(tmp_path: Path) -> None:
    with fake_run(tmp_path, 10) as store:
        add(store, "r0000050", MESSAGES, None)
        text = life_of(store, "r0000050")
    assert "no answer yet" in text
    assert "state:" not in text
    assert SECRET not in text


def test_an_unknown_record_names_one_that_is_there(tmp_path: Path) -> None:
    with (
        fake_run(tmp_path / "run", 10) as store,
        pytest.raises(InputError, match="no record r9. Ids look like r0000000"),
    ):
        life_of(store, "r9")
    with Store(tmp_path / "new") as store, pytest.raises(InputError, match="no record r9. Ids look like none yet"):
        life_of(store, "r9")
