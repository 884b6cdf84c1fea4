"""The witness: never wrong where it can't know, never slow, never failing."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from lineal.capture import ledgers
from lineal.capture.places import Places
from lineal.capture.told import line_of, of_claude
from lineal.capture.witness import LEDGER_DAYS, SessionWitness
from lineal.clock import ManualClock, to_ms
from lineal.models.changes import Call
from lineal.models.lineage import Evidence

SESSION = "754238ae-ad89-4676-8080-bbcee1172751"
OTHER = "11111111-ad89-4676-8080-bbcee1172751"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SONNET, OPUS = "claude-sonnet-5", "claude-opus-5"


class Machine:
    """A home with a client's transcripts and our data, and one witness of it."""

    def __init__(self, path: Path, **options: Any) -> None:
        self.path = path
        self.clock = ManualClock(NOW)
        self.project = path / "proj"
        slug = re.sub(r"[^A-Za-z0-9]", "-", str(self.project))
        self.projects = path / ".claude" / "projects" / slug
        self.witness = self.another(**options)

    def another(self, **options: Any) -> SessionWitness:
        places = Places(self.path / ".claude", self.project)
        return SessionWitness(self.path / "lineal", self.clock, places, **options)

    def call(self, use: str | None = "u", tool: str = "append_context", **more: Any) -> Call:
        told = {"client_name": "claude-code", "session_id": SESSION, **more}
        connection = told.pop("connection", "c")
        evidence = Evidence(tool=tool, tool_use_id=use, **told)
        return Call(tenant="t", evidence=evidence, session=connection)

    def hook(self, event: str, session: str = SESSION, **told: Any) -> None:
        self.clock.advance(milliseconds=10)
        given = {"event": event, "session_id": session, **told}
        self.witness.told(self.call(None, "note_event"), given)

    def write(self, line: Mapping[str, Any], session: str = SESSION, *, agent: str = "") -> None:
        self.clock.advance(milliseconds=10)
        path = self.projects / f"{session}.jsonl"
        if agent:
            path = path.with_suffix("") / "subagents" / f"agent-{agent}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        at = self.clock.now().isoformat()
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"timestamp": at, "sessionId": session, **line}) + "\n")
        os.utime(path, (self.clock.now().timestamp(),) * 2)

    def prompt(self, name: str, session: str = SESSION) -> None:
        line = {"type": "user", "message": {"content": "x"}, "turnOrigin": "human"}
        self.write({**line, "promptId": name}, session)

    def uses(self, use: str, tool: str = "T", model: str = SONNET, **more: Any) -> None:
        block = {"type": "tool_use", "id": use, "name": tool, "input": {}}
        agent, session = more.get("agent", ""), more.get("session", SESSION)
        mine = {"agentId": agent, "isSidechain": True} if agent else {}
        message = {"model": model, "content": [block]}
        self.write({"type": "assistant", "message": message, **mine}, session, agent=agent)

    def saw(self, use: str | None, *ids: str, **more: Any) -> None:
        self.clock.advance(milliseconds=10)
        self.witness.saw(self.call(use, "search_context", **more), ids)

    def account(self, use: str | None = "u", **more: Any) -> Evidence:
        self.clock.advance(milliseconds=10)
        return self.witness.account(self.call(use, **more))


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    made.witness.close()


def names(found: Evidence) -> list[str]:
    return [call.name for call in found.calls]


async def test_the_transcript_and_the_hooks_say_it_together(machine: Machine) -> None:
    machine.hook("UserPromptSubmit", prompt_id="p")
    machine.hook("PostToolUse", prompt_id="p", tool_use_id="b", tool_name="Bash", duration_ms="7")
    machine.hook("PreToolUse", prompt_id="p", tool_use_id="u", tool_name="mcp__lineal__x")
    at_once = machine.account()
    assert (names(at_once), at_once.model_version) == (["Bash:b", "append_context:u"], None)
    assert at_once.awaits
    machine.prompt("p")
    machine.uses("b", "Bash")
    machine.uses("u", "mcp__lineal__append_context")
    later = await machine.witness.later(at_once)
    assert (later.model_version, later.prompt_id, later.awaits) == (SONNET, "p", False)
    assert names(later) == names(at_once)
    assert later.calls[0].duration_ms == 7


# Who would forge.


