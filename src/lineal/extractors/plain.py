"""The plain extractor: a schema's own patterns and vocabularies, nothing more."""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache

from lineal.errors import LinealError
from lineal.models.schema import FieldSpec, Schema
from lineal.policy.schemas import taken
from lineal.ports.extractor import Extraction

__all__ = ["PlainExtractor"]

PATTERN_CONFIDENCE = 0.8
WORD_CONFIDENCE = 0.7

NEGATION_CHARS = 40
"""How far before a word a negation makes it unusable: without grammar it is left out."""

TEXT_CHARS_MAX = 20_000
"""How much of a text is read; a profile fits, a book would hold every other call up."""

_NEGATION = re.compile(r"\b(not|no|never|nothing|without|isn't|aren't|don't|doesn't|didn't)\b")


class PlainExtractor:
    """Finds enum values by their words and other values by the field's patterns.

    It reads no grammar: a word with a negation shortly before it is passed over rather than
    misread. The first find of a field wins; a list takes them all.
    """

    model_version = "lineal-plain.v1"

    async def extract(
        self, schema: Schema, text: str, occurred_at: datetime | None
    ) -> tuple[Extraction, ...]:
        """Every value found, in the schema's order of fields."""
        text = text[:TEXT_CHARS_MAX]
        found: list[Extraction] = []
        for name, spec in schema.fields.items():
            if spec.kind != "derived":
                found += _field(name, spec, text)
        return tuple(found)


def _field(name: str, spec: FieldSpec, text: str) -> list[Extraction]:
    finds = [
        Extraction(field=name, value=value, span=match.span(), confidence=WORD_CONFIDENCE)
        for value, pattern in _vocabulary(tuple(spec.values.items()))
        for match in pattern.finditer(text)
        if not _negated(text, match.start())
    ]
    for pattern in _patterns(spec.patterns):
        for match in pattern.finditer(text):
            # What is soft is the person's own words, negations and all.
            if spec.kind == "soft" or not _negated(text, match.start()):
                finds += _pattern_find(name, spec, match)
    finds.sort(key=lambda find: find.span)
    return finds if spec.type == "list" else finds[:1]


def _pattern_find(name: str, spec: FieldSpec, match: re.Match[str]) -> list[Extraction]:
    group = 1 if match.re.groups else 0
    kind = spec.items if spec.type == "list" else spec.type
    value = _typed(kind, match.group(group).strip())
    try:
        taken(name, spec, value)
    except LinealError:  # what the schema wouldn't take was not meant
        return []
    return [
        Extraction(field=name, value=value, span=match.span(group), confidence=PATTERN_CONFIDENCE)
    ]


def _typed(kind: str, text: str) -> str | int | float:
    """A number where the schema wants one and the text is one; else the text."""
    digits = text.replace(",", "")
    try:
        if kind == "integer":
            return int(digits)
        return float(digits) if kind == "number" else text
    except ValueError:
        return text


def _negated(text: str, start: int) -> bool:
    before = text[max(0, start - NEGATION_CHARS) : start].casefold().replace("’", "'")
    clause = re.split(r"[.;!?,]", before)[-1]
    return _NEGATION.search(clause) is not None


@lru_cache(maxsize=512)
def _vocabulary(
    values: tuple[tuple[str, tuple[str, ...]], ...],
) -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple(
        (value, re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, words)) + r")(?!\w)", re.I))
        for value, words in values
        if words
    )


@lru_cache(maxsize=512)
def _patterns(patterns: tuple[str, ...]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(pattern, re.I) for pattern in patterns)
