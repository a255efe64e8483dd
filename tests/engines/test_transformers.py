from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.engines import contract
from tests.hostile import CORPUS
from textsynth.engines.base import build_engine
from textsynth.engines.transformers import TransformersEngine
from textsynth.errors import EngineError, InputError
from textsynth.job import EngineSpec
from textsynth.models import resolve
from textsynth.records import Message, Request

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("llguidance")
SMALL = "smollm2-135m"
Make = Callable[[int], TransformersEngine]


@pytest.fixture(scope="module", autouse=True)
def load_once() -> Iterator[None]:
    """Every `generate` opens the weights anew; one copy is enough for a module of tests."""
    from textsynth.engines import decoding

    real, kept = decoding._load, dict[tuple[str, str], Any]()

    def load(engine: TransformersEngine) -> Any:
        key = (engine.path, engine.dtype)
        kept[key] = kept.get(key) or real(engine)
        return kept[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "_load", load)
        yield


@functools.cache
def shared_tokenizer() -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(resolve(SMALL, "tests"))


def make(width: int) -> TransformersEngine:
    return TransformersEngine(SMALL, dtype="float32", batch=width, device="cpu")


@pytest.mark.model
@pytest.mark.parametrize("law", contract.LAWS, ids=lambda law: law.__name__)
def test_the_contract(law: Any) -> None:
    law(make)


@pytest.mark.model
def test_an_answer_that_reaches_its_limit_says_so_and_tokens_are_counted() -> None:
    engine = make(2)
    [done] = contract.answers(engine, [contract.request(3, schema=None, max_tokens=7)]).values()
    assert done.finish_reason == "length" and done.completion_tokens == 7
    assert done.prompt_tokens == len(engine.encode(contract.request(3).messages)[0])
    again = len(engine.tokenizer(done.text, add_special_tokens=False)["input_ids"])
    assert again <= 7


@pytest.mark.model
def test_a_prompt_beyond_the_context_is_a_fault_before_anything_is_asked() -> None:
    engine = make(1)
    chat: tuple[Message, ...] = ({"role": "user", "content": "word " * 9000},)
    with pytest.raises(
        InputError, match=r"the prompt has \d+ tokens and its answer may take 10; smollm2-135m has room"
    ):
        engine.check(chat, None, 10)
    engine.check(chat[:0] + ({"role": "user", "content": "Hello."},), contract.SCHEMA, 10)


@pytest.mark.model
def test_a_seed_of_control_tokens_leaves_a_valid_answer() -> None:
    """One example of each, shown to the embedded model; the control tokens of the chat are those of its template."""
    shown = [one["text"] for one in CORPUS if one["kind"] == "control token"]
    asked = []
    for number, text in enumerate(shown):
        ask, example, last = contract.request(number).messages
        turns = ({**ask, "content": f"{ask['content']} {text}"}, {**example, "content": text}, last)
        asked.append(dataclasses.replace(contract.request(number), messages=turns))
    engine = make(len(asked))
    found = contract.answers(engine, asked)
    for one in asked:
        assert [t for t in engine.tokens(one.messages) if t in engine.tokenizer.all_special_ids].count(2) == 4
        jsonschema.validate(json.loads(found[one.id].text), contract.SCHEMA)


