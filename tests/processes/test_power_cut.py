"""What was acknowledged survives a power cut; the controls show that the harness bites."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

POWER_CUT = Path(__file__).with_name("power_cut.py")


def power_cut(*arguments: str) -> dict[str, Any]:
    run = subprocess.run(
        [sys.executable, str(POWER_CUT), *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    result: dict[str, Any] = json.loads(run.stdout)
    return result


@pytest.mark.slow
def test_no_acknowledged_write_is_lost_to_a_power_cut() -> None:
    """E4"""
    result = power_cut("--seeds", "150")
    assert result["cuts"] == 150
    assert result["acked_lost"] == 0, result
    assert result["damaged_stores"] == 0, result
    assert result["not_a_prefix"] == 0, result


@pytest.mark.slow
def test_normal_durability_may_lose_the_last_writes_but_damages_nothing() -> None:
    result = power_cut("--seeds", "30", "--durability", "normal")
    assert result["acked_lost"] > 0
    assert result["damaged_stores"] == 0, result
    assert result["not_a_prefix"] == 0, result


@pytest.mark.slow
def test_a_disk_that_lies_about_syncs_is_caught() -> None:
    result = power_cut("--seeds", "15", "--ignore-syncs")
    assert result["acked_lost"] > 0
    assert result["damaged_stores"] > 0
