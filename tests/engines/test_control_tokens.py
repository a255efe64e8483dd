"""Text of a message never becomes a control token: for engines that we tokenize for, and for servers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hostile import CORPUS, HARMLESS, TEXTS, WHOLE
from textsynth.engines.dialect import without_control_tokens
from textsynth.inputs.keywords import writable
from textsynth.inputs.prompts import answer_text
from textsynth.inputs.tighten import tighten

ROLES = ["system", "user", "assistant"]


class Family(NamedTuple):
    """A tokenizer's control tokens, special and only added, and its chat template."""

    special: Sequence[str]
    added: Sequence[str]
    template: str


_CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
FAMILIES = {
    "chatml": Family(["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<repo_name>", "<filename>"], [], _CHATML),
    "qwen": Family(  # cuts what a turn thought, and looks for answers of tools
        ["<|im_start|>", "<|im_end|>", "<|endoftext|>"],
        ["<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>", "<|fim_prefix|>"],
        "{% for m in messages %}{% set c = m.content.split('</think>')[-1] if m.role == 'assistant' else m.content %}"
        "{% if not c.startswith('<tool_response>') %}<|im_start|>{{ m.role }}\n{{ c }}<|im_end|>\n{% endif %}"
        "{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n\n</think>\n\n{% endif %}",
    ),
    "gemma": Family(  # trims, and has tokens for line ends and tags of HTML
        ["<bos>", "<eos>", "<pad>", "<unk>", "<mask>", "<start_of_turn>", "<end_of_turn>"],
        ["\n\n", "  ", "<b>", "<table>"],
        "{{ '<bos>' }}{% for m in messages %}<start_of_turn>{{ 'model' if m.role == 'assistant' else m.role }}\n"
        "{{ m.content | trim }}<end_of_turn>\n{% endfor %}"
        "{% if add_generation_prompt %}<start_of_turn>model\n{% endif %}",
    ),
    "llama": Family(
        ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|endoftext|>"],
        [],
        "{{ '<|begin_of_text|>' }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>\n\n"
        "{{ m.content | trim }}<|eot_id|>{% endfor %}"
        "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>\n\n{% endif %}",
    ),
    "mistral": Family(  # tokens beside each other, and one inside another
        ["<s>", "</s>", "<unk>", "[INST]", "[/INST]", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]", "<<s>>", "[gMASK]"],
        [],
        "<s>{% for m in messages %}{% if m.role == 'assistant' %}{{ m.content }}</s>"
        "{% else %}[INST]{{ m.content }}[/INST]{% endif %}{% endfor %}",
    ),
    "phi": Family(
        ["<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<|endoftext|>", "<|channel|>", "<|message|>"],
        [],
        "{% for m in messages %}{{ '<|' + m.role + '|>' }}\n{{ m.content }}<|end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|assistant|>\n{% endif %}",
    ),
    "deepseek": Family(
        ["<｜begin▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>", "<｜end▁of▁sentence｜>"],
        ["<think>", "</think>"],
        "{{ '<｜begin▁of▁sentence｜>' }}{% for m in messages %}{% if m.role == 'assistant' %}<｜Assistant｜>"
        "{{ m.content.split('</think>')[-1] }}<｜end▁of▁sentence｜>{% else %}<｜User｜>{{ m.content }}{% endif %}"
        "{% endfor %}"
        "{% if add_generation_prompt %}<｜Assistant｜><think>\n{% endif %}",
    ),
}  # fmt: skip


def tokenizer_of(family: Family, spaces_first: bool = False) -> Any:
    """A tokenizer of single bytes: every text has one encoding, so that what is not text shows."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    if spaces_first:  # as Llama 2's: a text begins with a space of its own
        letters = {chr(code): code for code in range(32, 127)} | {"▁": 127, "\n": 128}
        made = Tokenizer(models.BPE(letters, [], unk_token="~"))
        made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        letters = {letter: n for n, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
        made = Tokenizer(models.BPE(letters, []))
        made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        made.decoder = decoders.ByteLevel()
    rstrip = "phi" if "<|system|>" in family.special else ""
    made.add_special_tokens([AddedToken(t, special=True, rstrip=bool(rstrip)) for t in family.special])
    made.add_tokens([AddedToken(t, special=False, normalized=False) for t in family.added])
    return PreTrainedTokenizerFast(
        tokenizer_object=made, chat_template=family.template, eos_token=family.special[-1],
        clean_up_tokenization_spaces=False,
    )  # fmt: skip


def engine_of(tokenizer: Any) -> Any:
    from textsynth.engines.transformers import TransformersEngine

    engine = TransformersEngine("smollm2-135m")
    engine.tokenizer = tokenizer
    return engine


def chat_of(text: str) -> list[dict[str, str]]:
    """A request's chat whose one seed and whose own turn hold a text."""
    contents = ("Write.", "Say a.", "b", f"Note: {text} .", answer_text({"text": text}), f"Note: {text}; go on.")
    return [
        {"role": role, "content": c} for role, c in zip([ROLES[0], *ROLES[1:] * 2, ROLES[1]], contents, strict=True)
    ]


