"""Processes that are killed while they write for a remote, and while they deliver."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CROWD = Path(__file__).parents[1] / "bench" / "bench_outbox_crowd.py"


@pytest.mark.slow
@pytest.mark.parametrize("remote", ["nia", "jean"])
def test_what_was_acknowledged_arrives_in_order_whoever_is_killed(remote: str) -> None:
    """And once, where the contract lets it be looked for."""
    run = subprocess.run(
        [sys.executable, str(CROWD), "--writes", "200", "--kills", "3", "--remote", remote],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    result: dict[str, Any] = json.loads(run.stdout)
    assert result["acked"] == 200
    assert (result["lost"], result["disordered"], result["left"]) == (0, 0, 0), result
    assert result["doubled"] <= (0 if remote == "nia" else result["repeated"]), result
