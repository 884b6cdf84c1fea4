"""Finding in the past of a store on disk: which index is used, and how much is read."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import apsw
import pytest

from lineal.models.context import Context
from lineal.models.search import TextQuery
from lineal.stores.sqlite.past import CHANGED_MAX
from lineal.testing.samples import ADA, START, a_context, keep

from .sqlite_rooms import opened

HOUR = timedelta(hours=1)
LISTED = "SELECT count(*) FROM context WHERE tenant = 't' AND user_id = 'u' AND domain = 'd' AND "
LIVE = "(expires_at IS NULL OR expires_at > 0) AND "
PLANS = [
    (LISTED + LIVE + "(project IS NULL OR project IN ('p'))", "COVERING INDEX context_newest"),
    (LISTED + LIVE + "revision > 1 AND updated_at > 0", "INDEX context_changed"),
    ("SELECT seq FROM context WHERE tenant = 't' AND held_root = 'r'", "INDEX context_held "),
    ("SELECT seq FROM context WHERE held_until <= 9", "INDEX context_held_until "),
]


def second(number: int, at_s: float) -> Context:
    """The text that took the place of a walnut, that many seconds later than an hour."""
    at = START + HOUR + timedelta(seconds=at_s)
    return a_context(f"ctx_{number}", revision=2, content="almond", updated_at=at)


async def test_the_latest_changed_are_found_and_no_more_than_the_bound(tmp_path: Path) -> None:
    number = CHANGED_MAX + 5
    async with opened(tmp_path / "m.db") as store:
        first = tuple(a_context(f"ctx_{n}", content="walnut") for n in range(number))
        await keep(store, contexts=first)
        await keep(store, contexts=tuple(second(n, at_s=-n / 10) for n in range(number)))
        for terms in ((), ("walnut",)):
            query = TextQuery(terms=terms, as_of=START, limit=3)
            page = await store.find(ADA, query)
            assert (len(page.candidates), page.matched) == (3, CHANGED_MAX)
            assert {found.context.content for found in page.candidates} == {"walnut"}
            assert page.candidates[0].context.context_id == f"ctx_{CHANGED_MAX - 1}"


async def test_a_word_that_every_text_holds_hides_no_other(tmp_path: Path) -> None:
    """Each of the few texts that are ranked together holds `note`; in the store few do."""
    async with opened(tmp_path / "m.db") as store:
        texts = ["note note note", "note velvet", "note", *["granite"] * 50]
        notes = [a_context(f"ctx_{n}", content=text) for n, text in enumerate(texts)]
        await keep(store, contexts=tuple(notes))
        await keep(store, contexts=(second(3, at_s=0),))
        query = TextQuery(terms=("note", "velvet"))
        present = await store.find(ADA, query)
        past = await store.find(ADA, query.model_copy(update={"as_of": START}))
        assert past.matched == present.matched == 3
        assert [c.context for c in past.candidates] == [c.context for c in present.candidates]
        assert past.candidates[-1].score > past.candidates[0].score / 10


@pytest.mark.parametrize(("statement", "index"), PLANS)
async def test_a_listing_reads_its_own_index(tmp_path: Path, statement: str, index: str) -> None:
    async with opened(tmp_path / "m.db"):
        pass
    connection = apsw.Connection(str(tmp_path / "m.db"))
    plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
    connection.close()
    assert any(index in str(line[-1]) for line in plan), plan
