"""`lineal hook`: quick, silent and successful, whatever comes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lineal.capture import hook, ledgers
from lineal.settings import Settings

SESSION = "754238ae-ad89-4676-8080-bbcee1172751"
EVENT = {
    "session_id": SESSION,
    "transcript_path": "/home/dev/.claude/projects/-home-dev-proj/x.jsonl",
    "hook_event_name": "PreToolUse",
    "tool_name": "Bash",
    "tool_input": {"command": "echo hi"},
    "tool_use_id": "toolu_1",
}
GOOD = json.dumps(EVENT).encode()
DEEP = b'{"session_id":"s","hook_event_name":"PreToolUse","tool_input":' + b'{"a":' * 200_000
INPUTS = {
    "nothing": b"",
    "white space": b" \n",
    "broken JSON": b'{"session_id":',
    "no object": b'["SessionStart"]',
    "NUL bytes": b"\x00" * 1_000,
    "no UTF-8": b"\xff\xfe{}",
    "deep nesting": DEEP,
    "deep nesting, closed": b"[" * 200_000 + b"]" * 200_000,
    "deep input": b'{"session_id":"s","hook_event_name":"PreToolUse","tool_input":{"a":'
    + b"[" * 900
    + b"]" * 900
    + b"}}",
    "10 MB": b'{"session_id":"s","x":"' + b"x" * 10_000_000 + b'"}',
    "odd types": json.dumps({name: [{"a": 1}] for name in EVENT}).encode(),
    "an unknown event": json.dumps({**EVENT, "hook_event_name": "Novelty"}).encode(),
    "a huge number": b'{"session_id":"s","hook_event_name":"PreToolUse","ms":'
    + b"1" * 9_000
    + b"}",
    "a lone surrogate": b'{"session_id":"\\ud800","hook_event_name":"PreToolUse"}',
}


def ran(
    given: bytes, *arguments: str, environment: dict[str, str], **more: Any
) -> tuple[int, bytes, bytes]:
    done = subprocess.run(
        [sys.executable, "-m", "lineal", "hook", *(arguments or ("claude-code",))],
        input=given,
        env=environment,
        capture_output=True,
        timeout=60,
        check=False,
        **more,
    )
    return done.returncode, done.stdout, done.stderr


def at(home: Path, **more: str) -> dict[str, str]:
    return {"HOME": str(home), "LINEAL_HOME": str(home / "lineal"), **more}


def lines_in(home: Path) -> list[dict[str, Any]]:
    path = Path(ledgers.path_of(str(home), "claude-code", SESSION))
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


QUIET = (0, b"", b"")


@pytest.mark.parametrize("name", INPUTS)
def test_whatever_comes_it_decides_nothing_and_succeeds(tmp_path: Path, name: str) -> None:
    assert ran(INPUTS[name], "claude-code", environment=at(tmp_path)) == QUIET
    assert ran(INPUTS[name], "cursor", environment=at(tmp_path)) == (0, b"{}\n", b"")


@pytest.mark.parametrize("arguments", [["nobody"], ["claude-code", "--home"], ["", ""], ["--what"]])
def test_whatever_it_is_asked_for_it_is_silent(tmp_path: Path, arguments: list[str]) -> None:
    assert ran(GOOD, *arguments, environment=at(tmp_path)) == QUIET


def test_an_event_is_one_line_of_the_sessions_ledger(tmp_path: Path) -> None:
    for _ in range(2):
        assert ran(GOOD, environment=at(tmp_path)) == QUIET
    first, second = lines_in(tmp_path / "lineal")
    assert (first["use"], first["session"], first["label"]) == ("toolu_1", SESSION, "echo")
    assert first["at"] <= second["at"]


def test_a_home_can_be_named(tmp_path: Path) -> None:
    arguments = ("claude-code", "--home", str(tmp_path / "elsewhere"))
    assert ran(GOOD, *arguments, environment=at(tmp_path)) == QUIET
    assert len(lines_in(tmp_path / "elsewhere")) == 1
    assert not (tmp_path / "lineal").exists()


def test_where_capture_is_off_nothing_is_written(tmp_path: Path) -> None:
    assert ran(GOOD, environment=at(tmp_path, LINEAL_CAPTURE="off")) == QUIET
    assert [*tmp_path.iterdir()] == []


def test_a_home_that_cannot_be_written_is_nobodys_trouble(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for home in (
        tmp_path / "file",
        tmp_path / "file/below",
        Path("/proc/nowhere"),
        Path("/dev/null"),
    ):
        assert ran(GOOD, environment=at(tmp_path, LINEAL_HOME=str(home))) == QUIET
    loud = at(tmp_path, LINEAL_HOME=str(tmp_path / "file"), LINEAL_LOG_LEVEL="debug")
    status, out, err = ran(GOOD, environment=loud)
    assert (status, out) == (0, b"")
    assert err.startswith(b"lineal hook: NotADirectoryError")


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-", "1>/dev/full 2>&1"])
def test_closed_streams_are_nobodys_trouble(tmp_path: Path, closed: str) -> None:
    command = f'"{sys.executable}" -m lineal hook claude-code {closed}'
    for level in ("warning", "debug"):
        done = subprocess.run(
            ["/bin/sh", "-c", command],
            input=GOOD,
            env=at(tmp_path, LINEAL_LOG_LEVEL=level, LINEAL_HOME="/dev/null/x"),
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, b"")


NOBODY = """
import os, sys
import lineal.capture.hook, lineal.__main__
os.setuid(54321)
sys.argv = ["lineal", "hook", "claude-code"]
sys.exit(lineal.__main__.main())
"""


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root becomes nobody")
@pytest.mark.parametrize("home", [{}, {"HOME": ""}, {"HOME": "relative"}], ids=str)
def test_without_any_home_nothing_goes_where_the_agent_works(
    tmp_path: Path, home: dict[str, str]
) -> None:
    """A user that the machine doesn't know."""
    tmp_path.chmod(0o777)
    done = subprocess.run(
        [sys.executable, "-c", NOBODY],
        input=GOOD,
        env=home,
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == QUIET
    assert [*tmp_path.iterdir()] == []


ENVIRONMENTS: list[dict[str, str]] = [
    {"HOME": "/home/ada"},
    {"HOME": "/home/ada", "XDG_DATA_HOME": "/data"},
    {"HOME": "/home/ada", "XDG_DATA_HOME": ""},
    {"HOME": "/home/ada", "XDG_DATA_HOME": "relative"},
    {"HOME": "/home/ada", "XDG_DATA_HOME": " /data "},
    {"HOME": "/home/ada", "LINEAL_HOME": "~/memory"},
    {"HOME": "/home/ada", "LINEAL_HOME": ""},
    {"HOME": "/home/ada", "LINEAL_HOME": "/srv/my memory"},
    {"HOME": "/home/ada", "LINEAL_HOME": "relative"},
    {"HOME": ""},
    {"HOME": "relative"},
    {},
]


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=str)
def test_the_data_directory_is_the_settings(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "XDG_DATA_HOME", "LINEAL_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert Path(hook._home()) == Settings().home


HEAVY = {"re", "json", "typing", "pathlib", "enum", "datetime", "pydantic", "click", "hashlib"}


def imports(home: Path, *arguments: str, given: bytes = b"") -> set[str]:
    """Modules that a run of Python imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", *arguments],
        input=given,
        env=at(home),
        capture_output=True,
        timeout=60,
        check=True,
    )
    return {line.rsplit(b"|", 1)[-1].strip().decode() for line in done.stderr.splitlines()}


@pytest.mark.parametrize(
    ("client", "event"), [("claude-code", "PreToolUse"), ("cursor", "postToolUse")]
)
def test_next_to_nothing_is_imported(tmp_path: Path, client: str, event: str) -> None:
    """It runs at every tool use. What the machine's own Python imports at its start is not ours."""
    told = {**EVENT, "conversation_id": "c", "hook_event_name": event}
    ours = imports(tmp_path, "-m", "lineal", "hook", client, given=json.dumps(told).encode())
    assert "lineal.capture.told" in ours
    assert not (ours - imports(tmp_path, "-c", "pass")) & HEAVY
    assert len([*(tmp_path / "lineal/sessions").iterdir()]) == 1
