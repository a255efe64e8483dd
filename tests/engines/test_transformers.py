from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engines import contract
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
def test_a_schema_without_a_grammar_is_a_fault() -> None:
    schema = {"type": "object", "properties": {"a": {"not": {"type": "string"}}}, "required": ["a"]}
    with pytest.raises(InputError, match="the schema has no grammar"):
        make(1).check(({"role": "user", "content": "Hello."},), schema, 10)


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


def tiny_model(folder: Path, architecture: str) -> None:
    """A model of random weights with the embedded model's tokenizer; weights large enough to tell tokens apart."""
    import torch
    import transformers

    tokenizer = shared_tokenizer()
    size: dict[str, Any] = {
        "vocab_size": len(tokenizer), "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3,
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
