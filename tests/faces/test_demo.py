"""`lineal demo`: the main job, played to a real server process and checked."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import anyio
import pytest
from click.testing import CliRunner

from lineal.demo.chapters import _read
from lineal.demo.client import connected
from lineal.demo.conversation import Conversation
from lineal.demo.script import CONCLUSIONS, QUESTIONS
from lineal.demo.steps import Step
from lineal.demo.story import tell
from lineal.errors import LinealError
from lineal.faces.cli.main import cli
from lineal.models.lineage import Trace


class Listener:
    """A narrator that only keeps what it is told."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.turns: list[tuple[int, int]] = []

    def progress(self, done: int, total: int) -> None:
        self.turns.append((done, total))

    def told(self, step: Step) -> None:
        self.steps.append(step)


def test_the_conversation_reads_like_life() -> None:
    turns = Conversation.shipped().turns
    assert len(turns) >= 60
    assert len({turn.content for turn in turns}) == len(turns)
    assert {turn.speaker for turn in turns} == {"maya", "jonas"}
    assert len({turn.session_id for turn in turns}) > 5
    assert [turn.occurred_at for turn in turns] == sorted(turn.occurred_at for turn in turns)
    assert (turns[-1].occurred_at - turns[0].occurred_at).days > 20


def test_the_script_refers_to_what_was_said() -> None:
    names = {turn.name for turn in Conversation.shipped().turns if turn.name}
    for conclusion in CONCLUSIONS:
        assert names.issuperset(conclusion.derived_from)
        names.add(conclusion.name)
    assert all(names.issuperset(expected) for _, expected in QUESTIONS)


def test_the_demo_keeps_every_promise() -> None:
    result = CliRunner().invoke(cli, ["demo", "--json"])
    told = json.loads(result.stdout)
    assert told["broken"] == []
    assert (result.exit_code, told["ok"], len(told["steps"])) == (0, True, 10)
    assert not Path(told["home"]).exists()


def test_the_demo_tells_people_a_story_and_keeps_the_store_when_asked() -> None:
    result = CliRunner().invoke(cli, ["demo", "--keep"])
    assert result.exit_code == 0, result.output
    assert "promises kept" in result.stdout
    assert "── derived from (declared): The duplicate invoices" in result.stdout
    kept = Path(result.stdout.split("The store is kept in ")[1].split(",")[0])
    assert any(kept.iterdir())
    shutil.rmtree(kept.parent)


def test_the_demo_tells_dates_as_people_read_them() -> None:
    told = CliRunner().invoke(cli, ["demo"]).stdout
    assert re.search(r"episodic · 2026-03-\d\d \(\d+ d ago\) · ends in [67] d", told)
    assert "nobody waited" in told
    assert "LINEAL_CLOCK_OFFSET_S=3700, which moves its clock on by 62 minutes" in told
    assert "was read before (observed)" in told


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
@pytest.mark.parametrize("command", ["demo", "doctor"])
def test_a_process_that_is_told_to_end_leaves_nothing_behind(
    tmp_path: Path, name: str, command: str
) -> None:
    env = {"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
    argv = [sys.executable, "-m", "lineal", command]
    with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 20
        while not list(tmp_path.glob("lineal-*/**/lineal.db")) and time.monotonic() < deadline:
            assert process.poll() is None, process.communicate()
        process.send_signal(getattr(signal, name))
        process.communicate(timeout=30)
    assert process.returncode == 128 + getattr(signal, name)
    assert list(tmp_path.glob("lineal-*")) == []


@pytest.mark.parametrize("lost", ["nodes", "root"])
def test_an_answer_of_another_shape_is_a_broken_promise_and_no_traceback(lost: str) -> None:
    answer = {"root": "ctx_a", "direction": "up", "depth": 1, "nodes": [], "edges": []}
    assert _read(Trace, {**answer, "cut": {"shortened": {}}}, "trace_lineage").root == "ctx_a"
    del answer[lost]
    with pytest.raises(LinealError, match=f"trace_lineage answers otherwise .* {lost}: "):
        _read(Trace, answer, "trace_lineage")


@pytest.mark.parametrize("said", ["no such luck", ""])
def test_a_server_that_does_not_start_is_said_with_its_own_words(tmp_path: Path, said: str) -> None:
    listener = Listener()
    args = ("-c", f"import sys; sys.exit({said!r} or 1)")
    tale = anyio.run(tell, tmp_path, sys.executable, args, listener)
    assert len(tale.broken) == len(tale.steps) == len(listener.steps) == 1
    assert said in tale.broken[0]


async def test_serve_takes_its_settings_from_the_command_line_too(tmp_path: Path) -> None:
    options = ("--home", "memory", "--user", "ada", "--domain", "coding", "--tenant", "here")
    args = ("-m", "lineal", "serve", *options)
    log = tmp_path / "server.log"
    async with connected(sys.executable, args, {}, log, "a-client") as server:
        said = await server.call("append_context", content="Tea at four.")
        assert (said["user_id"], said["domain"]) == ("ada", "coding")
        with pytest.raises(LinealError, match="ctx_nowhere"):
            await server.call("get_context", context_id="ctx_nowhere")
    assert (tmp_path / "memory/lineal.db").exists()


async def test_a_read_only_server_lists_nothing_that_writes(tmp_path: Path) -> None:
    env = {"LINEAL_HOME": str(tmp_path / "memory")}
    args = ("-m", "lineal", "serve", "--read-only", "--user", "ada")
    async with connected(sys.executable, args, env, tmp_path / "log", "a-client") as server:
        assert "append_context" not in server.tools
        assert "search_context" in server.tools
