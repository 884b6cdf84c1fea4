"""Which entries hold a word: read from the index of words, within a bound.

A token is of one shelf, so the index of words itself leads to nothing but the scope's entries (but
for two words in 2**32). The planner can't know how rare a word is, so it gets no choice."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from lineal.stores.postgres.entries import token
from lineal.stores.postgres.session import Asked, Bound, Session, sql
from lineal.stores.postgres.shelves import Shelves

if TYPE_CHECKING:
    import numpy as np

__all__ = ["READ_MAX", "READ_MIN", "Looked", "Postings", "ask_postings", "holders_of", "postings"]

READ_MAX = 200_000
"""Postings that one question reads, shared among its words. Of a word that more contexts hold the
newest are read: it tells little apart, and counts again when these are ranked."""

READ_MIN = 2_000
"""Postings read of each word, however many words there are."""

COUNT_MAX = 20_000
"""Entries that are counted to find the commonest of the words that another may be a slip of."""

# Another collation than the column's, under which texts are as equal, and no index is used: a
# tenant's entries by its key would often look cheaper than a word's, and be all of them.
_HELD = (
    'FROM lineal.posting WHERE tenant_id = %s COLLATE "POSIX" '
    "AND posting_shelf = ANY(%s::bigint[]) AND tokens && asked::integer[]"
)
_MARKED = "AND tokens && %s::integer[]"
_TERMS = "FROM unnest(%s::text[]) WITH ORDINALITY AS term (asked, place) CROSS JOIN LATERAL"

_ALL = sql(
    "SELECT numbers, holders",
    _TERMS,
    "(SELECT string_agg(int8send(posting_seq), ''::bytea) AS numbers, count(*) AS holders",
)
_ALL_END = ") AS found ORDER BY place"

# Of a large scope only the newest leave the server.
_NEWEST = sql(
    "SELECT numbers, holders",
    _TERMS,
    "(SELECT string_agg(int8send(posting_seq), ''::bytea) AS numbers, max(every) AS holders FROM "
    "(SELECT posting_seq, count(*) OVER () AS every",
)
_NEWEST_END = "ORDER BY posting_seq DESC LIMIT %s) AS newest) AS found ORDER BY place"

_COUNT = sql("SELECT holders", _TERMS, "(SELECT count(*) AS holders FROM (SELECT 1")
_COUNT_END = "LIMIT %s) AS counted) AS found ORDER BY place"


class Postings(NamedTuple):
    """numbers: of the entries that hold a word. holders: how many there are in all."""

    numbers: np.ndarray[Any, Any]
    holders: int

    @property
    def read(self) -> int:
        return len(self.numbers)


class Looked(NamedTuple):
    """Where is looked: on these shelves, at entries that have one of each group of marks."""

    tenant: str
    shelves: Shelves
    marks: tuple[tuple[int, ...], ...] = ()

    def statement(self, begin: str, end: str) -> str:
        return sql(begin, _HELD, *[_MARKED] * len(self.marks), end)

    def bound(self, terms: Iterable[Sequence[int]]) -> tuple[Bound, ...]:
        """terms: of each, the hashes that stand for it."""
        asked = [self._tokens(hashes) for hashes in terms]
        marks = [self._tokens(group) for group in self.marks]
        return asked, self.tenant, list(self.shelves.numbers), *marks

    def _tokens(self, hashes: Sequence[int]) -> str:
        """As text, which goes to the server quicker than a list does."""
        numbers = (str(token(shelf, word)) for shelf in self.shelves.numbers for word in hashes)
        return "{" + ",".join(numbers) + "}"


async def ask_postings(
    session: Session, looked: Looked, terms: Sequence[tuple[int, ...]], most: int
) -> Asked:
    """Of each term, for `postings`."""
    if looked.shelves.size <= READ_MAX:
        return await session.ask(looked.statement(_ALL, _ALL_END), *looked.bound(terms))
    statement = looked.statement(_NEWEST, _NEWEST_END)
    return await session.ask(statement, *looked.bound(terms), most)


async def postings(asked: Asked, most: int) -> list[Postings]:
    """In the order of the terms, of each at most the `most` newest."""
    import numpy as np

    found = []
    for packed, holders in await asked.rows():
        numbers = np.frombuffer(packed or b"", ">i8").astype(np.int64)
        if len(numbers) > most:
            numbers = np.partition(numbers, len(numbers) - most)[len(numbers) - most :]
        found.append(Postings(numbers, holders or 0))
    return found


async def holders_of(
    session: Session, looked: Looked, terms: Sequence[tuple[int, ...]]
) -> list[int]:
    """How many hold each term, counted up to COUNT_MAX."""
    statement = looked.statement(_COUNT, _COUNT_END)
    rows = await session.rows(statement, *looked.bound(terms), COUNT_MAX)
    return [holders for (holders,) in rows]
