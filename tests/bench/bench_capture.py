"""What watching costs: an append with and without it, and a hook's own process.

    python tests/bench/bench_capture.py [--rounds 300] > capture.json

Servers with and without capture are called in turn, each as Claude Code calls: the call's id in
`_meta`, a prompt for every five calls, and a transcript that grows. "ready": the call's line stands
in the transcript when the call comes, and a hook has told of it. "late": no hooks, and the line is
written after the call, so that the lineage is completed in the background. "paced" leaves 40 ms
between calls, as an agent leaves more; "tight" leaves none. Bars: append p50 with capture <= 1.10 x
without, `lineal hook` <= 2 x `python -c pass`.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rpc import LINEAL, Rpc, clean_environment

from lineal.capture import ledgers, told

WARM_UP = 20
CONTENT = (
    "Mara said on Tuesday that the importer must keep the old column order, because the finance "
    "export of {} still reads by position; she will tell us when that is gone."
)
FILLER = "x" * 2_000
"""What a tool says back, in the transcript between two calls."""


class Session:
    """One client session: its transcript, its ledger, its server."""

    def __init__(self, home: Path, name: str, *, capture: bool) -> None:
        self.name = f"session-{name}"
        self.home = home / name
        self.project = self.home / "proj"
        self.project.mkdir(parents=True)
        slug = "".join(c if c.isalnum() else "-" for c in str(self.project))
        self.transcript = self.home / ".claude" / "projects" / slug / f"{self.name}.jsonl"
        self.transcript.parent.mkdir(parents=True)
        environment = clean_environment(
            HOME=str(self.home),
            LINEAL_HOME=str(self.home / "lineal"),
            LINEAL_USER="u",
            LINEAL_DOMAIN="notes",
            LINEAL_CAPTURE="on" if capture else "off",
            CLAUDE_CODE_SESSION_ID=self.name,
            CLAUDE_PROJECT_DIR=str(self.project),
        )
        self.server = Rpc(LINEAL, environment)
        self.server.handshake("claude-code")
        self._number = 0
        self._prompt = ""

    def append(self, text: str, *, late: bool) -> float:
        """Milliseconds of one append."""
        self._number += 1
        use = f"toolu_{self.name}{self._number:06d}".replace("-", "")
        if self._number % 5 == 1:
            self._begin()
        given = {"content": text}
        if not late:
            self._tell(use, given)
            self._write(use, given)
        start = time.perf_counter()
        self.server.call("append_context", meta={"claudecode/toolUseId": use}, **given)
        took = (time.perf_counter() - start) * 1e3
        if late:
            self._write(use, given)
        return took

    def _begin(self) -> None:
        self._prompt = f"prompt-{self._number}"
        message = {"role": "user", "content": "please"}
        self._line({"type": "user", "message": message, "turnOrigin": "human"})

    def _write(self, use: str, given: Mapping[str, Any]) -> None:
        """Another tool's call and its answer, then this one."""
        other = {"type": "tool_use", "id": f"{use}o", "name": "Bash", "input": {"command": "ls"}}
        own = {"type": "tool_use", "id": use, "name": "mcp__lineal__append_context", "input": given}
        answer = {"type": "tool_result", "tool_use_id": f"{use}o", "content": FILLER}
        for block in (other, answer, own):
            kind = "user" if block is answer else "assistant"
            message = {"role": kind, "model": "claude-sonnet-5", "content": [block]}
            self._line({"type": kind, "message": message})

    def _line(self, line: Mapping[str, Any]) -> None:
        whole = {
            **line,
            "sessionId": self.name,
            "promptId": self._prompt,
            "timestamp": "2026-11-21T18:02:20.597Z",
        }
        with self.transcript.open("a", encoding="utf-8") as file:
            file.write(json.dumps(whole) + "\n")

    def _tell(self, use: str, given: Mapping[str, Any]) -> None:
        event = {
            "hook_event_name": "PreToolUse",
            "session_id": self.name,
            "transcript_path": str(self.transcript),
            "prompt_id": self._prompt,
            "tool_use_id": use,
            "tool_name": "mcp__lineal__append_context",
        }
        record = told.of_claude(event, time.time_ns() // 1_000_000)
        assert record is not None
        home = str(self.home / "lineal")
        ledgers.append(home, "claude-code", self.name, told.line_of(record))


def appends(rounds: int, home: Path, *, late: bool, pause_s: float) -> dict[str, Any]:
    """p50 with and without, and their ratio."""
    kind = f"{'late' if late else 'ready'}-{'paced' if pause_s else 'tight'}"
    sessions = {
        "with": Session(home, f"{kind}-with", capture=True),
        "without": Session(home, f"{kind}-without", capture=False),
    }
    samples: dict[str, list[float]] = {name: [] for name in sessions}
    for i in range(-WARM_UP, rounds):
        for name, session in sessions.items():
            took = session.append(CONTENT.format(i), late=late)
            if i >= 0:
                samples[name].append(took)
            time.sleep(pause_s)
    for session in sessions.values():
        session.server.close()
    p50 = {name: statistics.median(values) for name, values in samples.items()}
    return {
        **{f"{name} p50_ms": round(value, 3) for name, value in p50.items()},
        "ratio": round(p50["with"] / p50["without"], 3),
        "n": rounds,
    }


EVENTS = {
    "claude-code": {
        "session_id": "754238ae-ad89-4676-8080-bbcee1172751",
        "transcript_path": "/home/dev/.claude/projects/-home-dev-proj/754238ae.jsonl",
        "cwd": "/home/dev/proj",
        "hook_event_name": "SessionStart",
        "source": "startup",
        "model": "claude-sonnet-5",
    },
    "cursor": {
        "conversation_id": "c-1",
        "generation_id": "g-1",
        "model": "claude-sonnet-5",
        "hook_event_name": "postToolUse",
        "cursor_version": "2.9",
        "workspace_roots": ["/home/dev/proj"],
        "user_email": "dev@example.org",
        "tool_use_id": "t-1",
        "tool_name": "Shell",
        "tool_input": json.dumps({"command": "make test", "cwd": "/home/dev/proj"}),
        "tool_output": FILLER,
        "duration": 12.5,
    },
}


def hooks(rounds: int, home: Path) -> dict[str, Any]:
    """Medians of whole processes in turn, and their ratios to `python -c pass`."""
    script = Path(sys.executable).with_name("lineal")
    commands: dict[str, tuple[list[str], bytes]] = {"pass": ([sys.executable, "-c", "pass"], b"")}
    for client, event in EVENTS.items():
        said = json.dumps(event).encode()
        commands[f"-m lineal hook {client}"] = (
            [sys.executable, "-m", "lineal", "hook", client],
            said,
        )
        commands[f"lineal hook {client}"] = ([str(script), "hook", client], said)
    environment = clean_environment(LINEAL_HOME=str(home / "hooks"))
    samples: dict[str, list[float]] = {name: [] for name in commands}
    for i in range(-3, rounds):
        for name, (command, said) in commands.items():
            start = time.perf_counter()
            subprocess.run(command, input=said, env=environment, check=True, capture_output=True)
            if i >= 0:
                samples[name].append((time.perf_counter() - start) * 1e3)
    p50 = {name: statistics.median(values) for name, values in samples.items()}
    return {
        name: {"p50_ms": round(value, 2), "ratio": round(value / p50["pass"], 2)}
        for name, value in p50.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=300)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="lineal-bench-") as place:
        home = Path(place)
        result = {
            "machine": platform.platform(),
            "append": {
                f"{'late' if late else 'ready'}, {'paced' if pause_s else 'tight'}": appends(
                    rounds, home, late=late, pause_s=pause_s
                )
                for late in (False, True)
                for pause_s in (0.04, 0.0)
            },
            "hook": hooks(max(30, rounds // 8), home),
            "bars": {"append": 1.10, "hook": 2.0},
        }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
