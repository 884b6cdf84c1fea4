"""How claims about a user become the values of a row.

A field keeps what was said of it, and its value is a function of that, never of what came last:
so an older event can't beat a newer one whatever the order of arrival, forgetting a text is taking
its claims away, and what contradicts stays visible.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Literal

from lineal.models.claim import Claim, FieldValue
from lineal.models.schema import FieldSpec, Schema
from lineal.policy.standing import standing

__all__ = [
    "Said",
    "appended",
    "changed",
    "cites",
    "current",
    "origin_of",
    "relived",
    "soft_text",
    "unmoved",
    "upserted",
    "without",
]

Fields = Mapping[str, FieldValue]

Said = Mapping[str, tuple[Claim, ...]]
"""By field, what one write says; of a list that collects its members, one claim for each."""

SOFT_CHARS_MAX = 2_000
"""Characters that a head is made of: the latest say most about a person of today."""

_PLAIN = FieldSpec(kind="hard", type="string")
_COLLECTS = FieldSpec(kind="hard", type="list", merge="union")


def upserted(
    schema: Schema, old: Fields, said: Said, *, replace_all: bool
) -> dict[str, FieldValue]:
    """The fields after an upsert (U7): what an earlier upsert set is gone unless it is set again;
    what appends brought stays unless the new payload sets it, or replace_all drops it too."""
    kept = (
        {} if replace_all else {name: _from_appends(old[name], said.get(name, ())) for name in old}
    )
    return _remade(schema, old, kept, said, rest=False)


def appended(schema: Schema, old: Fields, said: Said, context_id: str) -> dict[str, FieldValue]:
    """The fields after an append, or after a context's text has changed: what that context said
    before is gone, nothing else changes (A4, N22)."""
    reread = frozenset((context_id,))
    touched = {name for name, field in old.items() if name in said or _cites(field, reread)}
    kept = {name: tuple(_but(old[name], reread)) for name in touched}
    return _remade(schema, old, kept, said)


def without(schema: Schema, old: Fields, gone: frozenset[str]) -> dict[str, FieldValue]:
    """The fields without what these contexts said."""
    kept = {name: tuple(_but(field, gone)) for name, field in old.items() if _cites(field, gone)}
    return _remade(schema, old, kept)


def relived(
    schema: Schema, old: Fields, context_id: str, ends_at: datetime | None
) -> dict[str, FieldValue]:
    """The fields when that context ends at another time than it would have."""
    named = frozenset((context_id,))
    moved = {
        name: tuple(_ending(claim, context_id, ends_at) for claim in field.claims)
        for name, field in old.items()
        if _cites(field, named)
    }
    return _remade(schema, old, moved)


def current(schema: Schema, old: Fields, now: datetime) -> Fields:
    """The fields at `now`: without what was read from contexts that have ended since (T1)."""
    ended = [n for n, field in old.items() if field.ends_at is not None and field.ends_at <= now]
    if not ended:
        return old
    kept = {
        name: tuple(c for c in old[name].claims if c.expires_at is None or now < c.expires_at)
        for name in ended
    }
    return _remade(schema, old, kept)


def unmoved(old: Fields, new: Fields) -> bool:
    """Whether the same was said as before, only later."""
    return old.keys() == new.keys() and all(
        list(map(_timeless, old[name].claims)) == list(map(_timeless, new[name].claims))
        for name in old
    )


def cites(fields: Fields, context_id: str) -> bool:
    """Whether anything of the fields was said by that context."""
    named = frozenset((context_id,))
    return any(_cites(field, named) for field in fields.values())


def origin_of(fields: Fields, context_id: str) -> Literal["upsert", "append"]:
    """The verb that brought what a context says; append where it says nothing yet."""
    named = frozenset((context_id,))
    citing = (claim for field in fields.values() if _cites(field, named) for claim in field.claims)
    return next((claim.origin for claim in citing if claim.context_id == context_id), "append")


def changed(old: Fields, new: Fields) -> tuple[str, ...]:
    """Names whose value differs, in alphabetical order (A5)."""
    return tuple(n for n in sorted({*old, *new}) if _value(old, n) != _value(new, n))


def soft_text(schema: Schema, fields: Fields) -> str:
    """The text that a domain's head is made of: its soft fields, in the schema's order.

    Extras and hard fields are never embedded (U6). "" when there is nothing soft to say."""
    soft = [name for name, spec in schema.fields.items() if spec.kind == "soft"]
    values = [_members(_value(fields, name)) for name in soft]
    return "\n".join(", ".join(map(str, v)) for v in values if v)[-SOFT_CHARS_MAX:]


def _remade(
    schema: Schema,
    old: Fields,
    kept: Mapping[str, tuple[Claim, ...]],
    said: Said | None = None,
    *,
    rest: bool = True,
) -> dict[str, FieldValue]:
    """Those of `kept` and `said` made anew, and with `rest` the other old ones as they are; a
    field without any claim is gone."""
    said = said or {}
    names = dict.fromkeys((*kept, *said))
    new = {
        name: standing(_spec(schema, old, name), (*kept.get(name, ()), *said.get(name, ())))
        for name in names
    }
    others = {n: field for n, field in old.items() if rest and n not in names}
    return _in_order(schema, {**others, **{n: field for n, field in new.items() if field.claims}})


def _spec(schema: Schema, old: Fields, name: str) -> FieldSpec:
    """The field's; one that the schema has no more goes on as it was."""
    if name in schema.fields:
        return schema.fields[name]
    whole = any(isinstance(claim.value, list) and claim.value for claim in old[name].claims)
    collects = isinstance(_value(old, name), list | tuple) and not whole
    return _COLLECTS if collects else _PLAIN


def _from_appends(field: FieldValue, said: tuple[Claim, ...]) -> tuple[Claim, ...]:
    """What stays of a field: nothing if the payload sets it, else what appends brought."""
    if any(not claim.denied for claim in said):
        return ()
    return tuple(claim for claim in field.claims if claim.origin == "append")


def _in_order(schema: Schema, fields: Fields) -> dict[str, FieldValue]:
    """In the schema's order, so that the same values give the same row (U1)."""
    known = [name for name in schema.fields if name in fields]
    return {name: fields[name] for name in (*known, *sorted(fields.keys() - schema.fields.keys()))}


def _timeless(claim: Claim) -> tuple[object, ...]:
    return (*claim[:3], *claim[5:])


def _value(fields: Fields, name: str) -> Any:
    return fields[name].value if name in fields else None


def _members(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _cites(field: FieldValue, contexts: frozenset[str]) -> bool:
    return field.claims.cite(contexts)


def _but(field: FieldValue, contexts: frozenset[str]) -> Iterator[Claim]:
    return (claim for claim in field.claims if claim.context_id not in contexts)


def _ending(claim: Claim, context_id: str, ends_at: datetime | None) -> Claim:
    if claim.context_id != context_id:
        return claim
    return claim._replace(expires_at=ends_at)
