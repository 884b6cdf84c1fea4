"""`lineal init cursor`: hooks put in and taken out, and those of others left as they were."""

from __future__ import annotations

import json
import shlex
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.faces.cli.hooks_file import EVENTS, HooksFile
from lineal.faces.cli.launch import Launch, command_line, launch_of

from . import test_init
from .test_init import init

project = test_init.project

HOOKS = ".cursor/hooks.json"
DECIDING = {"preToolUse", "beforeMCPExecution", "beforeShellExecution", "beforeReadFile"}
"""Events before which Cursor waits for a hook's permission."""

COMMANDS = ("./audit.sh", "node 'lineal hook.js' cursor", "echo lineal", "lineal hook claude-code")
"""Hooks of others, however they look."""


def hooks_in(path: Path) -> dict[str, Any]:
    document = json.loads(path.read_text())
    assert document["version"] == 1
    hooks = document["hooks"]
    assert isinstance(hooks, dict)
    return hooks


def test_each_event_that_lineage_needs_has_our_hook(project: Path) -> None:
    result = init("cursor")
    assert result.exit_code == 0, result.output
    hooks = hooks_in(project / HOOKS)
    assert tuple(hooks) == EVENTS
    assert all(len(listed) == 1 for listed in hooks.values())
    assert str(project / HOOKS) in result.stdout


def test_no_hook_of_ours_is_asked_for_a_permission() -> None:
    """It says nothing, and Cursor takes silence for a refusal there."""
    assert not DECIDING & set(EVENTS)


@pytest.mark.parametrize("name", ["plain", "with space", "it's", 'a "b" $HOME `x`', "дом 家"])
def test_the_command_survives_the_shell_wherever_the_memory_lies(
    project: Path, tmp_path: Path, name: str
) -> None:
    home = tmp_path / name
    init("cursor", "--home", str(home))
    line = hooks_in(project / HOOKS)["postToolUse"][0]["command"]
    event = {"hook_event_name": "postToolUse", "conversation_id": "c1", "tool_name": "Shell"}
    said = subprocess.run(
        ["/bin/sh", "-c", line], input=json.dumps(event).encode(), capture_output=True, env={}
    )
    assert said.returncode == 0
    assert len(list((home / "sessions").glob("cursor-*"))) == 1


@given(st.lists(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1), min_size=1))
@pytest.mark.parametrize("windows", [False, True])
def test_a_command_line_is_read_back_as_it_was_written(windows: bool, words: list[str]) -> None:
    launch = Launch(command=words[0], args=tuple(words[1:]))
    assert launch_of(command_line(launch, windows=windows), windows=windows) == launch


def test_on_windows_a_path_with_a_space_is_called_and_not_only_said() -> None:
    plain = Launch(command=r"C:\v\lineal.exe", args=("hook", "cursor"))
    assert command_line(plain, windows=True) == r"C:\v\lineal.exe hook cursor"
    spaced = Launch(command=r"C:\Ann O'Hara\lineal.exe", args=("hook", "cursor"))
    assert command_line(spaced, windows=True) == r"& 'C:\Ann O''Hara\lineal.exe' hook cursor"


def test_the_same_again_changes_not_a_byte(project: Path) -> None:
    init("cursor")
    before = (project / HOOKS).read_bytes()
    assert json.loads(init("cursor", "--json").stdout)["action"] == "unchanged"
    assert (project / HOOKS).read_bytes() == before


def test_hooks_that_are_missing_are_put_in_beside_an_entry_that_is_there(project: Path) -> None:
    init("cursor")
    (project / HOOKS).unlink()
    result = init("cursor", "--json")
    assert json.loads(result.stdout)["action"] == "completed"
    assert tuple(hooks_in(project / HOOKS)) == EVENTS


def test_an_older_hook_of_ours_is_replaced_where_it_stands(project: Path) -> None:
    path = project / HOOKS
    path.parent.mkdir()
    old = {"command": "'/old venv/bin/python' -P -m lineal hook cursor", "timeout": 9}
    other = {"command": "./audit.sh"}
    ours = {"postToolUse": [other, old, old, other], "preToolUse": [old], "stop": [other]}
    path.write_text(json.dumps({"version": 1, "hooks": ours}))
    init("cursor")
    hooks = hooks_in(path)
    assert [hook["command"] == "./audit.sh" for hook in hooks["postToolUse"]] == [True, False, True]
    assert hooks["postToolUse"][1]["timeout"] == 9
    assert "/old" not in path.read_text()
    assert "preToolUse" not in hooks
    assert hooks["stop"] == [other]


@given(
    others=st.dictionaries(
        st.sampled_from([*EVENTS, "stop", "preToolUse"]),
        st.lists(st.sampled_from(COMMANDS).map(lambda line: {"command": line}), min_size=1),
        min_size=1,
    ),
    more=st.dictionaries(st.sampled_from(["$schema", "note"]), st.text(max_size=5)),
    indent=st.sampled_from([None, 2, 4, "\t"]),
)
@settings(max_examples=60, deadline=None)
def test_in_and_out_again_leaves_every_byte_as_it_was(
    others: dict[str, Any], more: dict[str, Any], indent: str | int | None
) -> None:
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "hooks.json"
        document = {"version": 1, **more, "hooks": others}
        path.write_text(json.dumps(document, indent=indent, ensure_ascii=False) + "\n")
        before = path.read_bytes()
        file = HooksFile(path, Path(home))
        file.put("/x/lineal hook cursor")
        assert set(file.commands()) == set(EVENTS)
        assert file.has("/x/lineal hook cursor")
        assert file.remove() is True
        assert path.read_bytes() == before
        assert file.remove() is False


def test_nothing_is_left_where_nothing_was(project: Path) -> None:
    init("cursor")
    assert init("cursor", "--remove").exit_code == 0
    assert list(project.iterdir()) == []


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"hooks": []}', '{"hooks": {"stop": {}}}', '{"version": 1, // no\n}']
)
def test_a_file_that_cannot_be_kept_stops_all_of_it(project: Path, content: str) -> None:
    path = project / HOOKS
    path.parent.mkdir()
    path.write_text(content)
    result = init("cursor")
    assert result.exit_code == 1
    assert str(path) in result.stderr
    assert "Nothing was written" in result.stderr
    assert [child.name for child in path.parent.iterdir()] == ["hooks.json"]


def test_all_of_the_users_projects_have_their_hooks_at_home(tmp_path: Path) -> None:
    init("cursor", "--scope", "user")
    path = tmp_path / "home" / HOOKS
    assert tuple(hooks_in(path)) == EVENTS
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert "--home" not in shlex.split(hooks_in(path)["postToolUse"][0]["command"])


def test_print_shows_both_files_and_writes_none(project: Path) -> None:
    result = init("cursor", "--print")
    first, end = json.JSONDecoder().raw_decode(result.stdout)
    second = json.loads(result.stdout[end:])
    assert "lineal" in first["mcpServers"]
    assert tuple(second["hooks"]) == EVENTS
    assert str(project / HOOKS) in result.stderr
    assert list(project.iterdir()) == []
