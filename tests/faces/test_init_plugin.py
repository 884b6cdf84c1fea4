"""`lineal init claude-code`: the plugin copied, renewed and taken out, and nothing else touched."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import stat
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from lineal.faces.cli.main import cli
from lineal.faces.cli.plugin_files import MARK, WRITTEN, PluginCopy

from . import test_init
from .test_init import init, program

project = test_init.project

COPY = ".claude/skills/lineal"
SHIPPED = Path(str(files("lineal.plugins"))) / "claude-code"
OTHER = {"mcpServers": {"other": {"url": "x"}}, "more": 1}

BUILDS = importlib.util.find_spec("hatchling") is not None
if not BUILDS and "hatchling" in os.environ.get("LINEAL_REQUIRE", ""):
    raise RuntimeError("LINEAL_REQUIRE names hatchling, and it isn't installed.")


def tree(directory: Path) -> dict[str, bytes | None]:
    """Every path below a directory with its content; None for a directory."""
    return {
        path.relative_to(directory).as_posix(): None if path.is_dir() else path.read_bytes()
        for path in directory.rglob("*")
    }


class Stopping(PluginCopy):
    """A copy that is broken off after so many files."""

    def __init__(self, path: Path, root: Path, number: int) -> None:
        super().__init__(path, root)
        self._left = number

    def _write(self, name: str, content: bytes) -> None:
        if self._left == 0:
            raise KeyboardInterrupt
        self._left -= 1
        super()._write(name, content)


def entry_of(copy: Path) -> dict[str, Any]:
    entry = json.loads((copy / ".mcp.json").read_text())["mcpServers"]["lineal"]
    assert isinstance(entry, dict)
    return entry


def hook_of(copy: Path) -> dict[str, Any]:
    """The hook that starts a process."""
    groups = json.loads((copy / "hooks/hooks.json").read_text())["hooks"]["SessionStart"]
    assert isinstance(groups[0]["hooks"][0], dict)
    return groups[0]["hooks"][0]


def test_the_copy_is_the_shipped_plugin_but_for_what_it_starts(project: Path) -> None:
    result = init("claude-code")
    assert result.exit_code == 0, result.output
    copied = {name: text for name, text in tree(project / COPY).items() if text is not None}
    assert copied.keys() == {*(n for n, t in tree(SHIPPED).items() if t is not None), WRITTEN}
    differ = {n for n, t in copied.items() if n != WRITTEN and (SHIPPED / n).read_bytes() != t}
    assert differ == {".mcp.json", "hooks/hooks.json"}
    assert str(project / COPY) in result.stdout
    assert "Start Claude Code anew" in result.stdout


def test_the_server_starts_without_a_path_and_the_first_turn_waits_for_it(project: Path) -> None:
    init("claude-code")
    entry = entry_of(project / COPY)
    assert Path(entry["command"]).is_absolute()
    assert entry["args"][-1] == "serve"
    assert entry["env"] == {"LINEAL_USER": "ada", "LINEAL_DOMAIN": "coding"}
    assert entry["alwaysLoad"] is True


@pytest.mark.parametrize("name", ["plain", "with space", "it's", 'a "b" $HOME `x`', "дом 家"])
def test_the_hook_runs_as_it_is_written_wherever_the_memory_lies(
    project: Path, tmp_path: Path, name: str
) -> None:
    home = tmp_path / name
    init("claude-code", "--home", str(home))
    hook = hook_of(project / COPY)
    assert entry_of(project / COPY)["env"]["LINEAL_HOME"] == str(home)
    event = {"hook_event_name": "SessionStart", "session_id": "session-1", "source": "startup"}
    command = [hook["command"], *hook["args"]]
    done = subprocess.run(command, input=json.dumps(event).encode(), capture_output=True, env={})
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert len(list((home / "sessions").iterdir())) == 1


def test_the_same_again_changes_not_a_byte(project: Path) -> None:
    init("claude-code")
    before = tree(project)
    again = init("claude-code", "--json")
    assert json.loads(again.stdout)["action"] == "unchanged"
    assert tree(project) == before


def test_taking_it_out_leaves_what_was_there_before(project: Path) -> None:
    (project / ".claude/skills/theirs").mkdir(parents=True)
    (project / ".claude/skills/theirs/SKILL.md").write_text("theirs")
    (project / ".mcp.json").write_text(json.dumps(OTHER))
    before = tree(project)
    init("claude-code")
    assert tree(project) != before
    assert json.loads(init("claude-code", "--remove", "--json").stdout)["action"] == "removed"
    assert tree(project) == before
    assert json.loads(init("claude-code", "--remove", "--json").stdout)["action"] == "absent"
    assert tree(project) == before


def test_what_only_the_plugin_needed_goes_with_it(project: Path) -> None:
    init("claude-code")
    init("claude-code", "--remove")
    assert list(project.iterdir()) == []


def test_the_plugin_takes_the_place_of_an_entry_and_the_other_way_round(project: Path) -> None:
    path = project / ".mcp.json"
    path.write_text(json.dumps(OTHER))
    init("claude-code", "--no-plugin")
    result = init("claude-code")
    assert result.exit_code == 0, result.output
    assert f"Taken out of {path}" in result.stdout
    assert json.loads(path.read_text()) == OTHER
    assert (project / COPY / MARK).is_file()
    back = init("claude-code", "--no-plugin")
    assert back.exit_code == 0, back.output
    assert "lineal" in json.loads(path.read_text())["mcpServers"]
    assert not (project / COPY).exists()


def test_an_entry_that_says_something_else_is_given_up_only_when_forced(project: Path) -> None:
    path = project / ".mcp.json"
    path.write_text('{"mcpServers": {"lineal": {"command": "/old", "env": {"KEY": "s3cret"}}}}')
    before = tree(project)
    refused = init("claude-code")
    assert refused.exit_code == 1
    assert "--force" in refused.stderr
    assert "/old" in refused.stderr
    assert "s3cret" not in refused.stderr
    assert tree(project) == before
    forced = init("claude-code", "--force", "--json")
    assert forced.exit_code == 0
    assert json.loads(forced.stdout)["before"]["env"] == {"KEY": "***"}
    assert "s3cret" not in forced.stdout
    assert not path.exists()


def test_another_users_copy_is_replaced_only_when_forced(project: Path) -> None:
    init("claude-code")
    before = tree(project)
    refused = init("claude-code", "--user", "bob")
    assert refused.exit_code == 1
    assert '"LINEAL_USER": "ada"' in refused.stderr
    assert tree(project) == before
    assert init("claude-code", "--user", "bob", "--force").exit_code == 0
    assert entry_of(project / COPY)["env"]["LINEAL_USER"] == "bob"


def test_an_earlier_versions_files_are_renewed_without_force(project: Path) -> None:
    copy = PluginCopy(project / COPY, project)
    init("claude-code")
    now = tree(project / COPY)
    older = {name: text for name, text in now.items() if text is not None and name != WRITTEN}
    copy.put({**older, "skills/memory/SKILL.md": b"older", "skills/gone/SKILL.md": b"gone"})
    result = init("claude-code", "--json")
    assert json.loads(result.stdout)["action"] == "replaced"
    assert tree(project / COPY) == now


@pytest.mark.parametrize("content", [None, "{", '{"name": "theirs"}', "[]"])
def test_a_directory_that_is_not_ours_is_left_unless_forced(
    project: Path, content: str | None
) -> None:
    mark = project / COPY / MARK
    mark.parent.mkdir(parents=True)
    (project / COPY / "SKILL.md").write_text("theirs")
    if content is not None:
        mark.write_text(content)
    before = tree(project)
    refused = init("claude-code")
    assert refused.exit_code == 1
    assert "isn't lineal's" in refused.stderr
    assert tree(project) == before
    assert json.loads(init("claude-code", "--remove", "--json").stdout)["action"] == "absent"
    assert tree(project) == before
    assert init("claude-code", "--force").exit_code == 0
    assert (project / COPY / "SKILL.md").read_text() == "theirs"


def test_what_the_user_changed_or_added_stays_and_is_named(project: Path) -> None:
    init("claude-code")
    skill = project / COPY / "skills/memory/SKILL.md"
    skill.write_text("mine")
    (project / COPY / "notes.txt").write_text("mine too")
    refused = init("claude-code", "--user", "ada")
    assert refused.exit_code == 1
    assert "skills/memory/SKILL.md" in refused.stderr
    assert skill.read_text() == "mine"
    gone = init("claude-code", "--remove")
    assert gone.exit_code == 0
    assert "notes.txt, skills/memory/SKILL.md" in gone.stdout
    left = {name for name, text in tree(project / COPY).items() if text is not None}
    assert left == {"notes.txt", "skills/memory/SKILL.md"}


@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize("before", [False, True])
def test_a_copy_broken_off_at_any_file_is_finished_by_the_next_one(
    project: Path, number: int, before: bool
) -> None:
    init("claude-code")
    whole = tree(project / COPY)
    wanted = {name: text for name, text in whole.items() if text is not None and name != WRITTEN}
    copy = PluginCopy(project / COPY, project)
    if before:
        copy.put({name: text + b"\n" for name, text in wanted.items()})
    else:
        init("claude-code", "--remove")
    stopped = Stopping(project / COPY, project, number)
    with pytest.raises(KeyboardInterrupt):
        stopped.put(wanted)
    again = init("claude-code")
    assert again.exit_code == 0, again.output
    assert tree(project / COPY) == whole


def test_a_copy_made_by_hand_is_ours_too(project: Path) -> None:
    shutil.copytree(SHIPPED, project / COPY)
    assert init("claude-code", "--force").exit_code == 0
    init("claude-code", "--remove")
    assert list(project.iterdir()) == []


def test_nothing_is_written_through_a_link(project: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    shutil.copytree(SHIPPED, theirs)
    before = tree(theirs)
    (project / COPY).parent.mkdir(parents=True)
    (project / COPY).symlink_to(theirs)
    for more in ((), ("--force",), ("--remove",)):
        result = init("claude-code", *more)
        assert result.exit_code == 1
        assert "leads out of" in result.stderr
    inside = project / "inside"
    shutil.copytree(SHIPPED, inside)
    (project / COPY).unlink()
    (project / COPY).symlink_to(inside)
    assert "is a link" in init("claude-code", "--force").stderr
    assert tree(theirs) == tree(inside) == before


def test_a_record_that_points_elsewhere_takes_nothing_out_there(project: Path) -> None:
    init("claude-code")
    victim = project / "victim"
    victim.write_text("mine")
    record = project / COPY / WRITTEN
    listed = json.loads(record.read_text())
    listed["files"]["../../../victim"] = hashlib.sha256(b"mine").hexdigest()
    record.write_text(json.dumps(listed))
    init("claude-code", "--remove")
    assert victim.read_text() == "mine"


def test_a_users_copy_is_the_users_alone(tmp_path: Path) -> None:
    result = init("claude-code", "--scope", "user")
    assert result.exit_code == 0, result.output
    copy = tmp_path / "home" / COPY
    assert stat.S_IMODE((copy / ".mcp.json").stat().st_mode) == 0o600
    init("claude-code", "--scope", "user", "--remove")
    assert list((tmp_path / "home").iterdir()) == []


def test_claudes_own_directory_may_lie_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(elsewhere))
    init("claude-code", "--scope", "user", "--no-plugin")
    assert (elsewhere / ".claude.json").is_file()
    init("claude-code", "--scope", "user")
    assert (elsewhere / "skills/lineal" / MARK).is_file()
    assert not (elsewhere / ".claude.json").exists()
    assert list((tmp_path / "home").iterdir()) == []


def test_claude_itself_is_asked_to_take_out_the_users_entry(tmp_path: Path) -> None:
    init("claude-code", "--scope", "user", "--no-plugin")
    said = tmp_path / "said"
    program(tmp_path / "bin", "claude", f'printf "%s\\n" "$@" > {said}')
    assert init("claude-code", "--scope", "user").exit_code == 0
    assert said.read_text().split() == ["mcp", "remove", "-s", "user", "lineal"]


def test_one_in_another_scope_is_told_of(project: Path, tmp_path: Path) -> None:
    init("claude-code", "--scope", "user")
    told = init("claude-code").stdout
    assert str(tmp_path / "home" / COPY) in told
    assert "lineal init claude-code --scope user --remove" in told
    local = {"projects": {str(project): {"mcpServers": {"lineal": {"command": "x"}}}}}
    (tmp_path / "home/.claude.json").write_text(json.dumps(local))
    assert "claude mcp remove -s local lineal" in init("claude-code").stdout


def test_print_writes_nothing_and_says_what_goes_where(project: Path) -> None:
    (project / ".mcp.json").write_text(json.dumps(OTHER))
    init("claude-code", "--no-plugin")
    before = tree(project)
    result = init("claude-code", "--print")
    assert json.loads(result.stdout)["mcpServers"]["lineal"]["args"][-1] == "serve"
    assert f"plugin in {project / COPY}" in result.stderr
    assert f"taken out of: {project / '.mcp.json'}" in result.stderr
    assert "hook claude-code" in result.stderr
    assert tree(project) == before


def test_a_refusal_half_way_leaves_everything_as_it_was(project: Path) -> None:
    (project / ".mcp.json").write_text('{"mcpServers": {},}')
    before = tree(project)
    assert init("claude-code").exit_code == 1
    assert tree(project) == before


def test_the_hook_command_has_its_help_among_the_commands(project: Path) -> None:
    told = CliRunner().invoke(cli, ["hook", "--help"])
    assert told.exit_code == 0
    assert "claude-code or cursor" in told.output


@pytest.mark.slow
@pytest.mark.skipif(not BUILDS, reason="hatchling, which builds the wheel, isn't installed")
def test_the_wheel_ships_the_plugin(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    build = "from hatchling.builders.wheel import WheelBuilder as W; import sys; "
    build += "print(next(W(sys.argv[1]).build(directory=sys.argv[2], versions=['standard'])))"
    command = [sys.executable, "-c", build, str(root), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    listed = subprocess.run(
        [sys.executable, "-m", "zipfile", "-l", done.stdout.split()[-1]],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name, text in tree(SHIPPED).items():
        if text is not None:
            assert f"lineal/plugins/claude-code/{name} " in listed
