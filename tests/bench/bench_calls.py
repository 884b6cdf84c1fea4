"""What a call costs: append and get against an SDK echo and a bare SQLite commit, in one run.

    python tests/bench/bench_calls.py [--rounds 300] > calls.json

Rounds are interleaved, so that a machine whose speed drifts is compared with itself. Bars: append
p50 <= 2 x (echo + commit), an append that is read into a user's row 1.5 x that, get p50 <= 1.5 x
echo, resident memory <= 1.5 x the echo server's after 1,000 writes (before a text has been read
that needs the embedder: that server stands apart). Floors are given for both the SDK's servers; the
bars are held to the quicker one.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import apsw
from rpc import LINEAL, Rpc, clean_environment

HERE = Path(__file__).parent
WARM_UP = 20
"""Rounds that don't count."""

CONTENT = (
    "Mara said on Tuesday that the importer must keep the old column order, because the finance "
    "export of {} still reads by position; she will tell us when that is gone."
)


def timed(action: Callable[[str], object], text: str) -> float:
    """Milliseconds that the action took."""
    start = time.perf_counter()
    action(text)
    return (time.perf_counter() - start) * 1e3


def summary(samples: list[float]) -> dict[str, float]:
    ordered = sorted(samples)
    return {
        "p50_ms": round(statistics.median(ordered), 3),
        "p95_ms": round(ordered[int(len(ordered) * 0.95)], 3),
        "max_ms": round(ordered[-1], 3),
        "n": len(ordered),
    }


def bare_store(path: Path) -> Callable[[str], object]:
    """One durable commit of one row: the floor of any write."""
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, body TEXT)")
    return lambda text: connection.execute("INSERT INTO t (body) VALUES (?)", (text,)).fetchall()


def measure(rounds: int, home: Path) -> dict[str, object]:
    environment = clean_environment(LINEAL_HOME=str(home / "lineal"))
    servers = {
        "lineal": Rpc(LINEAL, environment),
        "reading": Rpc(LINEAL, clean_environment(LINEAL_HOME=str(home / "reading"))),
        "echo_low": Rpc([sys.executable, str(HERE / "echo_servers.py"), "low"], environment),
        "echo_high": Rpc([sys.executable, str(HERE / "echo_servers.py"), "high"], environment),
    }
    for server in servers.values():
        server.handshake()
    lineal = servers["lineal"]
    lineal.call("upsert_user", user_id="u", domain="notes", fields={"name": "Mara"})
    servers["reading"].call("upsert_user", user_id="u", domain="coding", fields={"os": "linux"})
    commit = bare_store(home / "bare.db")
    samples: dict[str, list[float]] = {}
    last = ""

    def append(text: str, domain: str, server: Rpc = lineal) -> str:
        nonlocal last
        answer = server.call("append_context", user_id="u", domain=domain, content=text)
        last = answer["context_id"] if server is lineal else last
        return text

    actions: dict[str, Callable[[str], object]] = {
        "append": lambda text: append(text, "notes"),
        "append_extracting": lambda text: append(text, "coding", servers["reading"]),
        "get": lambda text: lineal.call("get_context", context_id=last),
        "search": lambda text: lineal.call("search_context", query="finance export", user_id="u"),
        "bare_commit": commit,
        "echo_low": lambda text: servers["echo_low"].call("echo", text=text),
        "echo_high": lambda text: servers["echo_high"].call("echo", text=text),
    }
    for i in range(-WARM_UP, rounds):
        text = CONTENT.format(i)
        for name, action in actions.items():
            took = timed(action, text)
            if i >= 0:
                samples.setdefault(name, []).append(took)
    for i in range(max(0, 1000 - rounds)):
        append(CONTENT.format(-i), "notes")
    time.sleep(3)
    rss = {name: server.rss_bytes() for name, server in servers.items()}
    for server in servers.values():
        server.close()
    return report({name: summary(values) for name, values in samples.items()}, rss)


def report(times: dict[str, dict[str, float]], rss: dict[str, int]) -> dict[str, object]:
    p50 = {name: figures["p50_ms"] for name, figures in times.items()}
    floors = {kind: p50[f"echo_{kind}"] for kind in ("low", "high")}
    ratios = {
        kind: {
            "append / (echo + commit)": round(p50["append"] / (echo + p50["bare_commit"]), 2),
            "append_extracting / (echo + commit)": round(
                p50["append_extracting"] / (echo + p50["bare_commit"]), 2
            ),
            "append_extracting / append": round(p50["append_extracting"] / p50["append"], 2),
            "get / echo": round(p50["get"] / echo, 2),
            "search / echo": round(p50["search"] / echo, 2),
            "rss / echo rss": round(rss["lineal"] / rss[f"echo_{kind}"], 2),
        }
        for kind, echo in floors.items()
    }
    return {
        "machine": platform.platform(),
        "times": times,
        "rss_mib": {name: round(size / 2**20, 1) for name, size in rss.items()},
        "ratios_to_sdk": ratios,
        "bars": {"append": 2.0, "append_extracting": 3.0, "get": 1.5, "rss": 1.5},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lineal-bench-") as home:
        print(json.dumps(measure(arguments.rounds, Path(home)), indent=2))


if __name__ == "__main__":
    main()
