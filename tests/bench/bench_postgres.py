"""What the store adds to PostgreSQL: an append, and the throughput of sixteen writers, beside the
same rows written by hand.

    python tests/bench/bench_postgres.py [--writes 400] [--seconds 12] [--writers 16]

A real server with fsync on, in a directory of its own. What an append sends is recorded once; then
it is written again, row for row, by a bare psycopg transaction (a statement for each table, each
waited for, as anybody would write it; and in a pipeline), and by pgbench, statement for statement
with its locks and questions, by as many clients as there are writers.
Whatever is compared is measured in turn in one run. Milliseconds are medians. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import psycopg
from anyio.to_thread import run_sync
from psycopg.types.numeric import Int8BinaryDumper
from tests.postgres.cluster import Cluster
from tests.postgres.engine import BIN

from lineal.clock import SystemClock, monotonic_s
from lineal.embedders.hashing import HashingEmbedder
from lineal.engine.backend import EmbeddedBackend
from lineal.extractors.rules.extractor import RulesExtractor
from lineal.ids import RandomIds
from lineal.models.changes import Changes, Life, Plan, Reads, Scope, Stamp
from lineal.models.context import AppendContext, Context, MemoryType
from lineal.models.lineage import Evidence, Lineage
from lineal.policy.duplicates import fingerprint
from lineal.schemas.book import SchemaBook
from lineal.stores.postgres import PostgresStore, alike, entries, keep, vectors
from lineal.stores.postgres.locks import room_key
from lineal.stores.postgres.session import Bound, Session

TENANT, DOMAIN = "local", "coding"
WRITES = re.compile(r"(INSERT|UPDATE|DELETE|WITH)")
WALL = "SELECT set_config('lineal.tenant', %s, true)"
AT = SystemClock().now()
WARM_S = 2.0
SCRIPTS = 100
"""pgbench takes at most 128."""

SERVER = {"shared_buffers": "1GB", "max_wal_size": "8GB"}

PARTS = (
    keep.INSERT_CONTEXT,
    keep.INSERT_FIRST,
    entries.SHELVE,
    vectors.WAIT_NEW,
    alike.KEEP_KEYS,
    entries.POST,
    entries.ENTER,
)
"""The statements that the store sends as one."""

Connection = psycopg.AsyncConnection[Any]
Sent = tuple[str, tuple[Bound, ...]]


@dataclass
class Recorder:
    """What sessions send, while it is on."""

    on: bool = False
    sent: list[Sent] = field(default_factory=list)

    @contextmanager
    def listening(self) -> Iterator[None]:
        ask = Session.ask

        async def heard(session: Session, statement: str, *values: Bound) -> Any:
            if self.on and "UPDATE lineal.store " not in statement:
                self.sent.append((statement, values))
            return await ask(session, statement, *values)

        Session.ask = heard  # type: ignore[assignment, method-assign]
        try:
            yield
        finally:
            Session.ask = ask  # type: ignore[method-assign]


def text_of(number: int, user: str) -> str:
    return (
        f"{user} asked for release {number}: the migration of table t{number % 97} took "
        f"{number % 13} minutes, review by Grace, blocked on issue {number * 7 % 1009}."
    )


def backend_of(dsn: str, pool_max: int) -> EmbeddedBackend:
    return EmbeddedBackend(
        PostgresStore(dsn, pool_max=pool_max, busy_timeout_s=30),
        schemas=SchemaBook(),
        extractor=RulesExtractor(),
        embedder=HashingEmbedder(),
        ids=RandomIds(),
        clock=SystemClock(),
    )


async def append(backend: EmbeddedBackend, number: int, user: str) -> None:
    scope = Scope(tenant=TENANT, user_id=user, domain=DOMAIN)
    stamp = Stamp(scope=scope, evidence=Evidence(tool="append_context"), provision=True)
    text = text_of(number, user)
    await backend.append_context(stamp, AppendContext(content=text, source="chat"), Life())


def replayed(number: int, user: str) -> tuple[Scope, Reads, Changes]:
    """What an append asks of a store and gives it to keep, made beforehand."""
    text = text_of(number, user)
    context = Context(
        context_id=f"ctx_{user}_{number:012}",
        user_id=user,
        domain=DOMAIN,
        content=text,
        source="chat",
        memory_type=MemoryType.FACT,
        occurred_at=AT,
        created_at=AT,
        updated_at=AT,
        revision=1,
        lineage=Lineage(created_at=AT),
    )
    mark = fingerprint(text)
    reads = Reads(user=True, alike=mark)
    changes = Changes(contexts=(context,), fingerprints={context.context_id: mark})
    return Scope(tenant=TENANT, user_id=user, domain=DOMAIN), reads, changes


async def commit(store: PostgresStore, made: tuple[Scope, Reads, Changes]) -> None:
    """The store's part of an append: locks, reads, decision, rows, commit."""
    scope, reads, changes = made
    await store.commit(scope, reads, lambda _: Plan(changes, None))