async def test_another_clients_model_has_no_word_in_it(machine: Machine) -> None:
    """Only Claude Code's hooks come as a tool's call."""
    for client in ("cursor-vscode", "some-agent", None):
        call = machine.call(None, "note_event", client_name=client, session_id=None)
        machine.witness.told(call, {"event": "SessionStart", "session_id": OTHER, "model": "x"})
        found = machine.account(None, client_name=client, session_id=None)
        assert (found.session_id, found.model_version) == (None, None)
    assert not (machine.path / "lineal").exists()


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"event": 7, "session_id": SESSION},
        {"event": "PreToolUse", "session_id": ["x"]},
        {"event": "PreToolUse", "session_id": "../../etc"},
        {"event": "PreToolUse", "session_id": SESSION, "tool_use_id": {"a": 1}, "agent_id": "../x"},
        {"event": "PreToolUse", "session_id": SESSION, "transcript_path": "\x00" * 9_000},
        {"event": "PreToolUse", "session_id": SESSION, "prompt_id": "x" * 1_000_000},
        {"event": "PreToolUse", "session_id": SESSION, "duration_ms": "9" * 500},
        {"event": ["SubagentStop"], "session_id": SESSION},
    ],
    ids=range(9),
)
async def test_an_odd_word_of_a_hook_is_nobodys_trouble(
    machine: Machine, told: dict[str, Any]
) -> None:
    machine.witness.told(machine.call(None, "note_event"), told)
    found = await machine.witness.later(machine.account())
    assert found.model_version is None
    assert found.prompt_id is None


async def test_no_file_is_read_because_a_hook_names_it(machine: Machine) -> None:
    """Only the client's own transcripts, whatever the session is called."""
    machine.prompt("p")
    machine.uses("u", model="forged")
    real = machine.projects / f"{SESSION}.jsonl"
    outside = machine.path / f"{SESSION}.jsonl"
    shutil.move(real, outside)
    for told in (outside, real / ".." / ".." / ".." / outside.name, Path("/dev/zero")):
        machine.hook("PreToolUse", tool_use_id="u", transcript_path=str(told))
        found = await machine.witness.later(machine.account())
        assert found.model_version is None


async def test_a_forged_ledger_fails_no_write(machine: Machine) -> None:
    forge(machine)
    found = await machine.witness.later(machine.account())
    assert found.model_version is None
    assert found.session_id == SESSION


def forge(machine: Machine) -> None:
    path = Path(ledgers.path_of(str(machine.path / "lineal"), "claude-code", SESSION))
    path.parent.mkdir(parents=True)
    odd: list[dict[str, Any]] = [
        {"event": "before", "use": "u", "tool": {"a": 1}, "prompt": ["p"], "at": 10**30},
        {"event": "before", "use": "u", "tool": [1], "prompt": {"p": 1}, "ms": "x"},
        {"event": "after", "use": "u", "ms": "soon", "agent": 5, "ok": "maybe"},
        {"event": "session", "model": {"a": 1}, "session": OTHER},
        {"event": "read", "ids": {"a": 1}},
    ]
    lines = [json.dumps({"at": 1, "session": SESSION, **line}) for line in odd]
    path.write_bytes("\n".join(lines).encode() + b"\n\xff\n{\n")


# What can be mistaken.


async def test_a_model_that_was_switched_later_did_not_make_the_call(machine: Machine) -> None:
    machine.hook("SessionStart", model=SONNET)
    machine.hook("PreToolUse", prompt_id="p", tool_use_id="u")
    at_once = machine.account()
    machine.hook("PostModelSwitch", model=OPUS)
    later = await machine.witness.later(at_once)
    assert at_once.model_version == later.model_version == SONNET


async def test_a_sub_agent_is_never_taken_for_the_session(machine: Machine) -> None:
    machine.hook("SessionStart", model=SONNET)
    machine.hook("UserPromptSubmit", prompt_id="p")
    machine.saw("mine", "ctx_1")
    machine.hook("PostToolUse", prompt_id="p", tool_use_id="mine", tool_name="S")
    told = {"agent_id": "agent0001", "agent_type": "Explore"}
    machine.hook("PreToolUse", prompt_id="p", tool_use_id="u", tool_name="A", **told)
    found = machine.account()
    assert (found.model_version, found.agent_id, found.read_ids) == (None, "agent0001", ())
    assert names(found) == ["append_context:u"]
    machine.uses("u", model="claude-haiku-5-5", agent="agent0001")
    machine.write({"type": "mode"})
    later = await machine.witness.later(found)
    assert (later.model_version, later.read_ids) == ("claude-haiku-5-5", ())


