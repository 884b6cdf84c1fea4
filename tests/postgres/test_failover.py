"""The primary is lost under load: what was acknowledged is on the one that takes over."""

from __future__ import annotations

from pathlib import Path
from time import monotonic

import anyio
import pytest
from anyio.to_thread import run_sync
from tests.postgres.cluster import Cluster, both
from tests.postgres.writers import Crowd, opened

WRITERS = 8
LOAD = 400
"""Acknowledged writes before, and again after, the primary is lost."""

BEHIND_S = 0.5
"""How long the standby has received nothing when the primary is lost."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc").exists(), reason="reads processes from /proc"),
]


class Loss:
    """A crowd writes, the primary dies and the standby is promoted; what a new store shows then."""

    lost = twice = acked = 0
    gap_s = 0.0

    def __init__(self, first: Cluster, second: Cluster) -> None:
        self.first, self.second = first, second

    async def happens(self, *, behind: bool) -> str:
        """behind: the standby had stopped receiving. Returns the figures."""
        dsn = both(self.first, self.second, self.first.new_database())
        async with opened(dsn) as store:
            crowd = Crowd(store, WRITERS)
            async with crowd.writing():
                await crowd.further(LOAD)
                if behind:
                    await run_sync(self._cut)
                    await anyio.sleep(BEHIND_S)
                await self._fail_over(crowd)
                await crowd.further(LOAD)
        async with opened(dsn) as store:
            self.lost, self.twice = await crowd.judged(store)
        self.acked = len(crowd.acked)
        return (
            f"{self.acked} acknowledged, {self.lost} lost, {self.twice} twice, "
            f"gap {self.gap_s:.2f} s, refused {dict(crowd.refusals)}"
        )

    async def _fail_over(self, crowd: Crowd) -> None:
        await run_sync(self.first.kill)
        began, before = monotonic(), len(crowd.acked)
        await run_sync(self.second.promote)
        await crowd.until(lambda: len(crowd.acked) > before)
        self.gap_s = monotonic() - began

    def _cut(self) -> None:
        """From now on the standby receives nothing."""
        self.second.set(primary_conninfo="")
        self.first.wait_until("SELECT count(*) = 0 FROM pg_stat_replication")


@pytest.mark.parametrize("behind", [False, True], ids=["following", "cut off before"])
async def test_with_a_synchronous_standby_nothing_acknowledged_is_lost_and_nothing_twice(
    pair: tuple[Cluster, Cluster], behind: bool
) -> None:
    pair[0].set(synchronous_standby_names="*")
    loss = Loss(*pair)
    figures = await loss.happens(behind=behind)
    print(figures)  # noqa: T201 - shown with a failure, or with -s
    assert (loss.lost, loss.twice) == (0, 0), figures
    assert loss.acked >= 2 * LOAD


async def test_without_one_acknowledged_writes_are_lost_and_this_test_sees_it(
    pair: tuple[Cluster, Cluster],
) -> None:
    """The control: the same loss of the same pair, which nobody told to wait."""
    loss = Loss(*pair)
    figures = await loss.happens(behind=True)
    print(figures)  # noqa: T201 - shown with a failure, or with -s
    assert loss.lost > 0, figures
