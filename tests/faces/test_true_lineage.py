"""Every write bears the model, the calls and the session that made it, whatever arrives when."""

from __future__ import annotations

import json
import shutil
import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from .claude_code import HAIKU, MODEL, ClaudeCode, Timing, Truth, claude_code, stored
from .clients import lines, server_environment

TIMINGS = {
    "no hooks, the line there already": Timing("none", 0),
    "no hooks, the line after 2 ms": Timing("none", 0.002),
    "no hooks, the line after 100 ms": Timing("none", 0.1),
    "no hooks, the line after 2 s": Timing("none", 2.0),
    "hook first, the line after 100 ms": Timing("sink", 0.1),
    "hook first, the line there already": Timing("sink", 0),
    "hook late, the line after 50 ms": Timing("late", 0.05),
    "command hooks, the line after 40 ms": Timing("command", 0.04),
}


def said(number: int) -> str:
    return f"Decision {number}: the release train number {number} leaves on day {number}."


def working(claude: ClaudeCode, base: int) -> None:
    """A session with about everything in it."""
    claude.start()
    claude.prompt("remember that")
    claude.other("Bash", {"command": "git status", "description": "look"})
    first = claude.call("append_context", content=said(base + 1))
    claude.prompt("and what was decided?")
    claude.call("search_context", query="decision release train")
    claude.calls(
        ("append_context", {"content": said(base + 2)}),
        ("append_context", {"content": said(base + 3)}),
    )
    with claude.sub_agent("general-purpose", HAIKU):
        claude.other("Read", {"file_path": "/home/dev/proj/notes.md"})
        claude.call("append_context", content=said(base + 4))
    claude.call("append_context", content=said(base + 5))
    claude.switch("claude-opus-5")
    claude.call(
        "update_context", context_id=first["context_id"], content=said(base + 6) + " It is late."
    )
    claude.prompt("one more")
    claude.call("append_context", content=said(base + 7))
    claude.settle()


def compare(home: Path, truths: dict[str, Truth]) -> None:
    """What a fresh process reads against what really happened."""
    with lines(home, environment=server_environment(home)) as reader:
        listed = reader.call("search_context", limit=100, max_tokens=50_000, project="*")
        ids = [hit["context_id"] for hit in listed["structuredContent"]["hits"]]
        latest = stored(reader, ids)
        every = [context for i in ids for context in revisions(reader, latest[i])]
        deadline_s = time.monotonic() + 12
        while any(c["lineage"].get("awaits") for c in every) and time.monotonic() < deadline_s:
            time.sleep(0.1)
            every = [context for i in ids for context in revisions(reader, latest[i])]
        seen = {use_of(context): context for context in every}
        assert seen.keys() == truths.keys()
        for use, truth in truths.items():
            lineage = seen[use]["lineage"]
            observed = lineage["observed"]
            assert not lineage.get("awaits")
            assert (lineage["model_version"], observed["model_seen"]) == (truth.model, "transcript")
            assert lineage["tool_calls"] == truth.calls
            assert observed["session_id"] == truth.session == seen[use]["session_id"]
            assert observed.get("agent_id") == truth.agent
            assert observed["prompt_id"] == truth.prompt
            own = seen[use]["id"]
            read = [i for i in dict.fromkeys(reversed(truth.read)) if i != own]
            assert sorted(lineage["source_ids"]) == sorted(read), use
            assert lineage["agent_source"] == "claude-code/2.1.330"


def revisions(reader: Any, context: dict[str, Any]) -> list[dict[str, Any]]:
    read = [
        reader.call("get_context", context_id=context["id"], revision=n)["structuredContent"]
        for n in range(1, context["revision"])
    ]
    return [*read, context]


def use_of(context: dict[str, Any]) -> str:
    return str(context["lineage"]["tool_calls"][-1].split(":")[1])


