"""Reading a text against a schema: find, weigh, choose."""

from __future__ import annotations

import logging
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from datetime import date, datetime

from regex import Match, Pattern

from lineal.errors import LinealError
from lineal.extractors.rules.compiled import Compiled, compiled
from lineal.extractors.rules.finding import Find, finds
from lineal.extractors.rules.money import Money, only_currency
from lineal.extractors.rules.scope import scopes
from lineal.extractors.rules.slots import Found
from lineal.extractors.rules.tokens import Tokens, tokens
from lineal.extractors.rules.values import Value, value_of, written
from lineal.extractors.rules.weighing import NOW, Claim, claims, is_verbatim
from lineal.models.asking import Ask
from lineal.models.schema import FieldSpec, Schema
from lineal.policy.schemas import taken
from lineal.ports.extractor import Extracted, Extraction

__all__ = ["RulesExtractor"]

TEXT_CHARS_MAX = 20_000
"""How much of a text is read: a profile fits, a book would hold every other call up."""

PATTERN_S = 1.0
"""How long one regular expression of a schema may search one text: thousands of times what one
needs, so that a busy machine never makes a difference to what is read."""

_log = logging.getLogger("lineal.rules")

FINDS_MAX = 400
"""Places of one text that are weighed for one field."""


class RulesExtractor:
    """Reads offline and always the same, with nothing but the schema's words and phrases."""

    model_version = "lineal-rules.v1"

    async def extract(
        self, schema: Schema, text: str, occurred_at: datetime, ask: Ask | None = None
    ) -> Extracted:
        """Every value found, in the schema's order of fields. `ask` is left alone."""
        found = _read(schema, text[:TEXT_CHARS_MAX], occurred_at.date()) if schema.fields else ()
        return Extracted(finds=tuple(found), model_version=self.model_version)


def _read(schema: Schema, text: str, now: date) -> list[Extraction]:
    made = compiled(schema)
    split = tokens(text)
    every = finds(split, made, now) + list(_matched(split, made, now))
    if not every or any(not find.field for find in every):
        return []
    by_field: dict[str, list[Find]] = {}
    for find in every:
        by_field.setdefault(find.field, []).append(find)
    flags = scopes(split)
    found: list[Extraction] = []
    for name, spec in made.fields.items():
        if name in by_field:
            others = [find for other in spec.yields_to for find in by_field.get(other, ())]
            by_field[name] = _yielded(by_field[name], others) if others else by_field[name]
            found += _of_field(split, made, name, by_field[name], flags, now)
    order = {name: n for n, name in enumerate(made.fields)}
    return sorted(found, key=lambda find: order[find.field])


def _yielded(found: list[Find], others: list[Find]) -> list[Find]:
    """Without words for themselves that are part of what another field says."""
    taken_by = [other for other in others if not other.guarded]
    return [find for find in found if not any(_covers(other, find) for other in taken_by)]


def _covers(other: Find, find: Find) -> bool:
    """Whether the other says more than a word for itself, or is the longer of two names."""
    first, last = (find.slot.first, find.slot.last) if find.slot else (find.first, find.end)
    if is_verbatim(find):
        slot = other.slot
        return is_verbatim(other) and slot is not None and slot.first < last and first < slot.last
    itself = find.guarded or (find.slot is not None and find.slot.kind == "itself")
    if not itself and other.slot is not None:
        return other.slot.kind == "known" and _is_within(first, last, other.slot)
    return other.first <= first and last <= other.end and other.end - other.first > last - first


def _is_within(first: int, last: int, name: Found) -> bool:
    longer = name.last - name.first > last - first
    return longer and name.first <= first and last <= name.last


def _of_field(
    text: Tokens, made: Compiled, name: str, found: list[Find], flags: list[int], now: date
) -> list[Extraction]:
    spec = made.fields[name]
    weighed = claims(text, made, name, found[:FINDS_MAX], flags)
    if spec.kind == "soft" and any(is_verbatim(claim.find) for claim in weighed):
        weighed = _apart(text, weighed)
    said = [
        (claim, extraction)
        for claim in weighed
        for extraction in _extraction(text, made, name, claim, now)
    ]
    chosen = _members(said) if spec.type == "list" else _chosen(spec, said)
    return [e for _, e in chosen] + _currencies(text, made, name, chosen)


def _extraction(
    text: Tokens, made: Compiled, name: str, claim: Claim, now: date
) -> Iterator[Extraction]:
    spec = made.fields[name]
    read = value_of(text, made, spec, claim.find, now)
    if read is None:
        return
    value, span = read
    denied = claim.denied
    if denied and value in spec.opposite:
        value, denied = spec.opposite[str(value)], False
    if _takes(name, spec, value):
        yield Extraction(
            field=name,
            value=value,
            span=span,
            confidence=round(claim.confidence, 2),
            denied=denied,
        )


def _takes(name: str, spec: FieldSpec, value: Value) -> bool:
    try:
        taken(name, spec, value)
    except LinealError:  # what the schema wouldn't take was not meant
        return False
    return True


Said = list[tuple[Claim, Extraction]]


def _members(said: Said) -> Said:
    """Each member once: what is said last of it holds."""
    last: dict[Value, tuple[Claim, Extraction]] = {}
    for claim, extraction in said:
        key = extraction.value
        if key in last and last[key][1].denied == extraction.denied:
            continue
        last.pop(key, None)
        last[key] = claim, extraction
    return list(last.values())


