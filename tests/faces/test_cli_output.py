"""What the command line writes: into pipes, into full disks, into nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lineal.faces.cli.moments import day

from . import test_cli
from .test_cli import run

home = test_cli.home
ids = test_cli.ids

FULL = Path("/dev/full")
NOW = datetime(2026, 3, 2, 9, 14, tzinfo=UTC)


def shell(script: str) -> subprocess.CompletedProcess[str]:
    """The script, in which `lineal` stands for this package's command."""
    line = f"lineal() {{ '{sys.executable}' -m lineal \"$@\"; }}\n{script}"
    return subprocess.run(["/bin/bash", "-c", line], capture_output=True, text=True)


@pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")
@pytest.mark.parametrize(
    "command", ["search cache", "stats", "stats --json", "--help", "search --help", "trace ID"]
)
def test_a_full_disk_is_told_in_one_line(ids: Mapping[str, str], command: str) -> None:
    done = shell(f"lineal {command.replace('ID', ids['rule'])} >{FULL}")
    assert done.returncode == 1
    assert "No space left on device" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no shell that closes a stream")
@pytest.mark.parametrize("command", ["stats", "stats --json", "--help", "search cache"])
def test_a_closed_output_is_told_in_one_line(ids: Mapping[str, str], command: str) -> None:
    done = shell(f"lineal {command} >&-")
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: Standard output is closed, so there is nowhere to answer."
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="no shell that closes a stream")
def test_without_a_stderr_it_goes_on(ids: Mapping[str, str], tmp_path: Path) -> None:
    done = shell("lineal verify 2>&-; echo $?; lineal show ctx_nowhere 2>&-; echo $?")
    assert done.stdout.splitlines()[-2:] == ["0", "1"]
    assert "none damaged" in done.stdout
    copied = shell(f"lineal backup '{tmp_path}/copy.db' 2>&-")
    assert (copied.returncode, (tmp_path / "copy.db").exists()) == (0, True)


@pytest.mark.skipif(sys.platform == "win32", reason="no such pipes")
@pytest.mark.parametrize("command", ["search", "stats --json", "--help", "history ID"])
def test_a_reader_that_went_away_is_no_failure_to_tell(
    ids: Mapping[str, str], command: str
) -> None:
    told = shell(
        f"set -o pipefail; {{ sleep 0.3; lineal {command.replace('ID', ids['rule'])}; }} | true"
    )
    assert "Traceback" not in told.stderr
    assert "Exception" not in told.stderr
    assert told.returncode in (0, 1)


def test_a_piped_table_has_no_blanks_at_its_ends(ids: Mapping[str, str]) -> None:
    for arguments in (("search",), ("stats",), ("history", ids["rule"]), ("trace", ids["rule"])):
        lines = run(*arguments).stdout.splitlines()
        assert lines
        assert [line for line in lines if line != line.rstrip()] == []


def test_a_piped_table_is_as_wide_as_it_is_told_to_be(
    ids: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = max(map(len, run("search", "lock file").stdout.splitlines()))
    monkeypatch.setenv("COLUMNS", "40")
    assert wide > 40
    assert max(map(len, run("search", "lock file").stdout.splitlines())) <= 40


def test_a_hit_says_when_it_was_said_and_when_it_was_stored(ids: Mapping[str, str]) -> None:
    told = run("search", "lock file").stdout
    assert "said 2026-03-02 · stored today, for good" in told
    assert "stored today, 1 h left" in run("search", "oven").stdout
    assert day(NOW - timedelta(hours=9), NOW) == "today"
    assert day(NOW - timedelta(days=3), NOW) == "2026-02-27, 3 d ago"


@pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")
def test_a_full_disk_is_told_to_machines_in_json(ids: Mapping[str, str]) -> None:
    done = shell(f"lineal stats --json >{FULL}")
    assert json.loads(done.stderr)["error"]["code"] == "unavailable"
