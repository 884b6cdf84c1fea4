"""Many real server processes on one file: what clients were told is what a fresh process reads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CROWD = Path(__file__).parents[1] / "bench" / "bench_crowd.py"


def crowd(*arguments: str, expect: int = 0) -> dict[str, Any]:
    """The result of a run of the crowd; its seed is in it."""
    run = subprocess.run(
        [sys.executable, str(CROWD), *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == expect, run.stdout + run.stderr
    result: dict[str, Any] = json.loads(run.stdout)
    return result


@pytest.mark.slow
def test_eight_servers_that_meet_on_a_new_file_lose_nothing() -> None:
    result = crowd("--servers", "8", "--seconds", "10")
    assert result["acked_contexts"] > 100
    assert result["client_errors"] == 0, result
    assert result["wal_peak_mib"] < 64


@pytest.mark.slow
def test_servers_killed_in_the_midst_of_writes_lose_nothing_they_acknowledged() -> None:
    result = crowd("--servers", "4", "--kills", "12")
    assert result["killed"] == 12, result
    assert result["acked_contexts"] > 50


@pytest.mark.slow
def test_the_crowd_catches_a_server_that_acknowledges_too_early() -> None:
    result = crowd("--servers", "4", "--seconds", "3", "--control")
    assert result["lost_contexts"] + result["lost_updates"] > 0
