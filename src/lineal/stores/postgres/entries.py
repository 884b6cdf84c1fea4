"""The index of the present of every context: its words, its place in its session, its filters."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from lineal.analysis.analyzer import Analyzer
from lineal.clock import to_ms
from lineal.errors import LinealError
from lineal.models.context import Context
from lineal.policy.indexing import Indexed, embedded, indexed
from lineal.stores.postgres import vectors
from lineal.stores.postgres.locks import key_of
from lineal.stores.postgres.session import Bound, Session
from lineal.stores.rows.context_rows import ContextRow
from lineal.stores.rows.damage import damaged
from lineal.stores.rows.words import packed_words, unpacked

__all__ = [
    "ENTER",
    "POST",
    "SHELVE",
    "Placed",
    "add",
    "analyzer_of",
    "hear",
    "placed",
    "put",
    "remove_many",
    "replace",
    "shelf_of",
    "take_out",
    "token",
    "tokens",
]

SHELVE = (
    "INSERT INTO lineal.shelf (tenant_id, shelf_id, user_id, domain, project, entries, own_words, "
    "head_words) VALUES (%s, %s, %s, %s, %s, 1, %s, %s) ON CONFLICT (tenant_id, shelf_id) "
    "DO UPDATE SET entries = shelf.entries + 1, "
    "own_words = shelf.own_words + excluded.own_words, "
    "head_words = shelf.head_words + excluded.head_words"
)
_LEAVE_SHELF = (
    "UPDATE lineal.shelf SET entries = entries - 1, own_words = own_words - %s, "
    "head_words = head_words - %s WHERE tenant_id = %s AND shelf_id = %s"
)
_SPEAKS = (
    "INSERT INTO lineal.speaker VALUES (%s, %s, %s, 1) ON CONFLICT "
    "(tenant_id, speaker_shelf, speaker_name) DO UPDATE SET speaks_in = speaker.speaks_in + 1"
)
_SPEAKS_LESS = (
    "UPDATE lineal.speaker SET speaks_in = speaks_in - 1 "
    "WHERE tenant_id = %s AND speaker_shelf = %s AND speaker_name = %s"
)
_SPEAKS_NO_MORE = (
    "DELETE FROM lineal.speaker "
    "WHERE tenant_id = %s AND speaker_shelf = %s AND speaker_name = %s AND speaks_in = 0"
)
ENTER = "INSERT INTO lineal.entry VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
POST = "INSERT INTO lineal.posting VALUES (%s, %s, %s, %s::integer[])"
_DELETE = (
    "DELETE FROM lineal.entry WHERE tenant_id = %s AND entry_seq = %s "
    "RETURNING entry_shelf, entry_own_words, entry_head_words, entry_speaker"
)
_UNPOST = "DELETE FROM lineal.posting WHERE tenant_id = %s AND posting_seq = %s"
_DELETE_MANY = (
    "WITH unposted AS (DELETE FROM lineal.posting WHERE tenant_id = %s "
    "AND posting_seq = ANY(%s::bigint[])), "
    "gone AS (DELETE FROM lineal.entry WHERE tenant_id = %s AND entry_seq = ANY(%s::bigint[]) "
    "RETURNING entry_seq, entry_shelf, entry_own_words, entry_head_words, entry_speaker), "
    "fewer AS (UPDATE lineal.shelf SET entries = entries - less, own_words = own_words - less_own, "
    "head_words = head_words - less_head FROM (SELECT entry_shelf, count(*) AS less, "
    "sum(entry_own_words) AS less_own, sum(entry_head_words) AS less_head FROM gone "
    "GROUP BY entry_shelf) AS taken WHERE tenant_id = %s AND shelf_id = entry_shelf), "
    "quiet AS (SELECT entry_shelf, entry_speaker, count(*) AS less FROM gone "
    "WHERE entry_speaker <> '' GROUP BY entry_shelf, entry_speaker), "
    "silent AS (DELETE FROM lineal.speaker USING quiet WHERE tenant_id = %s "
    "AND speaker_shelf = entry_shelf AND speaker_name = entry_speaker AND speaks_in <= less), "
    "quieter AS (UPDATE lineal.speaker SET speaks_in = speaks_in - less FROM quiet "
    "WHERE tenant_id = %s AND speaker_shelf = entry_shelf AND speaker_name = entry_speaker "
    "AND speaks_in > less), "
    "waiting AS (DELETE FROM lineal.unembedded WHERE tenant_id = %s AND space_id IN "
    "(SELECT space_id FROM lineal.space WHERE tenant_id = %s) "
    "AND waiting_seq = ANY(%s::bigint[])), "
    "unpieced AS (DELETE FROM lineal.pieces WHERE tenant_id = %s "
    "AND pieces_seq = ANY(%s::bigint[])) "
    "DELETE FROM lineal.embedding USING gone WHERE tenant_id = %s AND space_id IN "
    "(SELECT space_id FROM lineal.space WHERE tenant_id = %s) "
    "AND vector_shelf = entry_shelf AND vector_seq = entry_seq"
)
"""All in one: nothing is waited for."""

_BODY = (
    "SELECT body, body_digest FROM lineal.context_revision "
    "WHERE tenant_id = %s AND context_seq = %s AND number = %s"
)
_INDEXED_FIELDS = (
    *("content", "title", "summary", "tags", "speaker", "source", "agent_source"),
    *("session_id", "occurred_at", "memory_type", "project"),
)

_SPREAD = 0x9E3779B1
"""Knuth's multiplicative constant: neighbouring numbers come to lie far apart."""