async def test_a_transcript_that_lags_behind_gives_no_call_to_the_wrong_prompt(
    machine: Machine,
) -> None:
    """Hooks are at the second prompt when the transcript is at the first."""
    machine.hook("UserPromptSubmit", prompt_id="p1")
    machine.prompt("p1")
    machine.saw("r1", "ctx_old")
    machine.uses("r1")
    machine.hook("PostToolUse", prompt_id="p1", tool_use_id="r1", tool_name="S")
    machine.hook("UserPromptSubmit", prompt_id="p2")
    machine.saw("r2", "ctx_new")
    machine.hook("PostToolUse", prompt_id="p2", tool_use_id="r2", tool_name="S")
    machine.hook("PreToolUse", prompt_id="p2", tool_use_id="u")
    found = machine.account()
    assert (found.prompt_id, found.read_ids) == ("p2", ("ctx_new",))
    assert names(found)[0].endswith("r2")


async def test_without_hooks_what_was_supposed_is_taken_back(machine: Machine) -> None:
    machine.prompt("p1")
    machine.saw("r1", "ctx_old")
    machine.uses("r1")
    machine.saw("r2", "ctx_new")
    found = machine.account()
    assert found.read_ids == ("ctx_old", "ctx_new")
    machine.prompt("p2")
    machine.uses("r2")
    machine.uses("u")
    later = await machine.witness.later(found)
    assert (later.prompt_id, later.read_ids) == ("p2", ("ctx_new",))


async def test_another_sessions_reads_are_no_sources(machine: Machine) -> None:
    """One connection, two sessions of the client one after the other, as after /clear."""
    for session, use in ((SESSION, "a"), (OTHER, "b")):
        machine.hook("UserPromptSubmit", session, prompt_id=f"p-{session}")
        machine.saw(use, f"ctx_{use}")
        machine.hook(
            "PostToolUse", session, prompt_id=f"p-{session}", tool_use_id=use, tool_name="S"
        )
    machine.hook("PreToolUse", OTHER, prompt_id=f"p-{OTHER}", tool_use_id="u")
    found = machine.account()
    assert (found.session_id, found.read_ids) == (OTHER, ("ctx_b",))
    assert (await machine.witness.later(found)).read_ids == ("ctx_b",)


async def test_an_id_used_anew_by_a_slow_transcript_is_not_the_old_call(machine: Machine) -> None:
    """Not every model's calls have ids of their own."""
    machine.prompt("p1")
    machine.uses("call_0")
    first = machine.account("call_0")
    assert (first.prompt_id, first.model_version) == ("p1", SONNET)
    second = machine.account("call_0")
    assert (second.prompt_id, second.model_version, second.awaits) == (None, None, True)
    machine.prompt("p2")
    machine.uses("call_0", model=OPUS)
    later = await machine.witness.later(second)
    assert (later.prompt_id, later.model_version) == ("p2", OPUS)


async def test_a_write_while_a_long_file_is_read_keeps_what_was_read(machine: Machine) -> None:
    machine.prompt("p")
    machine.saw("r", "ctx_1")
    machine.uses("r")
    machine.uses("u")
    with machine.witness._lock:
        found = machine.account()
    assert (found.read_ids, found.awaits) == (("ctx_1",), True)
    later = await machine.witness.later(found)
    assert (later.read_ids, later.model_version) == (("ctx_1",), SONNET)


async def test_reads_of_a_process_that_is_gone_are_known_by_the_next(machine: Machine) -> None:
    machine.saw("r", "ctx_1")
    machine.prompt("p")
    machine.uses("r")
    machine.uses("u")
    machine.witness.close()
    machine.witness = machine.another()
    assert machine.account().read_ids == ("ctx_1",)


# What must not cost.


def test_a_long_transcript_makes_no_write_wait(machine: Machine) -> None:
    """60 MB: what is behind comes later."""
    machine.prompt("p")
    path = machine.projects / f"{SESSION}.jsonl"
    filler = json.dumps({"type": "user", "message": {"content": "x" * 30_000}}) + "\n"
    with path.open("a") as file:
        file.writelines([filler] * 2_000)
    machine.prompt("p2")
    for number in range(100):
        machine.uses(f"b{number}")
    machine.uses("u")
    took_s = []
    for number in range(30):
        start_s = perf_counter()
        machine.account(f"x{number}")
        took_s.append(perf_counter() - start_s)
    assert sorted(took_s)[15] < 0.02, "a few ms on a quiet machine"