@pytest.mark.parametrize("name", TIMINGS)
def test_a_session_is_told_rightly_whatever_comes_when(tmp_path: Path, name: str) -> None:
    """L1-L4"""
    truths: dict[str, Truth] = {}
    with claude_code(tmp_path, tmp_path / "proj", TIMINGS[name], truths) as claude:
        working(claude, 0)
    assert len(truths) == 7
    compare(tmp_path, truths)
    assert {truth.model for truth in truths.values()} == {MODEL, HAIKU, "claude-opus-5"}


@pytest.mark.parametrize("hooks", ["none", "sink"])
def test_two_sessions_in_one_project_are_told_apart(tmp_path: Path, hooks: str) -> None:
    """L1, L3: step by step, in turns."""
    truths: dict[str, Truth] = {}
    timing, project = Timing(hooks, 0.08), tmp_path / "proj"
    with (
        claude_code(tmp_path, project, timing, truths) as one,
        claude_code(tmp_path, project, timing, truths) as other,
    ):
        other.main.model = HAIKU
        for claude in (one, other):
            claude.start()
            claude.prompt()
        for number in range(3):
            for base, claude in ((10, one), (20, other)):
                claude.other("Bash", {"command": "ls"})
                claude.call("append_context", content=said(base + number))
        one.settle()
        other.settle()
    compare(tmp_path, truths)


@pytest.mark.parametrize("hooks", ["none", "sink"])
def test_a_session_that_the_environment_does_not_know_is_found(tmp_path: Path, hooks: str) -> None:
    """`--continue` tells the server a fresh id of which there is no transcript."""
    truths: dict[str, Truth] = {}
    with claude_code(
        tmp_path, tmp_path / "proj", Timing(hooks, 0.1), truths, told_session=str(uuid.uuid4())
    ) as claude:
        claude.start()
        claude.prompt()
        claude.call("append_context", content=said(1))
        claude.settle()
    compare(tmp_path, truths)


def test_after_clear_the_calls_are_the_new_sessions(tmp_path: Path) -> None:
    truths: dict[str, Truth] = {}
    with claude_code(tmp_path, tmp_path / "proj", Timing("none", 0.1), truths) as claude:
        claude.prompt()
        claude.call("append_context", content=said(1))
        claude.settle()
        claude.clear()
        claude.prompt()
        claude.call("append_context", content=said(2))
        claude.settle()
    compare(tmp_path, truths)


def test_a_forks_copies_are_nobodys_calls(tmp_path: Path) -> None:
    """A fork's file repeats the older calls, under the new prompt's name and another session's."""
    truths: dict[str, Truth] = {}
    timing, project = Timing("none", 0.1), tmp_path / "proj"
    with claude_code(tmp_path, project, timing, truths) as claude:
        claude.prompt()
        claude.other("Bash", {"command": "ls"})
        claude.call("append_context", content=said(1))
        claude.settle()
        old = claude.main.path
    with claude_code(tmp_path, project, timing, truths) as fork:
        fork.main.path.parent.mkdir(parents=True, exist_ok=True)
        fork.prompt_id = str(uuid.uuid4())
        copied = [json.loads(line) for line in old.read_text("utf-8").splitlines()]
        for line in copied:
            line |= {"sessionId": fork.session}
            line |= {"promptId": fork.prompt_id} if "promptId" in line else {}
        fork.main.path.write_text("".join(json.dumps(line) + "\n" for line in copied), "utf-8")
        prompt = fork.prompt_id
        fork.prompt()
        fork.prompt_id = prompt
        fork.call("append_context", content=said(2))
        fork.settle()
    first, second = truths.values()
    assert (len(first.calls), len(second.calls)) == (2, 1)
    with lines(tmp_path, environment=server_environment(tmp_path)) as reader:
        hits = reader.call("search_context", project="*")["structuredContent"]["hits"]
        found = stored(reader, [hit["context_id"] for hit in hits])
    calls = {use_of(context): context["lineage"]["tool_calls"] for context in found.values()}
    assert calls == {use: truth.calls for use, truth in truths.items()}


