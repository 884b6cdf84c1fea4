"""From a language model's words to values that the text bears out; all else is dropped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

from pydantic import ConfigDict, Field, ValidationError
from pydantic_core import from_json

from lineal.errors import LinealError
from lineal.extractors.llm.grounding import grounded
from lineal.extractors.llm.prompt import TEXT_CHARS_MAX, readable
from lineal.extractors.llm.quotes import Passages
from lineal.models.base import Model
from lineal.models.schema import FieldSpec, Schema
from lineal.policy.schemas import taken
from lineal.ports.extractor import Extraction

__all__ = ["Read", "read"]

ENTRIES_MAX = 100
"""Values looked at in one answer; it has room for about eighty."""

QUOTE_CHARS_MAX = 1_000
"""A longer quote shows nothing: every word stands somewhere in a whole text."""

UNSAID_CONFIDENCE = 0.5
"""Of a value whose confidence the model didn't say."""

_BEGIN = re.compile(r'\{\s*"values"')

Scalar = str | bool | int | float


class Read(Model):
    """What an answer held. dropped: why each other value was not kept, without its content."""

    finds: tuple[Extraction, ...] = ()
    dropped: tuple[str, ...] = ()


class _Entry(Model):
    """One value as the model gives it."""

    model_config = ConfigDict(extra="ignore", strict=True)

    field: str
    value: Scalar | list[Scalar]
    quote: Annotated[str, Field(max_length=QUOTE_CHARS_MAX)]
    confidence: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = UNSAID_CONFIDENCE
    denied: bool = False


def read(schema: Schema, text: str, answer: str, occurred_at: datetime) -> Read:
    """What the answer says of the text, as far as the schema takes it and the text bears it out.

    In the schema's order of fields; of one field the surest first, a list's members as the text
    has them. Raises unavailable when the answer is not of the asked shape at all.
    """
    passages = Passages(text[:TEXT_CHARS_MAX])
    entries = _entries(answer)
    judged = [
        part
        for raw in entries[:ENTRIES_MAX]
        for part in _judged(schema, passages, raw, occurred_at)
    ]
    finds = {
        (find.field, type(find.value), find.value, find.denied): find
        for find in sorted(
            (part for part in judged if isinstance(part, Extraction)),
            key=lambda find: find.confidence,
        )
    }
    dropped = [part for part in judged if isinstance(part, str)]
    dropped += ["too many"] * len(entries[ENTRIES_MAX:])
    return Read(finds=_ordered(schema, [*finds.values()]), dropped=tuple(dropped))


def _ordered(schema: Schema, finds: list[Extraction]) -> tuple[Extraction, ...]:
    order = {name: number for number, name in enumerate(schema.fields)}

    def rank(find: Extraction) -> tuple[int, float, tuple[int, int]]:
        is_list = schema.fields[find.field].type == "list"
        return order[find.field], 0.0 if is_list else -find.confidence, find.span

    return tuple(sorted(finds, key=rank))


def _entries(answer: str) -> list[Any]:
    """The list under "values", out of whatever stands around it."""
    for candidate in _candidates(answer):
        try:
            found = from_json(candidate)
        except ValueError:
            continue
        if isinstance(found, dict) and isinstance(found.get("values"), list):
            entries: list[Any] = found["values"]
            return entries
    raise LinealError.unavailable(
        "The language model's answer is not the JSON that was asked for. If it stays so, set "
        "LINEAL_LLM_MODEL to a model that can answer in JSON."
    )


def _candidates(answer: str) -> Iterator[str]:
    """The answer; what stands between its outer braces; what begins like our object, last of all:
    some models think aloud first."""
    yield answer
    end = answer.rfind("}") + 1
    yield answer[answer.find("{") : end]
    for begin in [match.start() for match in _BEGIN.finditer(answer)][-1:]:
        yield answer[begin:end]


def _judged(
    schema: Schema, passages: Passages, raw: object, occurred_at: datetime
) -> Iterator[Extraction | str]:
    """Each value of an entry as a find, or why it is none."""
    try:
        entry = _Entry.model_validate(raw)
    except ValidationError:
        yield "shape"
        return
    spec = readable(schema).get(entry.field)
    span = passages.place_of(entry.quote)
    if spec is None:
        yield "field"
    elif span is None:
        yield "quote"
    else:
        for value in entry.value if isinstance(entry.value, list) else [entry.value]:
            yield _found(spec, entry, value, passages.text, span, occurred_at)


def _found(
    spec: FieldSpec,
    entry: _Entry,
    value: Scalar,
    text: str,
    span: tuple[int, int],
    occurred_at: datetime,
) -> Extraction | str:
    try:
        taken(entry.field, spec, value)
    except LinealError:
        return "value"
    if not grounded(spec, value, text[slice(*span)], occurred_at):
        return "ungrounded"
    return Extraction(
        field=entry.field,
        value=value,
        span=span,
        confidence=entry.confidence,
        denied=entry.denied,
    )
