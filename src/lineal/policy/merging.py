"""How new values meet the ones a user row has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lineal.models.schema import Schema
from lineal.models.user import FieldValue, ValueSource

__all__ = ["appended", "changed", "soft_text", "upserted", "without"]

Fields = Mapping[str, FieldValue]

MEMBERS_MAX = 32
"""Members a list field keeps through unions; the oldest are let go, their contexts stay."""

SOFT_CHARS_MAX = 2_000
"""Characters that a head is made of: the latest say most about a person of today."""


def upserted(
    schema: Schema, old: Fields, incoming: Fields, *, replace_all: bool
) -> dict[str, FieldValue]:
    """The fields after an upsert (U7): what an earlier upsert set is gone unless it is set again;
    what appends brought stays unless the new payload sets it, or replace_all drops it too."""
    kept = {} if replace_all else {k: v for k, v in old.items() if v.origin == "append"}
    return _in_order(schema, {**kept, **incoming})


def appended(schema: Schema, old: Fields, incoming: Fields) -> dict[str, FieldValue]:
    """The fields after an append; nothing else in the row changes (A4)."""
    fields = dict(old)
    for name, new in incoming.items():
        present = fields.get(name)
        fields[name] = new if present is None else _met(schema, name, present, new)
    return _in_order(schema, fields)


def _in_order(schema: Schema, fields: Fields) -> dict[str, FieldValue]:
    """In the schema's order, so that the same values give the same row (U1)."""
    known = [name for name in schema.fields if name in fields]
    return {name: fields[name] for name in (*known, *sorted(fields.keys() - schema.fields.keys()))}


def _met(schema: Schema, name: str, old: FieldValue, new: FieldValue) -> FieldValue:
    """What stands after both: a stated value stays (A12), an older event never beats a newer one
    (A10; at the same instant the later received wins), lists and maxima by the merge rule."""
    rule = schema.fields[name].merge if name in schema.fields else "newest"
    if rule == "union":
        members = list(dict.fromkeys([*_members(old.value), *_members(new.value)]))[-MEMBERS_MAX:]
        if members == old.value and set(_members(new.value)) <= old.said_by.keys():
            return old
        return new.model_copy(update={"value": members, "said_by": _said_by(members, old, new)})
    if old.source is ValueSource.STATED and new.source is not ValueSource.STATED:
        return old
    if rule == "first":
        return old if old.occurred_at <= new.occurred_at else new
    if rule == "max":
        return new if new.value > old.value else old
    return old if new.occurred_at < old.occurred_at else new


def _said_by(members: list[Any], *fields: FieldValue) -> dict[str, tuple[str, ...]]:
    """Who named each member, over these fields; "" for a client's own statement."""
    return {
        str(member): tuple(
            dict.fromkeys(
                who
                for field in fields
                if member in _members(field.value)
                for who in field.said_by.get(str(member), (field.context_id or "",))
            )
        )
        for member in members
    }


def without(field: FieldValue, gone: frozenset[str]) -> FieldValue | None:
    """The field without what only these contexts said; None when nothing of it is left."""
    if not field.said_by:
        return None if field.context_id in gone else field
    said_by = {
        member: tuple(who for who in names if who not in gone)
        for member, names in field.said_by.items()
    }
    members = [member for member in _members(field.value) if said_by.get(str(member))]
    if said_by == field.said_by:
        return field
    if not members:
        return None
    read_here = field.context_id not in gone
    return field.model_copy(
        update={
            "value": members,
            "said_by": {str(member): said_by[str(member)] for member in members},
            "context_id": field.context_id if read_here else None,
            "span": field.span if read_here else None,
        }
    )


def _members(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


def changed(old: Fields, new: Fields) -> tuple[str, ...]:
    """Names whose stored value differs, in alphabetical order (A5)."""
    names = sorted({*old, *new})
    return tuple(
        n for n in names if (n in old) != (n in new) or (n in old and old[n].value != new[n].value)
    )


def soft_text(schema: Schema, fields: Fields) -> str:
    """The text that a domain's head is made of: its soft fields, in the schema's order.

    Extras and hard fields are never embedded (U6). "" when there is nothing soft to say."""
    soft = [name for name, spec in schema.fields.items() if spec.kind == "soft" and name in fields]
    text = "\n".join(", ".join(map(str, _members(fields[name].value))) for name in soft)
    return text[-SOFT_CHARS_MAX:]
