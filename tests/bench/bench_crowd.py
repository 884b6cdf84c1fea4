"""Many server processes on one file: what clients were told against what a fresh process reads.

    python tests/bench/bench_crowd.py [--servers 8] [--seconds 60] [--kills 0] [--seed N]
                                      [--control] [--no-queue] [--hold SECONDS]

All servers start at the same instant on a store that doesn't exist yet; each has a client that
appends, updates its own and everybody's contexts, upserts and searches. With --kills, a random
server is killed with SIGKILL in the midst of a write that often, and replaced. Afterwards a fresh
process reads everything back: every acknowledged write must be there whole. --control runs the
same against a server that acknowledges too early (lossy_server.py) and must find losses.
--no-queue runs it against lineal without its queue (unfair_server.py): waits and the log grow.
--hold keeps a reader's snapshot open that long: the log grows meanwhile and must shrink after.
Prints JSON; exit status 1 when a promise was broken (with --control: when none was).
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import apsw
from rpc import LINEAL, Rpc, RpcError, clean_environment

from lineal.app import local_call, open_service, store_path
from lineal.errors import LinealError
from lineal.models.changes import VerifyReport
from lineal.models.context import Context
from lineal.models.user import GetUser
from lineal.settings import Settings

HERE = Path(__file__).parent
SHARED = 4
"""Contexts that every client updates, so that a lost update shows in their revision."""

WAL_WATCH_S = 0.1
PAUSE_S = 1.0
"""Between two kills: the others write on, and the killed one's successor gets to write."""

DOMAIN = "notes"


@dataclass
class Told:
    """What one client was told: the only thing a server is held to."""

    contents: dict[str, list[str]] = field(default_factory=dict)
    shared_updates: int = 0
    upserts: int = 0
    counter: int = 0
    waits_s: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    unknown: int = 0


class Client(threading.Thread):
    """Drives one server until told to stop, and starts another when it was killed."""

    def __init__(self, crowd: Crowd, number: int) -> None:
        super().__init__(daemon=True)
        self.crowd, self.number = crowd, number
        self.dice = random.Random(f"{crowd.seed}-{number}")
        self.told = Told()
        self.server = crowd.start_server(number)
        self.busy = threading.Event()
        self.ready = False

    def run(self) -> None:
        while not self.crowd.over.is_set():
            try:
                if self.ready:
                    self._act()
                else:
                    self._open()
            except (RpcError, OSError, ValueError) as trouble:
                if not self._replaced():
                    self.told.errors.append(str(trouble)[:300])
        self.server.close()

    def _open(self) -> None:
        self.server.handshake()
        # The first call waits for the server's start: what a start costs is measured elsewhere.
        self._upsert()
        self.told.waits_s.pop()
        self.ready = True

    def _act(self) -> None:
        dice = self.dice.random()
        if dice < 0.45 or not self.told.contents:
            self._append()
        elif dice < 0.6:
            self._update_own()
        elif dice < 0.75:
            self._update_shared()
        elif dice < 0.85:
            self._upsert()
        else:
            self._timed("search_context", user_id=f"u{self.number}", query="marker finance")

    def _append(self) -> None:
        content = f"marker c{self.number} {self.dice.random()} finance reads the export by place"
        told = self._timed(
            "append_context", user_id=f"u{self.number}", domain=DOMAIN, content=content
        )
        self.told.contents[told["context_id"]] = [content]

    def _update_own(self) -> None:
        context_id = self.dice.choice(list(self.told.contents))
        content = f"marker c{self.number} {self.dice.random()} finance reads by name from now on"
        versions = self.told.contents[context_id]
        versions.append(content)
        try:
            self._timed("update_context", context_id=context_id, content=content)
        except (RpcError, OSError, ValueError):
            # The outcome is unknown: either of the two may stand.
            self.told.unknown += 1
            raise
        del versions[:-1]

    def _update_shared(self) -> None:
        context_id = self.dice.choice(self.crowd.shared)
        content = f"shared {self.number} {self.dice.random()} which everyone changes at once, hello"
        try:
            self._timed("update_context", context_id=context_id, content=content)
        except (RpcError, OSError, ValueError):
            self.told.unknown += 1
            raise
        self.told.shared_updates += 1

    def _upsert(self) -> None:
        self.told.counter += 1
        self._timed(
            "upsert_user",
            user_id=f"u{self.number}",
            domain=DOMAIN,
            fields={"n": self.told.counter},
        )
        self.told.upserts += 1

    def _timed(self, tool: str, **arguments: Any) -> dict[str, Any]:
        start = time.monotonic()
        self.busy.set()
        try:
            return self.server.call(tool, **arguments)
        finally:
            self.busy.clear()
            self.told.waits_s.append(time.monotonic() - start)

    def _replaced(self) -> bool:
        """Start another server if this one was killed."""
        if self.server.process.poll() is None and not self.crowd.killing:
            return False
        if self.server.process.wait(5) != -9:
            return False
        self.server = self.crowd.start_server(self.number)
        if self.ready and self.told.waits_s:
            self.told.waits_s.pop()
        self.ready = False
        return True


