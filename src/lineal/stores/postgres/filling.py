"""Putting in many rows that aren't there: a statement for each table, however many they are.

The whole tenant must be locked: nobody else's rows can come between."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from lineal.models.context import Context
from lineal.stores.postgres.alike import key_entries
from lineal.stores.postgres.entries import Placed, placed
from lineal.stores.postgres.session import Bound, Session, sql
from lineal.stores.postgres.statements import CONTEXT
from lineal.stores.rows.context_rows import ContextRow

__all__ = ["columns", "put_contexts", "put_entries", "put_keys", "put_revisions"]

_CONTEXTS = sql(
    "INSERT INTO lineal.context (",
    CONTEXT.replace("seq, tenant_id,", "tenant_id, seq,", 1),
    ") SELECT %s, made.* FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], "
    "%s::integer[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], "
    "%s::text[], %s::text[], %s::bytea[], %s::text[], %s::bigint[], %s::bigint[], %s::text[], "
    "%s::bytea[]) AS made",
)
_REVISIONS = (
    "INSERT INTO lineal.context_revision "
    "(tenant_id, context_seq, number, recorded_at, body, body_digest) SELECT %s, made.* "
    "FROM unnest(%s::bigint[], %s::integer[], %s::bigint[], %s::text[], %s::bytea[]) AS made"
)
_SHELVES = (
    "INSERT INTO lineal.shelf (tenant_id, shelf_id, user_id, domain, project, entries, own_words, "
    "head_words) SELECT %s, made.* FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], "
    "%s::bigint[], %s::bigint[], %s::bigint[]) AS made "
    "ON CONFLICT (tenant_id, shelf_id) DO UPDATE SET entries = shelf.entries + excluded.entries, "
    "own_words = shelf.own_words + excluded.own_words, "
    "head_words = shelf.head_words + excluded.head_words"
)
_SPEAKERS = (
    "INSERT INTO lineal.speaker (tenant_id, speaker_shelf, speaker_name, speaks_in) "
    "SELECT %s, made.* FROM unnest(%s::bigint[], %s::text[], %s::bigint[]) AS made "
    "ON CONFLICT (tenant_id, speaker_shelf, speaker_name) "
    "DO UPDATE SET speaks_in = speaker.speaks_in + excluded.speaks_in"
)
_ENTRIES = (
    "INSERT INTO lineal.entry (tenant_id, entry_seq, entry_shelf, session, happened_at, "
    "entry_speaker, traits, entry_own_words, entry_head_words, entry_words) SELECT %s, made.* "
    "FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[], "
    "%s::integer[], %s::integer[], %s::integer[], %s::bytea[]) AS made"
)
_POSTINGS = (
    "INSERT INTO lineal.posting (tenant_id, posting_seq, posting_shelf, tokens) "
    "SELECT %s, new_seq, new_shelf, new_tokens::integer[] "
    "FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS made (new_seq, new_shelf, new_tokens)"
)
_KEYS = (
    "INSERT INTO lineal.context_key (tenant_id, room, near_key, key_seq) SELECT %s, made.* "
    "FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS made"
)


def columns(rows: Iterable[Sequence[Bound]]) -> list[str]:
    """Rows as what unnest takes, a column after the other; [] without any.

    As text: the driver takes several times as long over a list as all else does over its row."""
    return ["{" + ",".join(map(_element, column)) + "}" for column in zip(*rows, strict=True)]


async def put_contexts(session: Session, rows: Iterable[ContextRow]) -> None:
    """rows: of the session's tenant. Neither their revisions nor what leads to them."""
    values = columns((row.seq, *row[2:]) for row in rows)
    await session.run(_CONTEXTS, session.tenant, *values)


async def put_revisions(session: Session, values: Iterable[Sequence[Bound]]) -> None:
    """values: rows of context_revision, without their tenant."""
    await session.run(_REVISIONS, session.tenant, *columns(values))


async def put_entries(session: Session, fresh: Iterable[tuple[ContextRow, Context]]) -> None:
    """fresh: of each that isn't in the index of words, its row and present."""
    new = [placed(session, row.seq, context) for row, context in fresh]
    if new:
        tenant = session.tenant
        await session.run(_SHELVES, tenant, *columns(_shelves(new)))
        await session.run(_ENTRIES, tenant, *columns(place.entry[1:] for place in new))
        await session.run(_POSTINGS, tenant, *columns(place.posting[1:] for place in new))
        spoken = Counter((place.shelf, place.speaker) for place in new if place.speaker)
        if spoken:
            told = columns((*who, number) for who, number in sorted(spoken.items()))
            await session.run(_SPEAKERS, tenant, *told)


async def put_keys(session: Session, rows: Iterable[ContextRow]) -> None:
    """What finds texts like theirs; nothing of those that are withheld."""
    keys = columns(sorted(key for row in rows for key in key_entries(row)))
    if keys:
        await session.run(_KEYS, session.tenant, *keys)


def _element(value: Bound) -> str:
    """How a value stands in the text of an array."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f'"\\\\x{value.hex()}"'
    if isinstance(value, str):
        quoted = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}"'
    return str(value)


def _shelves(places: Iterable[Placed]) -> Iterator[tuple[Bound, ...]]:
    """Rows of shelf, without their tenant: one of each, with all that comes to lie there."""
    lie: dict[tuple[Bound, ...], list[tuple[Any, ...]]] = defaultdict(list)
    for place in places:
        *shelf, own_words, head_words = place.on_shelf
        lie[tuple(shelf[1:])].append((1, own_words, head_words))
    for which, words in lie.items():
        yield (*which, *map(sum, zip(*words, strict=True)))