async def test_what_was_behind_comes_later(machine: Machine) -> None:
    machine.prompt("p")
    path = machine.projects / f"{SESSION}.jsonl"
    with path.open("a") as file:
        file.write(json.dumps({"type": "user", "message": {"content": "x" * 20_000_000}}) + "\n")
    machine.prompt("p2")
    machine.uses("b")
    machine.uses("u")
    found = machine.account()
    later = await machine.witness.later(found)
    assert (later.model_version, later.prompt_id) == (SONNET, "p2")
    assert names(later) == ["T:b", "append_context:u"]


@pytest.mark.skipif(sys.platform != "linux", reason="counts what /proc tells")
async def test_a_thousand_sessions_leave_no_file_open(machine: Machine) -> None:
    before = len(os.listdir("/proc/self/fd"))
    most = before
    for number in range(1_000):
        session = f"session-{number:06}"
        machine.prompt("p", session)
        machine.uses(f"u{number}", session=session)
        machine.hook("PreToolUse", session, prompt_id="p", tool_use_id=f"u{number}")
        found = machine.account(f"u{number}", session_id=session)
        assert found.model_version == SONNET
        most = max(most, len(os.listdir("/proc/self/fd")))
    assert most - before < 300
    machine.witness.close()
    assert len(os.listdir("/proc/self/fd")) == before


async def test_looking_and_reading_at_once_get_along(machine: Machine) -> None:
    """A look in a thread while the loop's own thread goes on."""
    machine.prompt("p")
    machine.uses("u")
    found = machine.account()
    stop = threading.Event()
    failed: list[Exception] = []

    def reading() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                machine.witness.saw(machine.call("r", "search", connection=f"c{number}"), ["ctx"])
            except RuntimeError as error:
                failed.append(error)
                return

    thread = threading.Thread(target=reading)
    thread.start()
    try:
        for _ in range(50):
            machine.witness._look(found, [])
    finally:
        stop.set()
        thread.join()
    assert failed == []


# Where nothing can be kept or found.


async def test_without_any_home_a_call_is_accounted_for_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for home in (tmp_path / "missing" / "deep", tmp_path / "file", Path("/proc/none")):
        places = Places(tmp_path / "nowhere", None)
        witness = SessionWitness(home, ManualClock(NOW), places)
        machine = Machine(tmp_path)
        witness.told(
            machine.call(None, "note_event"), {"event": "PreToolUse", "session_id": SESSION}
        )
        witness.saw(machine.call("r", "search_context"), ["ctx_1"])
        found = witness.account(machine.call())
        assert (found.session_id, found.read_ids, found.awaits) == (SESSION, ("ctx_1",), True)
        assert (await witness.later(found)).model_version is None
        assert witness.tidy() == 0
        witness.close()


async def test_who_may_not_write_writes_nothing(tmp_path: Path) -> None:
    machine = Machine(tmp_path, persists=False)
    machine.hook("UserPromptSubmit", OTHER, prompt_id="p")
    machine.saw("r", "ctx_1")
    assert machine.account().session_id == OTHER
    assert not (tmp_path / "lineal").exists()
    machine.witness.close()


def test_ledgers_of_sessions_long_over_are_taken_out(machine: Machine) -> None:
    """And what isn't to be taken out is no reason to leave the rest."""
    home = str(machine.path / "lineal")
    record = of_claude({"event": "UserPromptSubmit", "session_id": "s", "prompt_id": "p"}, 1)
    assert record is not None
    for name in ("old", "older", "new"):
        ledgers.append(home, "claude-code", name, line_of(record))
    (Path(ledgers.directory(home)) / "a directory").mkdir()
    now_s = to_ms(machine.clock.now()) / 1000
    for path in Path(ledgers.directory(home)).iterdir():
        os.utime(path, (now_s, now_s - LEDGER_DAYS * 86_400 - 1))
    os.utime(ledgers.path_of(home, "claude-code", "new"), (now_s, now_s))
    assert machine.witness.tidy() == 2
    assert len([*Path(ledgers.directory(home)).iterdir()]) == 2
