"""Putting in many rows that aren't there: a statement for each table, however many they are.

The whole tenant must be locked: nobody else's rows can come between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from lineal.clock import to_ms
from lineal.models.context import Context
from lineal.policy.indexing import Indexed, indexed
from lineal.stores.postgres.alike import key_entries
from lineal.stores.postgres.entries import analyzer_of, shelf_of, tokens
from lineal.stores.postgres.session import Session, sql
from lineal.stores.postgres.statements import CONTEXT
from lineal.stores.rows.context_rows import ContextRow
from lineal.stores.rows.values import Value
from lineal.stores.rows.words import packed_words

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
    "WITH made AS (SELECT * FROM unnest(%s::bigint[], %s::bigint[], "
    "%s::bigint[], %s::bigint[], %s::text[], %s::integer[], %s::integer[], %s::integer[], "
    "%s::bytea[], %s::text[]) AS told (new_seq, new_shelf, new_session, new_at, new_speaker, "
    "new_traits, new_own, new_head, new_words, new_tokens)), "
    "posted AS (INSERT INTO lineal.posting (tenant_id, posting_seq, posting_shelf, tokens) "
    "SELECT %s, new_seq, new_shelf, new_tokens::integer[] FROM made) "
    "INSERT INTO lineal.entry (tenant_id, entry_seq, entry_shelf, session, happened_at, "
    "entry_speaker, traits, entry_own_words, entry_head_words, entry_words) "
    "SELECT %s, new_seq, new_shelf, new_session, new_at, new_speaker, new_traits, new_own, "
    "new_head, new_words FROM made"
)
_KEYS = (
    "INSERT INTO lineal.context_key (tenant_id, room, near_key, key_seq) SELECT %s, made.* "
    "FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS made"
)


class _Entry(NamedTuple):
    """What the index holds of a context. place: of its shelf, for shelf_of without the tenant."""

    seq: int
    shelf: int
    place: tuple[str, str, str]
    happened_at: int
    kept: Indexed

    def values(self) -> tuple[Value, ...]:
        kept, words = self.kept, packed_words(self.kept)
        held = "{" + ",".join(map(str, tokens(self.shelf, words))) + "}"
        at = (self.seq, self.shelf, kept.session, self.happened_at, kept.speaker)
        return (*at, int(kept.traits), kept.own_words, kept.head_words, words, held)


def columns(rows: Iterable[Sequence[Value]]) -> list[str]:
    """Rows as what unnest takes, a column after the other; [] without any.

    As text: the driver takes several times as long over a list as all else does over its row."""
    return ["{" + ",".join(map(_element, column)) + "}" for column in zip(*rows, strict=True)]


async def put_contexts(session: Session, rows: Iterable[ContextRow]) -> None:
    """rows: of the session's tenant. Neither their revisions nor what leads to them."""
    values = columns((row.seq, *row[2:]) for row in rows)
    await session.run(_CONTEXTS, session.tenant, *values)


async def put_revisions(session: Session, values: Iterable[Sequence[Value]]) -> None:
    """values: rows of context_revision, without their tenant."""
    await session.run(_REVISIONS, session.tenant, *columns(values))


async def put_entries(
    session: Session, shown: Iterable[tuple[int, Context]]
) -> list[tuple[int, int]]:
    """shown: (number, present) of each that isn't in the index of words. (number, shelf) of each,
    whose vectors are to be seen to."""
    entries = [_entry(session, seq, context) for seq, context in shown]
    if entries:
        await _put_shelves(session, entries)
        values = columns(e.values() for e in entries)
        await session.run(_ENTRIES, *values, session.tenant, session.tenant)
        spoken = Counter((e.shelf, e.kept.speaker) for e in entries if e.kept.speaker)
        if spoken:
            told = columns((*who, number) for who, number in sorted(spoken.items()))
            await session.run(_SPEAKERS, session.tenant, *told)
    return [(entry.seq, entry.shelf) for entry in entries]


async def put_keys(session: Session, rows: Iterable[ContextRow]) -> None:
    """What finds texts like theirs; nothing of those that are withheld."""
    keys = columns(sorted(key for row in rows for key in key_entries(row)))
    if keys:
        await session.run(_KEYS, session.tenant, *keys)


def _element(value: Value) -> str:
    """How a value stands in the text of an array."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f'"\\\\x{value.hex()}"'
    if isinstance(value, str):
        quoted = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}"'
    return str(value)


def _entry(session: Session, seq: int, context: Context) -> _Entry:
    place = (context.user_id, context.domain, context.project or "")
    shelf, kept = shelf_of(session.tenant, *place), indexed(analyzer_of(session), context)
    return _Entry(seq, shelf, place, to_ms(context.occurred_at), kept)


async def _put_shelves(session: Session, entries: Iterable[_Entry]) -> None:
    lie: Counter[tuple[int, tuple[str, str, str]]] = Counter()
    own: Counter[int] = Counter()
    head: Counter[int] = Counter()
    for entry in entries:
        lie[entry.shelf, entry.place] += 1
        own[entry.shelf] += entry.kept.own_words
        head[entry.shelf] += entry.kept.head_words
    rows = ((s, *place, number, own[s], head[s]) for (s, place), number in sorted(lie.items()))
    await session.run(_SHELVES, session.tenant, *columns(rows))
