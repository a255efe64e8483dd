"""The job file's filters as pydantic models, and the base of all its parts."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Spec(BaseModel):
    """Base of all parts of a job: immutable, no unknown keys, no silent conversions."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class SchemaSpec(Spec):
    type: Literal["schema"]


class RulesSpec(Spec):
    type: Literal["rules"]
    rules: dict[str, Any] = Field(description="a JSON Schema over all fields and working fields")


class LeakageSpec(Spec):
    type: Literal["leakage"]
    alpha: float = Field(0.05, gt=0, lt=1, description="share of genuinely new records refused, such as 0.05")
    max_span: int | None = Field(
        None, ge=1, description="refuse a run of this many tokens or more that is shared with a seed"
    )
    encoder: str = Field("minilm-l6", description="the sentence-transformers model that sees paraphrases")


class DedupSpec(Spec):
    type: Literal["dedup"]
    near: float | None = Field(0.8, gt=0, le=1, description="Jaccard similarity that makes a near duplicate")
    shingle: int = Field(3, ge=1, le=10, description="tokens compared as one; 1 (sets of words) suits short records")
    on: list[str] | None = Field(None, min_length=1, description="the fields compared (default: all)")


class DiversitySpec(Spec):
    type: Literal["diversity"]
    max_similarity: float = Field(
        0.95, gt=0, le=1, description="cosine to an accepted record, above which one is refused"
    )
    on: list[str] | None = Field(None, min_length=1, description="the fields compared (default: all written text)")
    cap: float | None = Field(None, gt=0, le=1, description="most of the target that may be of one kind, such as 0.1")
    per: list[str] | None = Field(None, min_length=1, description="fields whose values make a kind (default: clusters)")
    encoder: str = Field("minilm-l6", description="a sentence-transformers model")


class DecontaminateSpec(Spec):
    type: Literal["decontaminate"]
    files: list[str] = Field(min_length=1, description="benchmarks: jsonl, csv or parquet; all texts of a row count")
    max_overlap: float = Field(0.7, gt=0, le=1, description="share of an item's runs of eight words that refuses")
    max_similarity: float | None = Field(0.9, gt=0, le=1, description="cosine to an item that refuses; null: none does")
    on: list[str] | None = Field(None, min_length=1, description="the fields compared (default: all written text)")
    encoder: str = Field("minilm-l6", description="a sentence-transformers model")


class QuotedSpec(Spec):
    type: Literal["quoted"]
    quote: str | Annotated[list[str], Field(min_length=1)] = Field(description="the field that quotes, or several")
    source: str = Field(description="the field that it must stand in, word for word")


class LabelSpec(Spec):
    type: Literal["label"]
    label: str = Field(description="the field with the label that a text must bear, as its seeds do")
    on: list[str] | None = Field(None, min_length=1, description="the fields compared (default: all written text)")
    encoder: str = Field("minilm-l6", description="a sentence-transformers model")


class IdentifiersSpec(Spec):
    type: Literal["identifiers"]
    on: list[str] | None = Field(None, min_length=1, description="the fields looked at (default: all written text)")
    columns: list[str] = Field([], description="columns of the data whose values are identifiers; kept in memory only")
    refuse_any: bool = Field(False, description="also refuse what only looks like an identifier")


class ConsistencySpec(Spec):
    type: Literal["consistency"]
    text: str = Field(description="the field that states the facts")
    facts: dict[
        str, Literal["age", "sex", "date", "side", "problem", "medication", "allergy", "vital", "lab", "phrase"]
    ] = Field({}, description="field: kind of its facts, beside fields that are known by name, such as age or problems")
    required: list[str] | None = Field(None, description="fields whose facts must all be stated (default: all of them)")
    closed: list[Literal["date", "problem", "symptom", "medication", "allergy", "vital", "lab"]] | None = Field(
        None, description="kinds of which the text may state nothing but the facts (default: those that have a field)"
    )
    repair: bool = Field(True, description="a step that may retry is shown what is wrong, and writes the text again")


class QualitySpec(Spec):
    type: Literal["quality"]
    on: list[str] | None = Field(None, min_length=1, description="the fields looked at (default: all written text)")
    words: list[int] | None = Field(None, min_length=2, max_length=2, description="fewest and most words")
    language: str | None = Field(None, pattern="^[a-z]{2,3}$", description="the language it must be in, such as en")
    boilerplate: bool = Field(True, description="refuse what an assistant says of itself, refusals and placeholders")
    max_repeats: float | None = Field(0.5, ge=0, le=1, description="most runs of four words that may come again")
    arithmetic: bool = Field(False, description="refuse equations that do not hold")
    python: Literal["compile", "run"] | None = Field(
        None, description="refuse Python that does not compile; run: or fails in a process with limits"
    )


FilterSpec = Annotated[
    SchemaSpec
    | RulesSpec
    | LeakageSpec
    | DedupSpec
    | DiversitySpec
    | DecontaminateSpec
    | QuotedSpec
    | QualitySpec
    | LabelSpec
    | ConsistencySpec
    | IdentifiersSpec,
    Field(discriminator="type"),
]