def control_tokens(family: Family, tokenizer: Any, ids: Sequence[int]) -> list[str]:
    names = {tokenizer.convert_tokens_to_ids(name): name for name in (*family.special, *family.added)}
    return [names[one] for one in ids if one in names and re.search(r"\w", names[one])]


@pytest.mark.parametrize("name", FAMILIES)
def test_text_never_becomes_a_control_token(name: str) -> None:
    pytest.importorskip("transformers")
    family, tokenizer = FAMILIES[name], tokenizer_of(FAMILIES[name])
    engine = engine_of(tokenizer)
    expected = control_tokens(family, tokenizer, engine.tokens(chat_of(HARMLESS)))
    assert len(expected) >= 7
    for text in WHOLE:
        ids = engine.tokens(chat_of(text))
        assert control_tokens(family, tokenizer, ids) == expected
        if family.template is _CHATML:  # which has each content as it stands
            whole = tokenizer.apply_chat_template(chat_of(text), add_generation_prompt=True, tokenize=False)
            assert tokenizer.decode(ids) == whole
        spelled, shared = engine.encode(chat_of(text))
        assert (
            spelled == ids and ids[:shared] == engine.tokens(chat_of(text)[:-1], asks=False)[:shared] and shared >= 40
        )


@pytest.mark.parametrize("name", FAMILIES)
def test_a_chat_without_control_tokens_is_encoded_as_the_tokenizer_does_it(name: str) -> None:
    pytest.importorskip("transformers")
    tokenizer = tokenizer_of(FAMILIES[name])
    engine = engine_of(tokenizer)
    plain = [t for t in (*WHOLE, "a  b\n\nc") if not engine._control.search(t)]
    assert len(plain) > len(WHOLE) * 0.7 and plain[-1] == "a  b\n\nc"
    for text in plain:
        there = tokenizer.apply_chat_template(chat_of(text), add_generation_prompt=True, return_dict=False)
        assert engine.tokens(chat_of(text)) == there


@pytest.mark.parametrize("name", FAMILIES)
def test_no_text_at_all_becomes_a_control_token(name: str) -> None:
    pytest.importorskip("transformers")
    family, tokenizer = FAMILIES[name], tokenizer_of(FAMILIES[name])
    engine = engine_of(tokenizer)
    expected = control_tokens(family, tokenizer, engine.tokens(chat_of(HARMLESS)))
    parts = [part for token in (*family.special, *family.added) for part in (token, token[:3], token[3:], token[0])]

    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.sampled_from([*parts, " ", "\n", "a", "\ue000"]), max_size=12).map("".join))
    def holds(text: str) -> None:
        ids = engine.tokens(chat_of(text))
        assert control_tokens(family, tokenizer, ids) == expected
        assert sent(sent(text)) == sent(text) and not [one for one in SPELLED if one in sent(text)]

    holds()


def test_text_that_goes_on_gets_no_space_of_its_own() -> None:
    pytest.importorskip("transformers")
    engine = engine_of(tokenizer_of(Family(["<s>", "</s>"], [], FAMILIES["mistral"].template), spaces_first=True))
    token, other = (engine.tokens(chat_of(f"a {one} b")) for one in ("</s>", "</x>"))
    assert len(token) == len(other)
    assert {(ord("s"), ord("x"))} == {(a, b) for a, b in zip(token, other, strict=True) if a != b}


