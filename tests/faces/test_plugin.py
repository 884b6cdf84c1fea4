"""The plugin for Claude Code: what it starts, what it tells the server, and what it never tells."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import pytest

from lineal import __version__
from lineal.models.context import MemoryType
from lineal.policy.expiry import DEFAULT_LIFE_S

PLUGIN = files("lineal.plugins") / "claude-code"
SERVER = "lineal"
TOOLS = json.loads(Path(__file__).with_name("tools.json").read_text())
LIVES = {3_600: "1 hour", 7 * 86_400: "7 days", None: "until forgotten"}
HOOK_MAX_S = 5
SAID = {
    "event": {"hook_event_name"},
    "session_id": {"session_id"},
    "transcript_path": {"transcript_path"},
    "prompt_id": {"prompt_id"},
    "agent_id": {"agent_id"},
    "agent_type": {"agent_type"},
    "agent_transcript_path": {"agent_transcript_path"},
    "tool_use_id": {"tool_use_id"},
    "tool_name": {"tool_name"},
    "duration_ms": {"duration_ms"},
    "source": {"source"},
    "model": {"model", "to_model"},
}
"""Each argument of note_event, with what of a hook's input may fill it. Ids, names and numbers:
nothing here is a person's words, a tool's input or its output."""


def part(*path: str) -> Any:
    return json.loads(PLUGIN.joinpath(*path).read_text())


def hooks() -> Iterator[tuple[str, str | None, dict[str, Any]]]:
    """Each hook with its event and matcher."""
    for event, groups in part("hooks", "hooks.json")["hooks"].items():
        for group in groups:
            for hook in group["hooks"]:
                yield event, group.get("matcher"), hook


def notes() -> list[tuple[str, str | None, dict[str, Any]]]:
    return [found for found in hooks() if found[2]["type"] == "mcp_tool"]


def inputs(event: str) -> dict[str, str]:
    """What the one hook of an event tells the server."""
    (found,) = (hook["input"] for name, _, hook in notes() if name == event)
    assert isinstance(found, dict)
    return found


def skill() -> tuple[str, str]:
    """The skill's head and its text."""
    _, head, text = (PLUGIN / "skills" / "memory" / "SKILL.md").read_text().split("---\n", 2)
    return head, text


def test_the_plugin_is_of_this_version_and_its_own_directory_offers_it() -> None:
    plugin = part(".claude-plugin", "plugin.json")
    offered = part(".claude-plugin", "marketplace.json")
    assert plugin["version"] == __version__
    assert [entry["name"] for entry in offered["plugins"]] == [plugin["name"]] == [SERVER]
    assert offered["plugins"][0]["source"] == "./"


def test_the_first_turn_waits_for_the_server() -> None:
    assert part(".mcp.json")["mcpServers"] == {
        SERVER: {
            "type": "stdio",
            "command": "lineal",
            "args": ["serve"],
            "env": {},
            "alwaysLoad": True,
        }
    }


def test_each_event_is_told_once() -> None:
    assert [(event, hook["type"]) for event, _, hook in hooks()] == [
        ("SessionStart", "command"),
        ("UserPromptSubmit", "mcp_tool"),
        ("PreToolUse", "mcp_tool"),
        ("PostToolUse", "mcp_tool"),
        ("PostToolUseFailure", "mcp_tool"),
        ("PostModelSwitch", "mcp_tool"),
        ("SubagentStop", "mcp_tool"),
    ]


def test_a_session_starts_before_the_server_answers_so_a_command_tells_of_it() -> None:
    (hook,) = (hook for event, _, hook in hooks() if event == "SessionStart")
    assert (hook["command"], hook["args"]) == ("lineal", ["hook", "claude-code"])