async def timed(work: Awaitable[None]) -> float:
    began_s = monotonic_s()
    await work
    return (monotonic_s() - began_s) * 1_000


async def recorded(backend: EmbeddedBackend, writes: int) -> list[list[Sent]]:
    """What each of so many appends of one user sends, from the first on."""
    recorder = Recorder(on=True)
    kept: list[list[Sent]] = []
    with recorder.listening():
        for number in range(writes):
            await append(backend, number, "ada")
            kept.append(list(recorder.sent))
            recorder.sent.clear()
    return kept


def by_hand(sent: Sequence[Sent]) -> list[Sent]:
    """The same rows, each table by a statement of its own."""
    found: list[Sent] = []
    for statement, values in sent:
        if not WRITES.match(statement):
            continue
        rest = values
        for part in PARTS if statement == keep.INSERT_WHOLE else (statement,):
            found.append((part, rest[: part.count("%s")]))
            rest = rest[part.count("%s") :]
    return found


async def bare(connection: Connection, sent: Sequence[Sent]) -> None:
    """A transaction as anybody would write it."""
    async with connection.transaction():
        await connection.execute(WALL, (TENANT,))
        for statement, values in sent:
            await connection.execute(statement, values, prepare=True)


async def piped(connection: Connection, sent: Sequence[Sent]) -> None:
    async with connection.pipeline():
        await bare(connection, sent)


async def made(cluster: Cluster, pool_max: int = 4) -> tuple[str, EmbeddedBackend]:
    """A new database with lineal's tables, and a backend over it."""
    dsn = cluster.new_database()
    backend = backend_of(dsn, pool_max)
    await backend.open()
    return dsn, backend


async def connected(dsn: str) -> Connection:
    connection = await psycopg.AsyncConnection.connect(dsn, autocommit=True)
    connection.adapters.register_dumper(int, Int8BinaryDumper)
    return connection