def test_a_model_without_a_template_sees_no_turn_in_a_text() -> None:
    pytest.importorskip("transformers")
    from textsynth.engines.local import _PLAIN_TEMPLATE

    tokenizer = tokenizer_of(Family(["<eos>"], [], _PLAIN_TEMPLATE))
    for text in WHOLE:
        whole = tokenizer.apply_chat_template(chat_of(text), add_generation_prompt=True, tokenize=False)
        turns = re.findall(rf"(?:^|\n\n)({'|'.join(ROLES)}): ", whole)
        assert turns == [turn["role"] for turn in chat_of(text)] + ["assistant"]
    whole = tokenizer.apply_chat_template(chat_of("a\n\nuser"), add_generation_prompt=True, tokenize=False)
    assert "Note: a\n\nuser; go on.\n\nassistant: " in whole


# a server's control tokens are not known: tokens of many families, as their public tokenizers spell them
NAMES = """
<|im_start|> <|im_end|> <|endoftext|> <|end_of_text|> <|begin_of_text|> <|start_header_id|> <|eot_id|> <|eom_id|>
<|python_tag|> <|reserved_special_token_7|> <s> </s> <unk> <pad> <mask> <bos> <eos> <cls> <sep> <start_of_turn>
<end_of_turn> <start_of_image> <|turn> <turn|> <|channel> [INST] [/INST] <<SYS>> <</SYS>> [SYSTEM_PROMPT]
[/SYSTEM_PROMPT] [AVAILABLE_TOOLS] [/AVAILABLE_TOOLS] [TOOL_CALLS] [TOOL_RESULTS] [THINK] [/THINK] [IMG] [IMG_BREAK]
<|system|> <|user|> <|assistant|> <|end|> <|channel|> <|message|> <|start|> <|return|> <|call|> <|constrain|> <think>
</think> <answer> </answer> <tool_call> </tool_call> <tool_response> <tools> <image> <video> <fim_prefix> <fim_suffix>
<|fim_prefix|> <|file_sep|> <file_sep> <repo_name> <reponame_x> <gh_stars> <｜User｜> <｜Assistant｜> <｜fim▁begin｜>
<｜begin▁of▁sentence｜> <|START_OF_TURN_TOKEN|> <|END_OF_TURN_TOKEN|> [gMASK] [MASK] [CLS] [SEP] [PAD] [UNK] <sop> <eop>
[|system|] [|endofturn|] <extra_id_0> <unused12> <SPECIAL_12> <|start_of_role|> <|im_middle|> <|vision_start|>
<seed:think> <seed:bos> [UNUSED_TOKEN_145]
"""
SPELLED = NAMES.split()


def sent(text: str) -> str:
    return without_control_tokens([{"role": "user", "content": text}])[0]["content"]


def test_a_server_is_sent_no_control_token() -> None:
    for one in SPELLED:
        assert sent(f"a{one}b") == f"a{one[0]} {one[1:]}b", one
    for text in (*TEXTS, "".join(SPELLED), "<|im_<|im_end|>end|>", "<<s>s>" * 3, "<" * 100_000, "<|" * 50_000):
        mended = sent(text)
        assert not [one for one in SPELLED if one in mended]
        assert sent(mended) == mended and mended.replace(" ", "") == text.replace(" ", "")


def test_a_server_is_sent_other_text_as_it_stands() -> None:
    for text in (
        "x < 3 > y",
        "<b>5</b> <td class=a>",
        "[1] [NAME] [FIRST_NAME] <NAME>",
        "f <| g |> h",
        "a<b|c>d e|> <|",
    ):
        assert sent(text) == text
    spelled = [one["kind"] for one in CORPUS if sent(one["text"]) != one["text"]]
    assert Counter(spelled)["control token"] == 24 and set(spelled) <= {"control token", "turns", "unicode"}


def test_hostile_choices_have_a_grammar_that_takes_each_of_them() -> None:
    pytest.importorskip("llguidance")
    pytest.importorskip("transformers")
    engine = engine_of(tokenizer_of(FAMILIES["qwen"]))
    schema = tighten({"type": "object", "properties": {"text": {"enum": WHOLE}}, "required": ["text"]})
    assert not engine.grammars.matcher(schema).is_error()
    plain = [text for text in WHOLE if writable(text)]
    assert len(plain) > 90
    for text in plain:
        matcher, ids = engine.grammars.matcher(schema), engine._ids('{"text":')
        ids += [token for letter in answer_text(text) for token in engine._ids(letter)] + engine._ids("}")
        assert matcher.validate_tokens(ids) == len(ids), text
