"""Several processes write for a remote that is down, are killed with -9 at random, and deliver
once it is there: what was acknowledged is at the remote, in each user's order.

    python tests/bench/bench_outbox_crowd.py --writes 10000 --writers 4 --kills 12 --remote nia

Prints JSON; the exit status is 1 when anything was lost or out of order, or doubled where the
contract lets it be known.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import apsw
from pydantic import SecretStr

from lineal.app import open_outbox
from lineal.backends import backend_of, ledger_path
from lineal.clock import SystemClock, monotonic_s
from lineal.models.changes import Life, Scope, Stamp
from lineal.models.context import AppendContext
from lineal.models.forwarding import OutboxState
from lineal.models.lineage import Evidence
from lineal.settings import Settings
from lineal.testing.contracts.faults import answering, busy, cut_after, cut_before, cut_within
from lineal.testing.contracts.jean import JeanContract
from lineal.testing.contracts.nia import NiaContract
from lineal.testing.contracts.server import Contract, serving

DOMAIN = "notes"
KEY = "a-key-of-nobody"
FAULTS = 16
"""Of the remote's first requests."""


def settings_of(home: Path, scheme: str, url: str) -> Settings:
    return Settings(
        home=home,
        backend=SecretStr(f"{scheme}://"),
        remote_url=SecretStr(url),
        remote_key=SecretStr(KEY),
        remote_timeout_s=3.0,
        embedder="none",
        capture="off",
    )


def text_of(number: int, user: str) -> str:
    return f"Note {number} of {user}: the lantern on shelf {number} is made of copper and glass."


async def write(settings: Settings, numbers: range, users: int) -> None:
    """A line for each acknowledged write, then go on delivering until killed."""
    backend = backend_of(settings)
    await backend.open()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(backend.background)
        for number in numbers:
            user = f"user{number % users}"
            scope = Scope(tenant="local", user_id=user, domain=DOMAIN)
            stamp = Stamp(scope=scope, evidence=Evidence(tool="append_context"), provision=True)
            request = AppendContext(content=text_of(number, user), source="chat")
            answer = await backend.append_context(stamp, request, Life())
            print(json.dumps([number, user, answer.context_id]), flush=True)
        print("done", flush=True)
        await anyio.sleep_forever()