def tiny_model(folder: Path, architecture: str, spare: int = 0) -> None:
    """A model of random weights with the embedded model's tokenizer; weights large enough to tell tokens apart."""
    import torch
    import transformers

    tokenizer = shared_tokenizer()
    size: dict[str, Any] = {
        "vocab_size": len(tokenizer) + spare, "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3,
        "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 512, "head_dim": 8,
        "initializer_range": 0.4, "eos_token_id": tokenizer.eos_token_id, "bos_token_id": None, "pad_token_id": None,
    }  # fmt: skip
    special: dict[str, dict[str, Any]] = {
        "Qwen2": {"use_sliding_window": True, "sliding_window": 16, "max_window_layers": 1},
        "Mistral": {"sliding_window": 16},
        "Gemma2": {"sliding_window": 16, "attn_logit_softcapping": 5.0, "query_pre_attn_scalar": 20},
    }
    config = getattr(transformers, f"{architecture}Config")(**size, **special[architecture])
    torch.manual_seed(3)
    getattr(transformers, f"{architecture}ForCausalLM")(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Makes engines of a tiny model with a given width."""
    folder = tmp_path_factory.mktemp("tiny")
    tiny_model(folder, "Qwen2")
    return lambda width: TransformersEngine(str(folder), dtype="float32", batch=width, device="cpu")


@pytest.mark.model
def test_a_schema_without_a_grammar_is_asked_for_in_words_and_counted(tiny: Make) -> None:
    schema = {"type": "object", "properties": {"a": {"not": {"type": "string"}}}, "required": ["a"]}
    engine = tiny(2)
    engine.check(contract.request(0).messages, schema, 10)
    asked = [dataclasses.replace(contract.request(0, max_tokens=5), schema=schema), contract.request(1)]
    found = contract.answers(engine, asked)
    plain = contract.answers(tiny(1), [contract.request(0, schema=None, max_tokens=5)])
    assert found["r0"].prompt_tokens > plain["r0"].prompt_tokens + 20 and found["r0"].completion_tokens == 5
    json.loads(found["r1"].text)
    assert [count for sentence, count in engine.said.items() if "no grammar" in sentence] == [1]


@pytest.mark.model
def test_a_prompt_that_fills_the_context_is_answered_empty_and_counted(tiny: Make) -> None:
    engine = tiny(2)
    long = ({"role": "user", "content": "word " * 600},)
    found = contract.answers(engine, [dataclasses.replace(contract.request(0), messages=long), contract.request(1)])
    assert (found["r0"].text, found["r0"].finish_reason) == ("", "length") and found["r1"].finish_reason == "stop"
    assert any("leaves no room" in sentence for sentence in engine.said)


@pytest.mark.model
def test_what_requests_of_many_kinds_share_is_computed_once(tiny: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from textsynth.engines.prefix import RowCache

    lengths, begin = list[int](), RowCache.begin_prefix
    monkeypatch.setattr(RowCache, "begin_prefix", lambda self, n: (lengths.append(n), begin(self, n))[1])
    turns = [
        ({"role": "user", "content": f"{'Of kind ' * kind}now."}, contract.request(0).messages[-1]) for kind in range(8)
    ]
    asked = [dataclasses.replace(contract.request(at, max_tokens=9), messages=turns[at % 8]) for at in range(24)]
    assert len(contract.answers(tiny(12), asked)) == 24
    assert (
        len(set(lengths)) == 9 and len(lengths) <= 9 + 4
    )  # of one token to measure; rows end, and another batch joins


@pytest.fixture
def scarce_memory() -> Iterator[list[int]]:
    """A device on which a pass of more rows than the list's number finds no memory, as torch says it."""
    import torch

    most = [2]

    def refuse(module: Any, args: Any) -> None:
        if isinstance(module, torch.nn.Embedding) and args[0].shape[0] > most[0]:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    hook = torch.nn.modules.module.register_module_forward_pre_hook(refuse)
    yield most
    hook.remove()


@pytest.mark.model
@pytest.mark.parametrize("temperature", [0.0, 0.9])
def test_without_memory_the_batch_is_halved_and_goes_on(
    tiny: Make, scarce_memory: list[int], temperature: float
) -> None:
    asked = [contract.request(number, temperature) for number in range(7)]
    there = contract.answers(tiny(2), asked)
    engine = tiny(8)
    assert contract.answers(engine, asked) == there
    assert sum("memory is short" in sentence for sentence in engine.said) == 2  # 7 rows, 3 and then 1
    scarce_memory[0] = 0
    with pytest.raises(EngineError, match=r"cpu has no memory for a single request\. Use a smaller"):
        contract.answers(tiny(2), asked)


@pytest.mark.model
def test_a_batch_is_no_larger_than_the_memory(tiny: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    import psutil

    memory = psutil.virtual_memory()._replace(available=40 * 2**20)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    engine = tiny(64)
    asked = [contract.request(number) for number in range(20)]
    assert len(contract.answers(engine, asked)) == 20
    [said] = [sentence for sentence in engine.said if "memory is short" in sentence]
    assert 1 < int(said.split()[3]) < 20


@pytest.mark.model
def test_a_model_with_more_logits_than_tokens_keeps_to_its_grammar(tmp_path: Path) -> None:
    tiny_model(tmp_path, "Qwen2", spare=7000)
    engine = TransformersEngine(str(tmp_path), dtype="float32", batch=4, device="cpu")
    contract.every_answer_obeys_its_schema(lambda width: engine)


@pytest.mark.model
def test_a_model_without_a_chat_template_gets_plain_turns_and_says_so(tmp_path: Path) -> None:
    tiny_model(tmp_path, "Qwen2")
    (tmp_path / "chat_template.jinja").unlink()
    engine = TransformersEngine(str(tmp_path), dtype="float32", batch=2, device="cpu")
    ids, shared = engine.encode(contract.request(0).messages)
    assert engine.tokenizer.decode(ids).endswith("user: Describe a boat.\n\nassistant: ") and 0 < shared < len(ids)
    assert [count for sentence, count in engine.said.items() if "no chat template" in sentence] == [1]


def stock(folder: str, engine: TransformersEngine, requests: list[Request]) -> dict[str, str]:
    """What transformers' own `generate` writes for each request alone."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    found = {}
    for one in requests:
        ids = torch.tensor([engine.encode(one.messages)[0]])
        most = int(one.sampling["max_tokens"])
        made = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=most)
        found[one.id] = engine.tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True)
    return found


def requests(tokens: int) -> list[Request]:
    """Requests of two blocks with answers of different lengths, so that rows come and go."""
    return [contract.request(number, schema=None, max_tokens=tokens + 2 * number) for number in range(6)]


@pytest.mark.model
def test_greedy_answers_are_those_of_transformers_own_generate() -> None:
    engine = make(4)
    found = contract.answers(engine, requests(5))
    assert {name: done.text for name, done in found.items()} == stock(engine.path, engine, requests(5))


@pytest.mark.model
@pytest.mark.parametrize("architecture", ["Qwen2", "Mistral", "Gemma2"])
def test_other_architectures_need_no_code_of_their_own(tmp_path: Path, architecture: str) -> None:
    tiny_model(tmp_path, architecture)
    engine = TransformersEngine(str(tmp_path), dtype="float32", batch=4, device="cpu")
    found = contract.answers(engine, requests(12))
    assert {name: done.text for name, done in found.items()} == stock(str(tmp_path), engine, requests(12))
    assert len({done.text for done in found.values()}) == 6


def test_a_folder_without_a_model_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    engine = TransformersEngine(str(tmp_path), device="cpu")
    with pytest.raises(EngineError, match=r"^engine: .*cannot be loaded .*Check engine\.model\.$"):
        contract.answers(engine, [contract.request(0)])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"bach": 3}, r"job\.yaml: engine\.options\.bach is not a known option\. .*Known here: dtype .*batch"),
        ({"batch": 0}, r"options\.batch is 0\. Use a whole number"),
        ({"batch": 2.5}, r"options\.batch is 2\.5\. Use a whole number"),
        ({"dtype": "float8"}, r"options\.dtype is float8\. Use auto"),
        ({"device": "tpu"}, r"options\.device is tpu\. Use auto"),
    ],
)
def test_wrong_options_are_faults(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        build_engine(EngineSpec(options=options), "job.yaml: engine")


def test_a_model_that_is_no_folder_and_no_name_is_a_fault() -> None:
    with pytest.raises(InputError, match=r"job\.yaml: engine\.model is smollm2-135\b"):
        build_engine(EngineSpec(model="smollm2-135"), "job.yaml: engine")


def test_building_an_engine_opens_nothing(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("not JSON")
    engine = build_engine(EngineSpec(model=str(tmp_path)), "job.yaml: engine")
    assert "path" not in vars(engine) and "tokenizer" not in vars(engine)
