"""What verify goes through row by row, and what it counts: rows that don't fit each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from lineal.stores.postgres.entries import shelf_of
from lineal.stores.postgres.locks import room_key
from lineal.stores.postgres.session import Bound, sql
from lineal.stores.rows import small_rows
from lineal.stores.rows.context_rows import Marks
from lineal.stores.rows.values import Row

__all__ = ["LEAST", "MISFITS", "MOST", "WALKS", "Key", "Walk"]

Key = tuple[Bound, ...]
"""Where a walk has come to: the key of the last row."""

LEAST, MOST = -(2**63), 2**63 - 1
"""What a bigint holds."""

MISFITS = (
    (
        "SELECT count(*) FROM (SELECT * FROM lineal.shelf WHERE tenant_id = %s) AS told FULL JOIN "
        "(SELECT entry_shelf, count(*) AS lie, sum(entry_own_words) AS own, "
        "sum(entry_head_words) AS head FROM lineal.entry WHERE tenant_id = %s "
        "GROUP BY entry_shelf) AS lying ON shelf_id = entry_shelf "
        "WHERE (coalesce(entries, -1), coalesce(own_words, 0), coalesce(head_words, 0)) "
        "<> (coalesce(lie, 0), coalesce(own, 0), coalesce(head, 0))",
        "shelves don't know what lies on them",
    ),
    (
        "SELECT count(*) FROM (SELECT * FROM lineal.speaker WHERE tenant_id = %s) AS told "
        "FULL JOIN (SELECT entry_shelf, entry_speaker, count(*) AS speak FROM lineal.entry "
        "WHERE tenant_id = %s AND entry_speaker <> '' GROUP BY entry_shelf, entry_speaker) "
        "AS speaking ON speaker_shelf = entry_shelf AND speaker_name = entry_speaker "
        "WHERE speaks_in IS DISTINCT FROM speak",
        "speakers don't fit the memories",
    ),
    (
        "SELECT count(*) FROM lineal.posting WHERE tenant_id = %s AND NOT EXISTS "
        "(SELECT 1 FROM lineal.entry WHERE entry.tenant_id = posting.tenant_id "
        "AND entry_seq = posting_seq AND entry_shelf = posting_shelf)",
        "words belong to no memory",
    ),
    (
        "SELECT count(*) FROM lineal.embedding WHERE tenant_id = %s AND NOT EXISTS "
        "(SELECT 1 FROM lineal.entry WHERE entry.tenant_id = embedding.tenant_id "
        "AND entry_seq = vector_seq AND entry_shelf = vector_shelf)",
        "vectors belong to no memory",
    ),
    (
        "SELECT count(*) FROM lineal.pieces WHERE tenant_id = %s AND NOT EXISTS "
        "(SELECT 1 FROM lineal.entry WHERE entry.tenant_id = pieces.tenant_id "
        "AND entry_seq = pieces_seq)",
        "vectors of pieces belong to no memory",
    ),
    (
        "SELECT count(*) FROM lineal.unembedded WHERE tenant_id = %s AND NOT EXISTS "
        "(SELECT 1 FROM lineal.entry WHERE entry.tenant_id = unembedded.tenant_id "
        "AND entry_seq = waiting_seq)",
        "of those that wait for a vector are no memory",
    ),
    (
        "SELECT count(*) FROM lineal.edge WHERE tenant_id = %s AND NOT EXISTS "
        "(SELECT 1 FROM lineal.context WHERE context.tenant_id = edge.tenant_id "
        "AND context_id = child_id AND revision >= child_revision) AND NOT EXISTS "
        "(SELECT 1 FROM lineal.tombstone WHERE tombstone.tenant_id = edge.tenant_id "
        "AND context_id = child_id)",
        "edges belong to no memory",
    ),
    (
        "SELECT count(*) FROM lineal.receipt_context WHERE tenant_id = %s AND NOT EXISTS "
        "(SELECT 1 FROM lineal.receipt WHERE receipt.tenant_id = receipt_context.tenant_id "
        "AND receipt.idempotency_key = receipt_context.idempotency_key)",
        "memories are named by a receipt that isn't there",
    ),
    (
        "SELECT count(*) FROM lineal.receipt_user WHERE tenant_id = %s AND NOT EXISTS "
        "(SELECT 1 FROM lineal.receipt WHERE receipt.tenant_id = receipt_user.tenant_id "
        "AND receipt.idempotency_key = receipt_user.idempotency_key)",
        "user rows are named by a receipt that isn't there",
    ),
)
"""How many rows don't fit, and what that means; each binds the tenant only."""