class Writer:
    """A process that writes its numbers; killed, another goes on where it was."""

    def __init__(self, arguments: list[str], numbers: range) -> None:
        self._arguments = arguments
        self._left = numbers
        self.acked: list[tuple[int, str]] = []
        self.done = threading.Event()
        self._start()

    def _start(self) -> None:
        span = [str(self._left.start), str(self._left.stop)]
        self._process = subprocess.Popen(
            [sys.executable, __file__, "--role", "write", "--numbers", *span, *self._arguments],
            stdout=subprocess.PIPE,
            text=True,
        )
        threading.Thread(target=self._read, args=(self._process,), daemon=True).start()

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith("done"):
                self.done.set()
            elif line.endswith("\n"):
                number, user, _ = json.loads(line)
                self.acked.append((number, user))

    def kill(self) -> None:
        """With -9, and start again behind the last acknowledged write."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        time.sleep(0.1)  # the reader comes to the end of what was said
        last = max((number for number, _ in self.acked), default=self._left.start - 1)
        self._left = range(last + 1, self._left.stop)
        self.done.clear()
        self._start()

    def end(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


def remote_of(scheme: str, chance: random.Random) -> Contract:
    """The remote, with a fault for many of its first requests."""
    app: Contract = JeanContract(KEY) if scheme == "jean" else NiaContract(KEY, SystemClock())
    path = {"jean": "/context", "nia": "/contexts"}[scheme]
    faults = [busy(0), answering(503), answering(500), cut_before, cut_after, cut_within]
    app.faults.add("POST", path, *(chance.choice(faults) for _ in range(FAULTS)))
    return app


async def state_of(settings: Settings) -> OutboxState:
    async with open_outbox(settings) as outbox:
        return await outbox.state()


def written(settings: Settings) -> dict[str, list[str]]:
    """The texts of each user in the order in which the ledger took them."""
    connection = apsw.Connection(str(ledger_path(settings)), flags=apsw.SQLITE_OPEN_READONLY)
    rows = connection.execute(
        "SELECT user_id, body FROM context JOIN context_revision ON context_seq = seq "
        "WHERE number = 1 ORDER BY seq"
    )
    found: dict[str, list[str]] = {}
    for user, body in rows:
        found.setdefault(user, []).append(json.loads(body)["content"])
    connection.close()
    return found


def arrived(app: Contract) -> dict[str, list[str]]:
    """The texts of each user in the order in which the remote took them, as often as it did."""
    found: dict[str, list[str]] = {}
    for text in _taken(app):
        found.setdefault(text.split(" of ")[1].split(":")[0], []).append(text)
    return found


def _taken(app: Contract) -> Iterator[str]:
    if isinstance(app, NiaContract):
        yield from (context["content"] for context in app.contexts.values())
    elif isinstance(app, JeanContract):
        yield from (kept.content for kept in app.contexts)


async def crowd(options: argparse.Namespace) -> dict[str, Any]:
    chance = random.Random(options.seed)
    app = remote_of(options.remote, chance)
    port = _free_port()
    base = {"nia": "/v2", "jean": "/v1"}[options.remote]
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        url = f"http://127.0.0.1:{port}{base}"
        settings = settings_of(home, options.remote, url)
        common = ["--home", str(home), "--url", url, "--remote", options.remote]
        each = options.writes // options.writers
        spans = [range(n * each, (n + 1) * each) for n in range(options.writers)]
        began_s = monotonic_s()
        writers = [Writer([*common, "--users", str(options.users)], span) for span in spans]
        for _ in range(options.kills):
            await anyio.sleep(chance.uniform(0.3, 1.2))
            chance.choice(writers).kill()
        while not all(writer.done.is_set() for writer in writers):  # noqa: ASYNC110 - processes
            await anyio.sleep(0.1)
        wrote_s = monotonic_s() - began_s
        waiting = (await state_of(settings)).waiting
        began_s = monotonic_s()
        async with serving(app, port=port):
            for _ in range(options.kills):
                await anyio.sleep(chance.uniform(0.3, 1.2))
                chance.choice(writers).kill()
            state = await _emptied(settings, options.patience)
            for writer in writers:
                writer.end()
        result = judged(writers, written(settings), arrived(app))
        return {
            "seed": options.seed,
            "remote": options.remote,
            "writes": options.writes,
            "waiting_before": waiting,
            "written_per_s": round(options.writes / wrote_s),
            "delivered_s": round(monotonic_s() - began_s, 1),
            "left": state.waiting,
            "dead": state.dead,
            "repeated": state.repeated,
            **result,
        }


async def _emptied(settings: Settings, patience_s: float) -> OutboxState:
    """The outbox once nothing waits in it."""
    until_s = monotonic_s() + patience_s
    while (state := await state_of(settings)).waiting and monotonic_s() < until_s:  # noqa: ASYNC110
        await anyio.sleep(0.5)
    return state


def judged(
    writers: list[Writer], kept: dict[str, list[str]], there: dict[str, list[str]]
) -> dict[str, Any]:
    """lost: acknowledged and not at the remote. doubled: there more than once. disordered: users
    whose texts came in another order than they were written in."""
    counts = Counter(text for texts in there.values() for text in texts)
    acked = {text_of(number, user) for writer in writers for number, user in writer.acked}
    first_seen = {user: list(dict.fromkeys(texts)) for user, texts in there.items()}
    return {
        "acked": len(acked),
        "lost": len(acked - counts.keys()),
        "doubled": sum(count - 1 for count in counts.values()),
        "disordered": sum(first_seen.get(user) != texts for user, texts in kept.items()),
    }


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--role", default="crowd")
    parser.add_argument("--writes", type=int, default=10_000)
    parser.add_argument("--writers", type=int, default=4)
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--remote", choices=("nia", "jean"), default="nia")
    parser.add_argument("--patience", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--numbers", type=int, nargs=2)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--url")
    options = parser.parse_args()
    if options.role == "write":
        settings = settings_of(options.home, options.remote, options.url)
        anyio.run(write, settings, range(*options.numbers), options.users)
        return 0
    result = anyio.run(crowd, options)
    print(json.dumps(result))
    wrong = result["lost"] + result["disordered"] + result["left"] + result["dead"]
    return int(
        bool(wrong) or result["doubled"] > (0 if options.remote == "nia" else result["repeated"])
    )


if __name__ == "__main__":
    sys.exit(main())