class Placed(NamedTuple):
    """A context's place in the index. on_shelf, entry, posting: what SHELVE, ENTER, POST bind."""

    shelf: int
    speaker: str
    on_shelf: tuple[Bound, ...]
    entry: tuple[Bound, ...]
    posting: tuple[Bound, ...]


@lru_cache(maxsize=8)
def _analyzer(language: str) -> Analyzer:
    return Analyzer(language)


def analyzer_of(session: Session) -> Analyzer:
    """What the store's words were made with."""
    try:
        return _analyzer(session.language)
    except LinealError as error:
        raise damaged("The store's record of its words") from error


@lru_cache(maxsize=4096)
def shelf_of(tenant: str, user_id: str, domain: str, project: str) -> int:
    """The number of a shelf: no two of a tenant's are ever the same, within any number that fits a
    disk (64 bits)."""
    return key_of("shelf", tenant, user_id, domain, project)


def token(shelf: int, word: int) -> int:
    """A word of a shelf as the index has it: 32 bits, signed. Two words may share one: whoever
    reads looks at the shelf and at the words themselves."""
    mixed = ((shelf ^ (word * _SPREAD)) * _SPREAD + word) & 0xFFFFFFFF
    return mixed - 0x100000000 if mixed >= 0x80000000 else mixed


def tokens(shelf: int, words: bytes) -> list[int]:
    """What the index holds of an entry's packed words."""
    return [token(shelf, word) for word, _, _ in unpacked(words)]


async def add(session: Session, seq: int, context: Context) -> None:
    """Index a context that isn't, and see to its vectors."""
    await put(session, seq, context)
    await vectors.await_first(session, seq)


def placed(session: Session, seq: int, context: Context) -> Placed:
    """Where a context comes to lie, and as what."""
    kept: Indexed = indexed(analyzer_of(session), context)
    words, tenant = packed_words(kept), session.tenant
    room = (context.user_id, context.domain, context.project or "")
    shelf = shelf_of(tenant, *room)
    numbers = "{" + ",".join(map(str, tokens(shelf, words))) + "}"  # quicker than as a list
    return Placed(
        shelf,
        kept.speaker,
        (tenant, shelf, *room, kept.own_words, kept.head_words),
        (
            *(tenant, seq, shelf, kept.session, to_ms(context.occurred_at), kept.speaker),
            *(int(kept.traits), kept.own_words, kept.head_words, words),
        ),
        (tenant, seq, shelf, numbers),
    )


async def put(session: Session, seq: int, context: Context) -> int:
    """Put a context on its shelf; the shelf's number."""
    place = placed(session, seq, context)
    await session.run(SHELVE, *place.on_shelf)
    await session.run(ENTER, *place.entry)
    await session.run(POST, *place.posting)
    await hear(session, place)
    return place.shelf


async def hear(session: Session, place: Placed) -> None:
    """Count who speaks, if anybody does."""
    if place.speaker:
        await session.run(_SPEAKS, session.tenant, place.shelf, place.speaker)


async def replace(session: Session, old: ContextRow, new: Context) -> None:
    """Index the new present of a row instead of the old; its vectors stay where they are still
    true. The row itself must be locked or changed before (see vectors.keep)."""
    before = await _kept(session, old)
    if all(getattr(before, name) == getattr(new, name) for name in _INDEXED_FIELDS):
        return
    left = await take_out(session, old.seq)
    shelf = await put(session, old.seq, new)
    if shelf != left or embedded(before) != embedded(new):
        await vectors.await_again(session, old.seq)
        if left is not None:
            await vectors.drop(session, left, old.seq)


async def remove_many(session: Session, seqs: list[int]) -> None:
    """Take these out of the index, their vectors too. Their rows must be locked before."""
    if seqs:
        tenant = session.tenant
        shelves, waiting = (tenant, seqs, tenant, tenant, tenant), (tenant, tenant, seqs)
        await session.run(
            _DELETE_MANY, tenant, seqs, *shelves, *waiting, tenant, seqs, tenant, tenant
        )


async def take_out(session: Session, seq: int) -> int | None:
    """By what the entry itself says, whatever the text is by now; the shelf it lay on, None for
    what isn't in the index."""
    values = await session.row(_DELETE, session.tenant, seq)
    if values is None:
        return None
    shelf, own_words, head_words, speaker = values
    await session.run(_UNPOST, session.tenant, seq)
    await session.run(_LEAVE_SHELF, own_words, head_words, session.tenant, shelf)
    if speaker:
        await session.run(_SPEAKS_LESS, session.tenant, shelf, speaker)
        await session.run(_SPEAKS_NO_MORE, session.tenant, shelf, speaker)
    return int(shelf)


async def _kept(session: Session, row: ContextRow) -> Context:
    values = await session.row(_BODY, session.tenant, row.seq, row.revision)
    if values is None:
        raise damaged(f"The memory '{row.context_id}'", context_id=row.context_id)
    return row.context(row.revision, *values)