class Crowd:
    """The servers' clients, the file they share, and the one who kills."""

    def __init__(
        self, home: Path, *, servers: int, seed: int, killing: bool, control: bool, queue: bool
    ) -> None:
        self.home, self.seed, self.killing, self.control = home, seed, killing, control
        self.command = LINEAL if queue else [sys.executable, str(HERE / "unfair_server.py")]
        self.over = threading.Event()
        self.shared: list[str] = []
        self.wal_peak = 0
        self.wal_last = 0
        # Every process starts before any is spoken to: they meet on a file that isn't there.
        self.clients = [Client(self, number) for number in range(servers)]

    def start_server(self, number: int) -> Rpc:
        environment = clean_environment(LINEAL_HOME=str(self.home))
        if self.control:
            lossy = str(HERE / "lossy_server.py")
            return Rpc([sys.executable, lossy, str(self.home / "kept.json")], environment)
        return Rpc(self.command, environment, stderr=self.home.parent / f"stderr-{number}.log")

    def run(self, seconds: float, kills: int, hold_s: float) -> int:
        """Let them work; how many were killed."""
        self._share()
        if hold_s:
            threading.Thread(target=self._hold, args=(hold_s,), daemon=True).start()
        for client in self.clients:
            client.start()
        watch = threading.Thread(target=self._watch_wal, daemon=True)
        watch.start()
        done = self._kill(kills) if kills else 0
        if not kills:
            time.sleep(seconds)
        self.over.set()
        for client in self.clients:
            client.join(60)
        watch.join(5)
        return done

    def _share(self) -> None:
        """The contexts that everybody changes; all servers are up and idle meanwhile."""
        first = self.start_server(99)
        first.handshake()
        first.call("upsert_user", user_id="shared", domain=DOMAIN, fields={"n": 0})
        for i in range(SHARED):
            content = f"shared context {i} of the crowd, which everyone changes at once"
            told = first.call("append_context", user_id="shared", domain=DOMAIN, content=content)
            self.shared.append(told["context_id"])
        first.close()

    def _kill(self, kills: int) -> int:
        dice = random.Random(self.seed)
        done = 0
        deadline = time.monotonic() + 15 * kills
        while done < kills and time.monotonic() < deadline:
            client = dice.choice(self.clients)
            if not (client.ready and client.busy.wait(0.1)):
                time.sleep(0.02)
                continue
            time.sleep(dice.random() * 0.004)
            if client.server.process.poll() is None:
                client.server.process.kill()
                done += 1
            time.sleep(PAUSE_S)
        return done

    def _hold(self, seconds: float) -> None:
        """Keep one reader's snapshot open."""
        path = store_path(Settings(home=self.home))
        reader = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM context").fetchall()
        self.over.wait(seconds)
        reader.close()

    def _watch_wal(self) -> None:
        """The largest the WAL gets; stat alone, the file itself is SQLite's."""
        path = Path(f"{store_path(Settings(home=self.home))}-wal")
        while not self.over.wait(WAL_WATCH_S):
            if path.exists():
                self.wal_last = path.stat().st_size
                self.wal_peak = max(self.wal_peak, self.wal_last)


@dataclass
class Read:
    """What a fresh process found."""

    contexts: dict[str, tuple[str, int, int]]
    counters: dict[str, int | None]
    verify: VerifyReport


async def read_back(settings: Settings, ids: list[str], users: list[str]) -> Read:
    """(content, revision, length of history) of each context, each user's counter, integrity."""
    contexts: dict[str, tuple[str, int, int]] = {}
    counters: dict[str, int | None] = {}
    async with open_service(settings) as service:
        call = local_call(settings, "crowd")
        for context_id in ids:
            try:
                history: tuple[Context, ...] = await service.history(call, context_id)
            except LinealError:
                continue
            last = history[-1]
            contexts[context_id] = (last.content, last.revision, len(history))
        for user in users:
            try:
                row = await service.get_user(call, GetUser(user_id=user, domain=DOMAIN))
                counters[user] = (row.extras or {}).get("n")
            except LinealError:
                counters[user] = None
        verify = await service.verify()
    return Read(contexts, counters, verify)


