"""One record of time, whichever process wrote last."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from lineal.clock import ManualClock
from lineal.models.changes import Changes, Plan, Reads, Snapshot
from lineal.stores.sqlite import SqliteStore
from lineal.testing.samples import ADA, START, a_context


async def written_at(store: SqliteStore, name: str) -> datetime:
    """The store's now, as the decision of a write saw it."""

    def decide(snapshot: Snapshot) -> Plan[datetime]:
        return Plan(Changes(contexts=(a_context(name),)), snapshot.now)

    return await store.commit(ADA, Reads(), decide)


async def test_a_writer_takes_over_the_time_that_another_has_seen(tmp_path: Path) -> None:
    """T4: a writer that has written before must not go by what it knew then."""
    slow, fast = ManualClock(START), ManualClock(START + timedelta(hours=2))
    one = SqliteStore(tmp_path / "m.db", clock=slow)
    other = SqliteStore(tmp_path / "m.db", clock=fast)
    await one.open()
    await other.open()
    try:
        assert await written_at(one, "ctx_1") == START
        assert await written_at(other, "ctx_2") == START + timedelta(hours=2)
        assert await written_at(one, "ctx_3") == START + timedelta(hours=2)
    finally:
        await one.close()
        await other.close()
