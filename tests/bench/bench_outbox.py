"""What the outbox costs: claims, looks and settling among many letters, and a write with a letter.

    python tests/bench/bench_outbox.py [--letters 100000] [--users 1000] [--rounds 200]

Every letter has a body of a kilobyte. `claim` takes 64 letters: sixteen of each of four queues, and
once the only ones of 64. `claim, none due` is what a courier pays while it waits. Bar: p50 of
`claim` < 5 ms. The writes wait for the disk as `--durability` says.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from bench_calls import summary

from lineal.clock import SystemClock
from lineal.models.changes import Scope
from lineal.models.forwarding import Counterpart, Letter, Settled
from lineal.stores.sqlite import SqliteStore
from lineal.stores.sqlite.outbox import SqliteOutbox
from lineal.testing.samples import a_context, keep

BODY = json.dumps({"content": "walnut " * 140})
BATCH = 1_000
NOW = SystemClock().now()
TENANT = Scope(tenant="local")


def a_letter(number: int, users: int) -> Letter:
    return Letter(
        letter_id=f"let_{number}",
        tenant="local",
        user_id=f"u{number % users}",
        domain="coding",
        verb="append",
        context_id=f"ctx_{number}",
        body=BODY,
        posted_at=NOW,
        due_at=NOW,
    )


async def fill(store: SqliteStore, letters: int, users: int) -> None:
    """The letters in turn of their users, and as many counterparts of contexts that aren't due."""
    for start in range(0, letters, BATCH):
        batch = range(start, min(start + BATCH, letters))
        told = (
            Counterpart(
                kind="context",
                tenant="local",
                user_id="u",
                domain="coding",
                local_id=f"old_{number}",
                remote_id=f"r_{number}",
            )
            for number in batch
        )
        made = (a_letter(number, users) for number in batch)
        await keep(store, TENANT, letters=tuple(made), counterparts=tuple(told))


async def timed(rounds: int, run: Callable[[int], Awaitable[Any]]) -> dict[str, float]:
    """Times of one call each; `run` may return what undoes it, outside the measure."""
    took = []
    for number in range(rounds):
        start = time.perf_counter()
        undo = await run(number)
        took.append((time.perf_counter() - start) * 1e3)
        if callable(undo):
            await undo()
    return summary(took)


async def measure(path: Path, arguments: argparse.Namespace) -> dict[str, object]:
    store = SqliteStore(path, clock=SystemClock(), durability=arguments.durability)
    await store.open()
    box = SqliteOutbox(store)
    times: dict[str, dict[str, float]] = {}
    rounds = arguments.rounds

    async def claim(_: int) -> Callable[[], Awaitable[None]]:
        found = await box.claim_letters("me", held_s=60)
        return lambda: box.release([one.letter_id for one in found])

    async def settle(number: int) -> None:
        name = f"let_{number}"
        await box.settle([Settled(letter_id=name, outcome="delivered", remote_id=f"r_{name}")])

    async def write(number: int) -> None:
        context = a_context(f"new_{number}", content="walnut " * 20)
        letter = a_letter(10**9 + number, 10**9).model_copy(
            update={"holder": "me", "held_until": NOW}
        )
        scope = Scope(tenant="local", user_id="ada", domain="coding")
        await keep(store, scope, contexts=(context,), letters=(letter,))

    await fill(store, arguments.users, arguments.users)
    times["claim, 64 queues"] = await timed(rounds, claim)
    await box.drop([f"let_{number}" for number in range(arguments.users)])
    start = time.perf_counter()
    await fill(store, arguments.letters, arguments.users)
    filled_s = round(time.perf_counter() - start, 1)
    times["claim"] = await timed(rounds, claim)
    times["next_due_in_s"] = await timed(rounds, lambda _: box.next_due_in_s())
    times["orphans"] = await timed(rounds, lambda _: box.orphans())
    times["state"] = await timed(max(1, rounds // 10), lambda _: box.state())
    times["settle"] = await timed(rounds, settle)
    times["write with a letter"] = await timed(rounds, write)
    while await box.claim_letters("me", held_s=3_600, limit=16 * arguments.users):
        pass
    times["claim, none due"] = await timed(rounds, lambda _: box.claim_letters("me", held_s=60))
    await store.close()
    return {
        "machine": platform.platform(),
        "letters": arguments.letters,
        "users": arguments.users,
        "filled_s": filled_s,
        "durability": arguments.durability,
        "times": times,
        "bar, claim p50": 5.0,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--letters", type=int, default=100_000)
    parser.add_argument("--users", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--durability", choices=("full", "normal"), default="full")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lineal-bench-") as home:
        found = asyncio.run(measure(Path(home) / "lineal.db", arguments))
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