class Walk(NamedTuple):
    """A table that is gone through in the order of its key. statement: what is checked, then the
    key; check: what doesn't fit, None where all does. counted: they are rows of their own."""

    statement: str
    first: Key
    check: Callable[[Row], object]
    counted: bool = True


def _walk(
    columns: str, table: str, key: str, first: Key, check: Callable[[Row], object], *more: bool
) -> Walk:
    after = ", ".join("%s" for _ in first)
    place = sql("FROM", table, "WHERE tenant_id = %s AND (", key, ") > (", after, ")")
    statement = sql("SELECT", columns, ",", key, place, "ORDER BY", key, "LIMIT %s")
    return Walk(statement, first, check, *more)


def _shelf(values: Row) -> str | None:
    shelf_id, *place = values
    return None if shelf_of(*place) == shelf_id else "shelves have another's number"


def _near_key(values: Row) -> str | None:
    tenant, room, key, held, user_id, domain, near_keys = values
    if user_id is None:
        return "entries of the index of alike texts belong to no memory"
    fits = not held and room == room_key(tenant, (user_id, domain))
    there = fits and key in Marks(None, near_keys).keys
    return None if there else "entries of the index of alike texts don't fit their memories"


def _sighting(values: Row) -> str | None:
    if values[1] is None:
        return "sightings belong to no memory"
    small_rows.sighting_of(values)
    return None


WALKS = (
    _walk(
        "edge.*",
        "lineal.edge",
        "child_id, child_revision, parent_id, relation, basis",
        ("", LEAST, "", "", ""),
        small_rows.edge_of,
    ),
    _walk("head.*", "lineal.head", "user_id, domain, name", ("", "", ""), small_rows.head_of),
    _walk("receipt.*", "lineal.receipt", "idempotency_key", ("",), small_rows.receipt_of),
    _walk("tombstone.*", "lineal.tombstone", "context_id", ("",), small_rows.tombstone_of),
    _walk("outcome.*", "lineal.outcome", "outcome_seq", (LEAST,), small_rows.outcome_of),
    _walk(
        "task.*",
        "lineal.task",
        "user_id, domain, kind, context_id",
        ("", "", "", ""),
        small_rows.task_of,
    ),
    _walk(
        "tenant_id, (SELECT context_id FROM lineal.context "
        "WHERE context.tenant_id = sighting.tenant_id AND seq = sighted_seq), "
        "sighting_number, sighting_body, sighting_digest",
        "lineal.sighting",
        "sighted_seq, sighting_number",
        (LEAST, LEAST),
        _sighting,
    ),
    _walk(
        "shelf_id, tenant_id, user_id, domain, project",
        "lineal.shelf",
        "shelf_id",
        (LEAST,),
        _shelf,
        False,
    ),
    _walk(
        "tenant_id, room, near_key, held_until IS NOT NULL, user_id, domain, near_keys",
        "lineal.context_key LEFT JOIN LATERAL (SELECT user_id, domain, held_until, near_keys "
        "FROM lineal.context WHERE context.tenant_id = context_key.tenant_id AND seq = key_seq) "
        "AS kept ON true",
        "room, near_key, key_seq",
        (LEAST, LEAST, LEAST),
        _near_key,
        False,
    ),
)