async def one_writer(cluster: Cluster, writes: int) -> tuple[dict[str, Any], list[list[Sent]]]:
    """An append, and the rows of another one written by hand, in turn; each in a database of its
    own that holds as much. Also what was recorded."""
    _, first = await made(cluster)
    kept = await recorded(first, writes)
    await first.close()
    hands = {}
    for name, work in (("bare", bare), ("piped", piped)):
        dsn, unused = await made(cluster)
        await unused.close()
        hands[name] = (work, await connected(dsn))
    _, backend = await made(cluster)
    store = PostgresStore(cluster.new_database(), pool_max=4)
    await store.open()
    times: dict[str, list[float]] = {"append": [], "commit": [], "bare": [], "piped": []}
    for number, sent in enumerate(kept):
        times["append"].append(await timed(append(backend, number, "ada")))
        times["commit"].append(await timed(commit(store, replayed(number, "ada"))))
        for name, (work, connection) in hands.items():
            times[name].append(await timed(work(connection, by_hand(sent))))
    await backend.close()
    await store.close()
    for _, connection in hands.values():
        await connection.close()
    medians = {name: statistics.median(each[len(each) // 5 :]) for name, each in times.items()}
    found = {
        "p50_ms": {name: round(value, 3) for name, value in medians.items()},
        "statements": statistics.median(len(by_hand(sent)) for sent in kept),
        "append_over_bare": round(medians["append"] / medians["bare"], 2),
        "commit_over_bare": round(medians["commit"] / medians["bare"], 2),
        "append_over_piped": round(medians["append"] / medians["piped"], 2),
    }
    return found, kept


async def many_writers(
    cluster: Cluster, what: str, writers: int, seconds: float, processes: int
) -> float:
    """Appends or commits a second of so many writers, each a user, in so many processes."""
    dsn, backend = await made(cluster)
    await backend.close()
    return await run_sync(in_processes, dsn, what, writers, seconds, processes)


def in_processes(dsn: str, what: str, writers: int, seconds: float, processes: int) -> float:
    command = [sys.executable, __file__, "--role", what, "--dsn", dsn, "--seconds", str(seconds)]
    each = writers // processes
    running = [
        subprocess.Popen(
            [*command, "--first", str(each * number), "--writers", str(each)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(processes)
    ]
    return sum(float(process.communicate()[0]) for process in running)


async def write(what: str, dsn: str, first: int, writers: int, seconds: float) -> float:
    """Appends or commits a second, after a warm-up."""
    backend, store = backend_of(dsn, writers), PostgresStore(dsn, pool_max=writers)
    await backend.open()
    await store.open()
    counts: list[int] = []

    async def writer(user: str, number: int, until_s: float) -> None:
        began = number
        while monotonic_s() < until_s:
            if what == "append":
                await append(backend, number, user)
            else:
                await commit(store, replayed(number, user))
            number += 1
        counts.append(number - began)

    for after, lasting_s in ((0, WARM_S), (1_000_000, seconds)):
        counts.clear()
        began_s = monotonic_s()
        async with anyio.create_task_group() as tasks:
            for number in range(writers):
                tasks.start_soon(writer, f"user{first + number}", after, began_s + lasting_s)
    rate = sum(counts) / (monotonic_s() - began_s)
    await backend.close()
    await store.close()
    return rate


def literal(value: Bound, names: dict[str, str], numbers: dict[int, str]) -> str:
    """A value as pgbench has it: what must differ in each transaction is made of its variables."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        return numbers.get(value, str(value))
    if isinstance(value, bytes):
        return f"'\\x{value.hex()}'::bytea"
    if isinstance(value, list):
        return "ARRAY[" + ",".join(literal(one, names, {}) for one in value) + "]"
    if isinstance(value, str):
        return names.get(value, "'" + value.replace("'", "''") + "'")
    return str(value)


def script_of(sent: Sequence[Sent]) -> str:
    """One recorded append, question for question, as a transaction of pgbench: another row at each
    run, another room and user for each client."""
    new = next(values for statement, values in sent if statement == keep.INSERT_WHOLE)
    number, name = int(str(new[0])), str(new[2])
    names = {name: "('ctx_' || :client_id || '_' || :run)", "ada": "('user' || :client_id)"}
    room = room_key(TENANT, ("ada", DOMAIN))
    numbers = {
        number: "(:client_id * 10000000::bigint + :run)",
        room: "(:client_id + 1000000::bigint)",
    }
    lines = ["\\set run :run + 1"]
    for statement, values in sent:
        told = statement
        for value in values:
            told = told.replace("%s", literal(value, names, numbers), 1)
        lines.append(told + ";")
    return "\n".join(lines) + "\n"


async def by_pgbench(
    cluster: Cluster, kept: Sequence[Sequence[Sent]], writers: int, seconds: float
) -> float:
    """Transactions a second of the same statements, sent by pgbench."""
    dsn, backend = await made(cluster)
    await backend.close()
    return await run_sync(pgbench, dsn, kept, writers, seconds)


def pgbench(dsn: str, kept: Sequence[Sequence[Sent]], writers: int, seconds: float) -> float:
    assert BIN is not None
    with tempfile.TemporaryDirectory() as directory:
        files = []
        for number, sent in enumerate(kept[-SCRIPTS:]):
            path = Path(directory) / f"{number}.sql"
            path.write_text(script_of(sent), encoding="utf-8")
            files += ["-f", str(path)]
        for lasting in (WARM_S, seconds):
            asked = ["-n", "-M", "prepared", "-c", str(writers), "-j", "2", "-T", str(int(lasting))]
            run = f"run={int(monotonic_s() * 1000) % 1_000_000}"
            done = subprocess.run(
                [str(BIN / "pgbench"), *asked, "-D", run, *files, dsn],
                capture_output=True,
                text=True,
                check=True,
            )
    found = re.search(r"tps = ([0-9.]+)", done.stdout)
    assert found is not None, done.stdout
    return float(found[1])


async def measured(options: argparse.Namespace) -> dict[str, Any]:
    with Cluster(durable=True, settings=SERVER) as cluster:
        single, kept = await one_writer(cluster, options.writes)
        crowd = (options.writers, options.seconds)
        rounds = []
        for _ in range(options.rounds):
            raw = await by_pgbench(cluster, kept, *crowd)
            rates = {"pgbench": round(raw)}
            for what in ("commit", "append"):
                rates[what] = round(await many_writers(cluster, what, *crowd, options.processes))
            rounds.append(rates)
        ratios = {
            what: statistics.median(each[what] / each["pgbench"] for each in rounds)
            for what in ("commit", "append")
        }
        return {
            "one_writer": single,
            "many_writers": {
                "writers": options.writers,
                "processes": options.processes,
                "per_second": rounds,
                "over_pgbench": {what: round(ratio, 2) for what, ratio in ratios.items()},
            },
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--writes", type=int, default=400)
    parser.add_argument("--writers", type=int, default=16)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--role", choices=("measure", "append", "commit"), default="measure")
    parser.add_argument("--dsn")
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    if options.role != "measure":
        told = (options.role, options.dsn, options.first, options.writers, options.seconds)
        print(anyio.run(write, *told))
    else:
        print(json.dumps(anyio.run(measured, options), indent=2))


if __name__ == "__main__":
    main()