def test_a_hook_names_no_server_but_the_plugins_own() -> None:
    """Another name isn't connected, and the client shows that failure at every tool call."""
    name = part(".claude-plugin", "plugin.json")["name"]
    assert {hook["server"] for _, _, hook in notes()} == {f"plugin:{name}:{SERVER}"}
    assert {hook["tool"] for _, _, hook in notes()} == {"note_event"}


def test_no_hook_holds_an_agent_up() -> None:
    assert all(0 < hook["timeout"] <= HOOK_MAX_S for _, _, hook in hooks())


def test_only_ids_names_and_numbers_are_told() -> None:
    for _, _, hook in notes():
        for argument, value in hook["input"].items():
            placeholder = re.fullmatch(r"\$\{(\w+)\}", value)
            assert placeholder, value
            assert placeholder[1] in SAID[argument]


def test_every_note_says_whose_it_is() -> None:
    for event, _, _ in notes():
        assert (
            inputs(event).items()
            >= {
                "event": "${hook_event_name}",
                "session_id": "${session_id}",
                "transcript_path": "${transcript_path}",
                "prompt_id": "${prompt_id}",
                "agent_id": "${agent_id}",
                "agent_type": "${agent_type}",
            }.items()
        )


@pytest.mark.parametrize(
    ("event", "more"),
    [
        ("UserPromptSubmit", {}),
        ("PreToolUse", {"tool_use_id", "tool_name"}),
        ("PostToolUse", {"tool_use_id", "tool_name", "duration_ms"}),
        ("PostToolUseFailure", {"tool_use_id", "tool_name", "duration_ms"}),
        ("PostModelSwitch", {"model", "source"}),
        ("SubagentStop", {"agent_transcript_path"}),
    ],
)
def test_a_note_says_what_its_event_knows(event: str, more: set[str]) -> None:
    whose = {"event", "session_id", "transcript_path", "prompt_id", "agent_id", "agent_type"}
    assert inputs(event).keys() == whose | set(more)


def test_after_a_switch_the_model_is_the_new_one() -> None:
    assert inputs("PostModelSwitch")["model"] == "${to_model}"


def test_before_a_call_only_our_own_tools_are_told_of_and_afterwards_all() -> None:
    matchers = {event: matcher for event, matcher, _ in hooks()}
    before = re.compile(str(matchers["PreToolUse"]))
    ours = [tool["name"] for tool in TOOLS]
    assert all(before.fullmatch(f"mcp__plugin_lineal_lineal__{name}") for name in ours)
    assert all(before.fullmatch(f"mcp__lineal__{name}") for name in ours)
    assert not any(map(before.search, ("Bash", "lineal", "mcp__other__append_context")))
    assert matchers["PostToolUse"] == "*"


def test_the_skill_tells_each_type_with_its_life() -> None:
    _, text = skill()
    for memory_type in MemoryType:
        assert f"| {LIVES[DEFAULT_LIFE_S[memory_type]]} |" in row(text, memory_type)


def row(text: str, memory_type: MemoryType) -> str:
    (found,) = (line for line in text.splitlines() if line.startswith(f"| `{memory_type}` |"))
    return found


def test_the_skill_names_only_tools_that_there_are() -> None:
    _, text = skill()
    ours = {tool["name"] for tool in TOOLS}
    named = set(re.findall(r"`(\w+_(?:context|user|users|outcome|lineage))`", text))
    assert named == {
        "append_context",
        "search_context",
        "get_context",
        "update_context",
        "forget_context",
    }
    assert named <= ours


def test_the_skill_says_when_it_is_wanted_and_stays_short() -> None:
    head, text = skill()
    assert re.match(r"name: memory\ndescription: .{40,1024}\n\Z", head)
    assert len(text) < 2_500


@pytest.mark.skipif(shutil.which("claude") is None, reason="Claude Code isn't installed")
def test_the_client_itself_finds_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
    with as_file(PLUGIN) as directory:
        done = subprocess.run(
            [str(shutil.which("claude")), "plugin", "validate", "--strict", str(directory)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