def test_evidence_that_comes_when_the_server_is_gone_is_found_by_the_next(tmp_path: Path) -> None:
    """What is left to be looked for survives kill -9."""
    truths: dict[str, Truth] = {}
    with claude_code(tmp_path, tmp_path / "proj", Timing("none", 0.1), truths) as claude:
        claude.prompt()
        claude.other("Bash", {"command": "make"})
        claude.call("append_context", content=said(1))
        claude.client.process.kill()
        claude.settle()
    compare(tmp_path, truths)


def test_without_any_trace_the_model_stays_unknown(tmp_path: Path) -> None:
    """L3: not even the session's own model is supposed of a call that may be a sub-agent's."""
    truths: dict[str, Truth] = {}
    with claude_code(tmp_path, tmp_path / "proj", Timing("none", 0.1), truths) as claude:
        claude.prompt()
        stored_id = claude.call("append_context", content=said(1))["context_id"]
        claude.settle()
        shutil.rmtree(tmp_path / ".claude")
        lineage = claude.client.call("get_context", context_id=stored_id)["structuredContent"]
    assert lineage["lineage"]["model_version"] in (None, MODEL)


def test_a_hooks_word_alone_names_the_sessions_model_but_never_a_sub_agents(
    tmp_path: Path,
) -> None:
    """No transcript at all: the session's start says which model its own agent has."""
    truths: dict[str, Truth] = {}
    timing = Timing("sink", 3600.0)
    with claude_code(tmp_path, tmp_path / "proj", timing, truths) as claude:
        claude.start()
        claude.prompt()
        claude.call("search_context", query="nothing")
        time.sleep(0.3)  # what is read of the session at the start isn't waited for by a write
        own = claude.call("append_context", content=said(1))
        claude.switch("claude-opus-5")
        switched = claude.call("append_context", content=said(2))
        with claude.sub_agent("Explore", HAIKU):
            sub = claude.call("append_context", content=said(3))
    told = [x["lineage"] for x in (own, switched, sub)]
    assert [x["model_version"] for x in told] == [MODEL, "claude-opus-5", None]
    assert [x["observed"].get("model_seen") for x in told] == [
        "session_start",
        "model_switch",
        None,
    ]
    assert [len(x["tool_calls"]) for x in told] == [2, 3, 1]


def test_what_is_declared_is_marked_and_gives_way_to_what_is_seen(tmp_path: Path) -> None:
    """L2"""
    truths: dict[str, Truth] = {}
    lineage = {"model_version": "i-am-gpt", "derived_from": ["mail:7"], "confidence": 0.5}
    with claude_code(tmp_path, tmp_path / "proj", Timing("none", 3.0), truths) as claude:
        claude.prompt()
        answer = claude.call("append_context", content=said(1), lineage=lineage)
        assert answer["lineage"]["model_version"] == "i-am-gpt"
        assert "model_version" not in answer["lineage"]["observed"]
        claude.settle()
        (after,) = stored(claude.client, [answer["context_id"]]).values()
        assert after["lineage"]["model_version"] == MODEL
        assert after["lineage"]["declared"] == lineage


def test_nothing_personal_is_kept(tmp_path: Path) -> None:
    """Neither the prompt, nor a tool's input or output, nor a key."""
    truths: dict[str, Truth] = {}
    with claude_code(tmp_path, tmp_path / "proj", Timing("command", 0.02), truths) as claude:
        claude.start()
        claude.prompt("my secret canary-prompt")
        claude.other("Bash", {"command": "TOKEN=canary-token curl canary.example", "d": "canary-d"})
        claude.call("append_context", content=said(1))
        claude.settle()
        claude.client.leave()
    written = [path for path in (tmp_path / "lineal").rglob("*") if path.is_file()]
    assert any(path.suffix == ".jsonl" for path in written)
    for path in written:
        assert b"canary" not in path.read_bytes(), path
        assert path.stat().st_mode & 0o077 == 0