def read_control(home: Path) -> Read:
    rows = json.loads((home / "kept.json").read_text())
    contexts = {i: (row["content"], row["revision"], row["revision"]) for i, row in rows.items()}
    return Read(contexts, {}, VerifyReport(checked=len(rows)))


def judged(crowd: Crowd, read: Read, killed: int, seconds: float) -> dict[str, Any]:
    """What was told against what is there."""
    told = [client.told for client in crowd.clients]
    expected = {i: texts for t in told for i, texts in t.contents.items()}
    lost = [i for i in expected if i not in read.contexts]
    wrong = [
        i
        for i, texts in expected.items()
        if i in read.contexts and read.contexts[i][0] not in texts
    ]
    broken = [i for i, (_, revision, history) in read.contexts.items() if revision != history]
    acked = sum(t.shared_updates for t in told)
    stored = sum(read.contexts.get(i, ("", 1, 1))[1] - 1 for i in crowd.shared)
    unknown = sum(t.unknown for t in told)
    counters = [
        (t.counter, read.counters.get(f"u{n}")) for n, t in enumerate(told) if not crowd.control
    ]
    waits = sorted(wait for t in told for wait in t.waits_s)
    per_server = [len(t.waits_s) for t in told]
    errors = [error for t in told for error in t.errors]
    return {
        "seed": crowd.seed,
        "servers": len(told),
        "seconds": round(seconds, 1),
        "killed": killed,
        "calls": len(waits),
        "calls_per_s": round(len(waits) / seconds, 1),
        "acked_contexts": len(expected),
        "lost_contexts": len(lost),
        "wrong_contexts": len(wrong),
        "broken_histories": len(broken),
        "shared_updates_acked": acked,
        "shared_updates_stored": stored,
        "outcome_unknown": unknown,
        # A killed client's last upsert may or may not stand; every other one must.
        "lost_updates": max(0, acked - stored) + max(0, stored - acked - unknown),
        "lost_upserts": sum(
            1 for want, got in counters if got is None or got not in (want, want - 1)
        ),
        "client_errors": len(errors),
        "errors": errors[:5],
        "wait_p50_ms": round(statistics.median(waits) * 1e3, 1),
        "wait_p99_ms": round(waits[int(len(waits) * 0.99)] * 1e3, 1),
        "wait_worst_ms": round(waits[-1] * 1e3, 1),
        "fairness_min_over_max": round(min(per_server) / max(per_server), 2),
        "wal_peak_mib": round(crowd.wal_peak / 2**20, 2),
        "wal_at_the_end_mib": round(crowd.wal_last / 2**20, 2),
        "verified_rows": read.verify.checked,
        "verify_ok": read.verify.ok,
        "verify_problems": [*read.verify.damaged, *read.verify.problems][:5],
    }


def broken(result: dict[str, Any]) -> bool:
    """Whether a promise was broken."""
    counts = ("lost_contexts", "wrong_contexts", "broken_histories", "lost_updates", "lost_upserts")
    return any(result[name] for name in (*counts, "client_errors")) or not result["verify_ok"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--hold", type=float, default=0)
    parser.add_argument("--no-queue", action="store_true")
    parser.add_argument("--control", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lineal-crowd-") as scratch:
        home = Path(scratch) / "home"
        if asked.control:
            home.mkdir()
        crowd = Crowd(
            home,
            servers=asked.servers,
            seed=asked.seed,
            killing=asked.kills > 0,
            control=asked.control,
            queue=not asked.no_queue,
        )
        start = time.monotonic()
        killed = crowd.run(asked.seconds, asked.kills, asked.hold)
        seconds = time.monotonic() - start
        ids = [i for client in crowd.clients for i in client.told.contents] + crowd.shared
        if asked.control:
            read = read_control(home)
        else:
            users = [f"u{client.number}" for client in crowd.clients]
            read = anyio.run(read_back, Settings(home=home), ids, users)
        result = judged(crowd, read, killed, seconds)
    print(json.dumps(result, indent=2))
    return int(broken(result) != asked.control)


if __name__ == "__main__":
    sys.exit(main())
