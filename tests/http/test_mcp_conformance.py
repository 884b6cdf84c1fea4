"""The protocol's official conformance suite, against our own server and against the suite's
fixtures behind our gate and process.

It needs Node 22 and the package @modelcontextprotocol/conformance (tried with 0.2.0-alpha.12):
MCP_CONFORMANCE names its dist/index.js, MCP_CONFORMANCE_NODE a Node that isn't on the path.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.http.serving import process

SUITE = os.environ.get("MCP_CONFORMANCE", "")
NODE = os.environ.get("MCP_CONFORMANCE_NODE") or shutil.which("node") or ""
ROOT = Path(__file__).parents[2]
REVISIONS = ("2025-11-25", "2026-07-28")
WITHIN_S = 180

PLAIN = {
    *("server-initialize", "ping", "tools-list", "resources-list", "prompts-list", "caching"),
    *("dns-rebinding-protection", "server-sse-multiple-streams", "server-session-lifecycle"),
    *("sep-2164-resource-not-found", "http-header-validation"),
    *("input-required-result-unsupported-methods",),
}
"""Scenarios that call for no tool, prompt or resource of the suite's own."""

OUTCOME = re.compile(
    r"^ *(✓|✗) ([a-z0-9-]+)(?:: \d+ passed, \d+ failed| \((\w[\w -]*)\))", re.MULTILINE
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (NODE and Path(SUITE).is_file()), reason="MCP_CONFORMANCE names no suite, or no node"
    ),
]


def outcomes(address: str, revision: str, results: Path) -> dict[str, bool]:
    """Each scenario that the revision requires, and whether all of it passed; those that the suite
    itself doesn't score are left out."""
    command = [NODE, SUITE, "server", "--url", address, "--requirements", revision]
    done = subprocess.run(
        [*command, "-o", str(results)],
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        cwd=results,
        check=False,
    )
    _, _, summary = done.stdout.partition("=== SUMMARY ===")
    found = OUTCOME.findall(summary)
    assert found, done.stdout[-2_000:] + done.stderr[-2_000:]
    unscored = {name for _, name, why in found if why and why != "added-after-release"}
    return {name: mark == "✓" for mark, name, why in found if not why and name not in unscored}


@contextmanager
def fixtures() -> Iterator[str]:
    """The address of the suite's fixtures."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.http.conformance_server"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert running.stdout is not None
        yield running.stdout.readline().split()[-1] + "/mcp"
    finally:
        running.terminate()
        running.wait(timeout=10)
        if running.stdout is not None:
            running.stdout.close()


@pytest.mark.parametrize("revision", REVISIONS)
def test_our_own_server_does_what_the_protocol_says(tmp_path: Path, revision: str) -> None:
    with process(tmp_path, LINEAL_RATE_PER_SECOND="0") as running:
        found = outcomes(running.mcp, revision, tmp_path)
    plain = {name: passed for name, passed in found.items() if name in PLAIN}
    assert len(plain) >= 7
    assert [name for name, passed in plain.items() if not passed] == []


@pytest.mark.parametrize("revision", REVISIONS)
def test_what_carries_the_protocol_carries_all_of_it(tmp_path: Path, revision: str) -> None:
    with fixtures() as address:
        found = outcomes(address, revision, tmp_path)
    assert len(found) > 25
    assert [name for name, passed in found.items() if not passed] == []