def _chosen(spec: FieldSpec, said: Said) -> Said:
    """The one value that holds, and the denied ones that aren't it."""
    positive = [pair for pair in said if not pair[1].denied]
    denied = [pair for pair in said if pair[1].denied]
    if spec.kind == "soft" and spec.type == "string" and len(positive) > 1:
        positive = [_joined(positive)]
    elif positive:
        rank = max(claim.rank for claim, _ in positive)
        best = [pair for pair in positive if pair[0].rank == rank]
        positive = [_one(spec, best if spec.choose != "highest" else positive)]
    held = {extraction.value for _, extraction in positive}
    unheld = {e.value: (claim, e) for claim, e in denied if e.value not in held}
    return positive + list(unheld.values())


def _one(spec: FieldSpec, best: Said) -> tuple[Claim, Extraction]:
    if spec.choose == "first":
        return best[-1 if best[0][0].rank == NOW else 0]
    if spec.choose == "last":
        return best[-1]
    names = list(spec.values)
    if spec.type == "enum":
        return max(best, key=lambda pair: names.index(str(pair[1].value)))
    return max(best, key=lambda pair: float(pair[1].value))


def _joined(said: Said) -> tuple[Claim, Extraction]:
    """Several sentences as one value; its place reaches from the first to the last."""
    claim, first = said[0]
    words = dict.fromkeys(str(extraction.value) for _, extraction in said)
    end = max(extraction.span[1] for _, extraction in said)
    return claim, first.model_copy(update={"value": " ".join(words), "span": (first.span[0], end)})


def _apart(text: Tokens, weighed: list[Claim]) -> list[Claim]:
    """Verbatim stretches that don't overlap: one ends where the next begins."""
    kept: list[Claim] = []
    for claim in sorted(weighed, key=lambda claim: _place(text, claim)):
        slot = claim.find.slot
        before = kept[-1].find.slot if kept else None
        if slot is not None and before is not None and slot.first < before.last:
            if _begins_anew(text, claim.find, before):
                slot = slot._replace(first=claim.find.first)
                claim.find = claim.find._replace(slot=slot)
            goes_on = slot.first <= before.first + 1 or _goes_on(text, claim.find)
            if goes_on or slot.kind == "sentence":
                continue
            shorter = before._replace(last=_bare_end(text, before.first, slot.first))
            if kept[-1].find.first >= slot.first:
                kept.pop()
            else:
                kept[-1].find = kept[-1].find._replace(slot=shorter)
        kept.append(claim)
    return kept


def _bare_end(text: Tokens, first: int, last: int) -> int:
    while last - 1 > first and text.words[last - 1] in (",", "and", "but"):
        last -= 1
    return last


def _place(text: Tokens, claim: Claim) -> tuple[int, int]:
    """Where a stretch begins; after a comma or an "and" it is with its own words."""
    slot, first = claim.find.slot, claim.find.first
    anew = first > 0 and text.words[first - 1] in (",", "and", "but")
    return (first if slot is None or anew else slot.first), first


def _goes_on(text: Tokens, find: Find) -> bool:
    """ "single quotes, no semicolons, 2 spaces" is one rule."""
    word, before = text.words[find.first], text.words[find.first - 1]
    return before == "," and (word in _GOING_ON or word[0].isdigit())


_GOING_ON = frozenset({"no", "strict"})


def _begins_anew(text: Tokens, find: Find, before: Found) -> bool:
    """After a comma or an "and", a few words into the stretch before."""
    first = find.first
    return first > before.first + 1 and text.words[first - 1] in (",", "and", "but")


def _currencies(text: Tokens, made: Compiled, name: str, chosen: Said) -> list[Extraction]:
    """The currency that the chosen amount was said in, or that the text has no other of."""
    field = made.currencies.get(name)
    found: list[Extraction] = []
    for claim, extraction in chosen:
        raw = claim.find.slot.raw if claim.find.slot else None
        if field is None or extraction.denied or not isinstance(raw, Money):
            continue
        currency = raw.currency or only_currency(text)
        if currency and _takes(field, made.fields[field], currency):
            found.append(extraction.model_copy(update={"field": field, "value": currency}))
    return found


def _within_time(pattern: Pattern[str], text: str, name: str) -> Iterator[Match[str]]:
    """A schema's own expression may take for ever over some texts; it is left off then."""
    try:
        yield from pattern.finditer(text, timeout=PATTERN_S, concurrent=False)
    except TimeoutError:
        _log.warning(
            "a pattern of field '%s' took longer than %g s and was left off", name, PATTERN_S
        )


def _matched(text: Tokens, made: Compiled, now: date) -> Iterator[Find]:
    """What the schema's regular expressions find, at the tokens where it stands."""
    for name, pattern in made.patterns:
        spec = made.fields[name]
        for match in _within_time(pattern, text.text, name):
            start, end = match.span(1)
            first = bisect_right(text.ends, start)
            last = bisect_left(text.starts, end)
            if start < 0 or last <= first:
                continue
            value = written(made, name, spec, text.text[start:end].strip(), now)
            if value is not None and str(value).strip():
                kind = "clause" if spec.kind == "soft" and spec.type == "string" else "pattern"
                slot = Found(last, first, last, None, kind)
                yield Find(name, first, last, str(value), False, True, slot)
