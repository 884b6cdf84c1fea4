"""What Cursor's hooks tell of its calls, which have no ids: rightly, or not at all."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from .cursor import ALL, INSTALLED, MODEL, Conversation, Window, cursor

BEFORE = ("beforeSubmitPrompt", "beforeMCPExecution")
HOOKS = {"as installed": INSTALLED, "all": ALL, "only before": BEFORE}


def said(number: int) -> str:
    return f"Decision {number}: the release train number {number} leaves on day {number}."


def lineage(window: Window, context_id: str) -> dict[str, Any]:
    """What is stored once nothing is awaited any more."""
    deadline_s = time.monotonic() + 8
    while True:
        found = dict(window.call("get_context", {"context_id": context_id})["lineage"])
        if not found.get("awaits") or time.monotonic() > deadline_s:
            return found
        time.sleep(0.1)


@pytest.mark.parametrize("as_text", [False, True], ids=["object", "text"])
@pytest.mark.parametrize("name", HOOKS)
def test_the_generation_its_calls_and_its_model_are_known(
    tmp_path: Path, name: str, as_text: bool
) -> None:
    """L1, L2"""
    with cursor(tmp_path) as window:
        one = Conversation(window, hooks=HOOKS[name], as_text=as_text)
        one.prompt()
        one.other("Shell", {"command": "git status"})
        one.prompt()
        one.other("Shell", {"command": "git log"})
        stored = one.call("append_context", content=said(1))
        told = lineage(window, stored["context_id"])
    before = [] if name == "only before" else one.calls[:-1]
    assert told["tool_calls"] == [*before, one.named("append_context")]
    assert (told["model_version"], told["observed"]["model_seen"]) == (MODEL, "hook")
    assert told["observed"]["session_id"] == one.id
    assert told["observed"]["prompt_id"] == one.generation
    assert told["agent_source"] == "cursor-vscode/1.0.0"


def test_a_hook_that_is_late_is_waited_for(tmp_path: Path) -> None:
    with cursor(tmp_path) as window:
        one = Conversation(window, hooks=ALL, slow=True)
        one.prompt()
        stored = one.call("append_context", content=said(1))
        assert stored["lineage"]["awaits"]
        assert stored["lineage"]["model_version"] is None
        told = lineage(window, stored["context_id"])
    assert told["model_version"] == MODEL
    assert told["tool_calls"] == [one.named("append_context")]
    assert told["observed"]["session_id"] == one.id


def test_without_hooks_nothing_is_known_and_nothing_awaited(tmp_path: Path) -> None:
    """L3"""
    with cursor(tmp_path) as window:
        one = Conversation(window, hooks=())
        one.prompt()
        found = one.call("append_context", content=said(1))["lineage"]
    assert found["model_version"] is None
    assert found["tool_calls"] == ["append_context"]
    assert "session_id" not in found["observed"]
    assert "awaits" not in found


@pytest.mark.parametrize("model", ["auto", "default", ""])
def test_a_model_that_cursor_chose_itself_is_unknown(tmp_path: Path, model: str) -> None:
    """L3"""
    with cursor(tmp_path) as window:
        one = Conversation(window, model=model)
        one.prompt()
        stored = one.call("append_context", content=said(1))
        told = lineage(window, stored["context_id"])
    assert told["model_version"] is None
    assert told["observed"]["session_id"] == one.id


@pytest.mark.parametrize("name", HOOKS)
def test_two_conversations_in_one_window_are_told_apart(tmp_path: Path, name: str) -> None:
    """L3: by what they say; also what each of them read is its own."""
    with cursor(tmp_path) as window:
        pair = [Conversation(window, model=m, hooks=HOOKS[name]) for m in ("gpt-5", "gpt-5-mini")]
        first = [
            Conversation(window, hooks=()).call("append_context", content=said(n)) for n in (8, 9)
        ]
        for one in pair:
            one.prompt()
        for one, seed in zip(pair, first, strict=True):
            one.call("get_context", context_id=seed["context_id"])
        stored = [one.call("append_context", content=said(n)) for n, one in enumerate(pair)]
        told = [lineage(window, answer["context_id"]) for answer in stored]
    for one, found, seed in zip(pair, told, first, strict=True):
        assert found["model_version"] == one.model
        assert found["observed"]["session_id"] == one.id
        assert found["source_ids"] == [seed["context_id"]]
        assert len(found["tool_calls"]) == 2


@pytest.mark.parametrize("name", HOOKS)
@pytest.mark.parametrize("in_one_window", [True, False], ids=["one window", "two windows"])
def test_who_says_the_same_at_the_same_time_is_never_taken_for_the_other(
    tmp_path: Path, name: str, in_one_window: bool
) -> None:
    """L3: unknown, or right."""
    with cursor(tmp_path) as window, cursor(tmp_path) as second:
        pair = [
            Conversation(window, model="gpt-5", hooks=HOOKS[name]),
            Conversation(
                window if in_one_window else second, model="gpt-5-mini", hooks=HOOKS[name]
            ),
        ]
        for one in pair:
            one.prompt()
        given = [{"content": said(1), "source": "chat", "title": "same"} for _ in pair]
        given = [{**g, "user_id": "ada", "domain": "notes"} for g in given]
        over = [one.begin("append_context", g) for one, g in zip(pair, given, strict=True)]
        answers = [one.window.call("append_context", g) for one, g in zip(pair, given, strict=True)]
        for done in over:
            done()
        told = [lineage(window, answer["context_id"]) for answer in answers]
    for found in told:
        session, model = found["observed"].get("session_id"), found["model_version"]
        assert (session, model) in [(None, None), (pair[0].id, "gpt-5")]


def test_the_same_again_in_another_conversation_is_the_other_conversations(tmp_path: Path) -> None:
    """The first one's hook has told of its end before the second one's call came."""
    with cursor(tmp_path) as window:
        pair = [Conversation(window, model=m) for m in ("gpt-5", "gpt-5-mini")]
        for one in pair:
            one.prompt()
        for one in pair:
            answer = one.call("upsert_user", user_id="grace", fields={"role": "operator"})
            told = user_lineage(window, answer)
            assert told["model_version"] == one.model
            assert told["observed"]["session_id"] == one.id


def user_lineage(window: Window, answer: dict[str, Any]) -> dict[str, Any]:
    """The row's lineage once nothing is awaited any more."""
    deadline_s = time.monotonic() + 8
    asked = {"user_id": answer["user_id"], "domain": answer["domain"]}
    while (found := window.call("get_user", asked)["lineage"]).get("awaits"):
        assert time.monotonic() < deadline_s
        time.sleep(0.1)
    return dict(found)


def test_no_address_and_nothing_that_was_said_is_kept(tmp_path: Path) -> None:
    with cursor(tmp_path) as window:
        one = Conversation(window, hooks=ALL)
        one.prompt()
        one.other("Shell", {"command": "TOKEN=canary-token curl canary.example"})
        stored = one.call("append_context", content=said(1))
        lineage(window, stored["context_id"])
        window.client.leave()
    written = [path for path in (tmp_path / "lineal").rglob("*") if path.is_file()]
    assert any(path.suffix == ".jsonl" for path in written)
    for path in written:
        assert b"canary" not in path.read_bytes(), path
        assert path.stat().st_mode & 0o077 == 0
