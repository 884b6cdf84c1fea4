"""`lineal init`: our entry in a client's configuration, and nothing else touched.

Of the plugin for Claude Code: test_init_plugin.py; of the hooks for Cursor: test_init_hooks.py.
"""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.faces.cli.config_file import ConfigFile
from lineal.faces.cli.main import cli

CLAUDE = ("claude-code", "--no-plugin")
CLIENTS = (
    (CLAUDE, ".mcp.json", "mcpServers"),
    (("cursor",), ".cursor/mcp.json", "mcpServers"),
    (("vscode",), ".vscode/mcp.json", "servers"),
)
FILLED_IN = {"LINEAL_PROJECT_DIR": "${workspaceFolder}"}


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project in an empty home, with no client's command on the PATH."""
    home, project = tmp_path / "home", tmp_path / "project with a space"
    home.mkdir()
    project.mkdir()
    for name in os.environ:
        if name.startswith("LINEAL_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.chdir(project)
    return project


def init(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["init", "--user", "ada", *arguments])


def entry_in(path: Path, key: str) -> dict[str, Any]:
    entry = json.loads(path.read_text())[key]["lineal"]
    assert isinstance(entry, dict)
    return entry


def program(directory: Path, name: str, script: str) -> None:
    """A command on the PATH, in the place of a client's own."""
    directory.mkdir(exist_ok=True)
    path = directory / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(("client", "file", "key"), CLIENTS)
def test_each_client_gets_an_entry_in_its_own_file(
    project: Path, client: tuple[str, ...], file: str, key: str
) -> None:
    result = init(*client)
    assert result.exit_code == 0, result.output
    entry = entry_in(project / file, key)
    assert entry["type"] == "stdio"
    more = FILLED_IN if client == ("cursor",) else {}
    assert entry["env"] == {"LINEAL_USER": "ada", "LINEAL_DOMAIN": "coding", **more}


def test_the_command_is_an_absolute_path_that_runs_without_a_shell_or_a_path(
    project: Path,
) -> None:
    init(*CLAUDE)
    entry = entry_in(project / ".mcp.json", "mcpServers")
    assert Path(entry["command"]).is_absolute()
    assert entry["args"][-1] == "serve"
    argv = [entry["command"], *entry["args"][:-1], "--version"]
    assert b"lineal" in subprocess.run(argv, env={}, capture_output=True, check=True).stdout


@pytest.mark.parametrize(("client", "file", "key"), CLIENTS)
def test_the_same_again_changes_not_a_byte(
    project: Path, client: tuple[str, ...], file: str, key: str
) -> None:
    init(*client)
    before = (project / file).read_bytes()
    again = init(*client, "--json")
    assert again.exit_code == 0
    assert json.loads(again.stdout)["action"] == "unchanged"
    assert (project / file).read_bytes() == before


def test_other_entries_keys_their_order_and_the_indent_stay(project: Path) -> None:
    path = project / ".mcp.json"
    kept = (
        '{\n\t"zeta": [1.5, "ü", "\\ud83d"],\n'
        '\t"mcpServers": {\n\t\t"other": {"url": "x"}\n\t}\n}\n'
    )
    path.write_text(kept)
    path.chmod(0o640)
    assert init(*CLAUDE).exit_code == 0
    document = json.loads(path.read_text())
    assert list(document) == ["zeta", "mcpServers"]
    assert document["zeta"] == json.loads(kept)["zeta"]
    assert list(document["mcpServers"]) == ["other", "lineal"]
    assert document["mcpServers"]["other"] == {"url": "x"}
    assert '\n\t"zeta"' in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


INDENTS = (None, 2, 4, "\t")
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=9,
)


@given(
    others=st.dictionaries(WORDS.filter(lambda name: name != "lineal"), VALUES, max_size=3),
    more=st.dictionaries(WORDS.filter(lambda name: name != "servers"), VALUES, min_size=1),
    indent=st.sampled_from(INDENTS),
    end=st.sampled_from(["", "\n"]),
)
@settings(max_examples=60, deadline=None)
def test_in_and_out_again_leaves_every_byte_as_it_was(
    others: dict[str, Any], more: dict[str, Any], indent: str | int | None, end: str
) -> None:
    with tempfile.TemporaryDirectory() as home:
        path = Path(home) / "mcp.json"
        document = {**more, "servers": others}
        path.write_bytes((json.dumps(document, indent=indent, ensure_ascii=False) + end).encode())
        before = path.read_bytes()
        file = ConfigFile(path, "servers", root=Path(home))
        file.put({"command": "lineal"})
        assert file.entry() == {"command": "lineal"}
        assert file.remove() is True
        assert path.read_bytes() == before


def test_a_file_of_windows_keeps_its_line_ends(project: Path) -> None:
    path = project / ".mcp.json"
    before = b'{\r\n  "mcpServers": {\r\n    "other": {}\r\n  }\r\n}\r\n'
    path.write_bytes(before)
    init(*CLAUDE)
    assert b"\r\n" in path.read_bytes()
    assert b"\n" not in path.read_bytes().replace(b"\r\n", b"")
    init(*CLAUDE, "--remove")
    assert path.read_bytes() == before


def test_remove_takes_out_our_entry_and_nothing_else(project: Path) -> None:
    path = project / ".mcp.json"
    path.write_text('{"mcpServers": {"other": {"url": "x"}}, "more": 1}')
    init(*CLAUDE)
    assert init(*CLAUDE, "--remove").exit_code == 0
    assert json.loads(path.read_text()) == {"mcpServers": {"other": {"url": "x"}}, "more": 1}
    before = path.read_bytes()
    again = init(*CLAUDE, "--remove", "--json")
    assert json.loads(again.stdout)["action"] == "absent"
    assert path.read_bytes() == before


def test_remove_leaves_no_file_that_only_init_had_a_use_for(project: Path) -> None:
    for client, _, _ in CLIENTS:
        init(*client)
        assert init(*client, "--remove").exit_code == 0
        assert list(project.iterdir()) == []
    path = project / ".mcp.json"
    path.write_text('{"mcpServers": {}, "more": 1}')
    init(*CLAUDE)
    init(*CLAUDE, "--remove")
    assert json.loads(path.read_text()) == {"mcpServers": {}, "more": 1}


def test_remove_empties_a_file_that_is_linked_to(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "dotfiles").mkdir()
    (home / ".cursor").mkdir()
    real = home / "dotfiles/mcp.json"
    real.write_text("{}")
    (home / ".cursor/mcp.json").symlink_to(real)
    init("cursor", "--scope", "user")
    assert init("cursor", "--scope", "user", "--remove").exit_code == 0
    assert (home / ".cursor/mcp.json").is_symlink()
    assert json.loads(real.read_text()) == {}


def test_what_was_written_is_shown_with_its_place(project: Path) -> None:
    told = init(*CLAUDE).stdout
    assert str(project / ".mcp.json") in told
    for part in ('"lineal": {', '"LINEAL_USER": "ada"', '"LINEAL_DOMAIN": "coding"', '"serve"'):
        assert part in told


def test_another_entry_of_our_name_is_replaced_only_when_forced(project: Path) -> None:
    path = project / ".mcp.json"
    path.write_text('{"mcpServers": {"lineal": {"command": "/old", "env": {"KEY": "s3cret"}}}}')
    before = path.read_bytes()
    refused = init(*CLAUDE)
    assert refused.exit_code == 1
    assert path.read_bytes() == before
    assert "/old" in refused.stderr
    assert "--force" in refused.stderr
    assert "s3cret" not in refused.stderr + init(*CLAUDE, "--json").stderr
    there, wanted = refused.stderr.splitlines()[-2:]
    assert there.strip().startswith('there: {"command": "/old"')
    assert '"KEY": "***"' in there
    assert wanted.strip().startswith("wanted: {")
    assert '"LINEAL_USER": "ada"' in wanted
    assert init(*CLAUDE, "--force").exit_code == 0
    assert entry_in(path, "mcpServers")["env"]["LINEAL_USER"] == "ada"


@pytest.mark.parametrize(
    "content",
    [
        '{\n  // a comment\n  "servers": {}\n}',
        '{"servers": {},}',
        '{"servers": {}',
        "[]",
        '{"servers": []}',
        '{"servers": {"lineal": 1}}',
        '{"servers": {}, "servers": {"other": {}}}',
        '{"x": NaN, "servers": {}}',
        "\xff\xfe",
        "[" * 100_000,
    ],
)
def test_a_file_that_is_not_plain_json_is_left_as_it_is(project: Path, content: str) -> None:
    path = project / ".vscode/mcp.json"
    path.parent.mkdir()
    path.write_bytes(content.encode("latin-1"))
    result = init("vscode")
    assert result.exit_code == 1
    assert str(path) in result.stderr
    assert "Nothing was written" in result.stderr
    assert path.read_bytes() == content.encode("latin-1")
    assert [child.name for child in path.parent.iterdir()] == ["mcp.json"]


@pytest.mark.parametrize("content", ["", " \n", "{}", "\ufeff{}"])
def test_an_empty_file_is_as_good_as_none(project: Path, content: str) -> None:
    (project / ".mcp.json").write_text(content, encoding="utf-8")
    assert init(*CLAUDE).exit_code == 0
    assert entry_in(project / ".mcp.json", "mcpServers")


def test_print_writes_nothing(project: Path) -> None:
    result = init("cursor", "--print")
    assert result.exit_code == 0
    shown, _ = json.JSONDecoder().raw_decode(result.stdout)
    assert shown["mcpServers"]["lineal"]["args"][-1] == "serve"
    assert str(project / ".cursor/mcp.json") in result.stderr
    assert list(project.iterdir()) == []


def test_the_link_for_cursor_holds_the_entry(project: Path) -> None:
    document = json.loads(init("cursor", "--json").stdout)
    query = parse_qs(urlsplit(document["link"]).query)
    assert query["name"] == ["lineal"]
    assert json.loads(base64.b64decode(query["config"][0])) == document["entry"]


def test_a_link_within_the_home_is_followed_and_stays_a_link(tmp_path: Path) -> None:
    home = tmp_path / "home"
    real = home / "dotfiles/mcp.json"
    real.parent.mkdir()
    real.write_text("{}")
    (home / ".cursor").mkdir()
    (home / ".cursor/mcp.json").symlink_to(real)
    assert init("cursor", "--scope", "user").exit_code == 0
    assert (home / ".cursor/mcp.json").is_symlink()
    assert entry_in(real, "mcpServers")


@pytest.mark.parametrize("link", [".mcp.json", ".cursor"])
def test_a_link_that_leads_out_of_the_project_is_not_written_through(
    project: Path, tmp_path: Path, link: str
) -> None:
    target = tmp_path / "home/target"
    target.mkdir()
    (target / "mcp.json").write_text("{}")
    (project / link).symlink_to(target / "mcp.json" if link == ".mcp.json" else target)
    result = init(*CLAUDE) if link == ".mcp.json" else init("cursor")
    assert result.exit_code == 1
    assert "leads out of" in result.stderr
    assert (target / "mcp.json").read_text() == "{}"


def test_a_new_file_of_the_user_is_the_users_alone(tmp_path: Path) -> None:
    assert init(*CLAUDE, "--scope", "user").exit_code == 0
    path = tmp_path / "home/.claude.json"
    assert entry_in(path, "mcpServers")["alwaysLoad"] is True
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_claude_itself_is_asked_to_change_its_user_file(tmp_path: Path) -> None:
    said = tmp_path / "said"
    program(tmp_path / "bin", "claude", f'printf "%s\\n" "$@" > {said}')
    result = init(*CLAUDE, "--scope", "user")
    assert result.exit_code == 0, result.output
    *head, entry = said.read_text().splitlines()
    assert head == ["mcp", "add-json", "-s", "user", "lineal"]
    assert json.loads(entry)["env"]["LINEAL_USER"] == "ada"
    assert not (tmp_path / "home/.claude.json").exists()


def test_what_a_clients_command_says_when_it_fails_is_passed_on(tmp_path: Path) -> None:
    program(tmp_path / "bin", "claude", 'echo "policy forbids it" >&2; exit 3')
    result = init(*CLAUDE, "--scope", "user")
    assert result.exit_code == 1
    assert "exit code 3: policy forbids it" in result.stderr


def test_the_users_vscode_is_reached_through_its_command_or_not_at_all(tmp_path: Path) -> None:
    without = init("vscode", "--scope", "user")
    assert without.exit_code == 1
    assert "MCP: Open User Configuration" in without.stderr
    said = tmp_path / "said"
    program(tmp_path / "bin", "code", f'printf "%s\\n" "$@" > {said}')
    assert init("vscode", "--scope", "user").exit_code == 0
    flag, entry = said.read_text().splitlines()
    assert flag == "--add-mcp"
    assert json.loads(entry)["name"] == "lineal"


def test_a_data_directory_that_is_not_the_usual_one_is_written_down(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINEAL_HOME", str(tmp_path / "elsewhere"))
    init(*CLAUDE)
    env = entry_in(project / ".mcp.json", "mcpServers")["env"]
    assert env["LINEAL_HOME"] == str(tmp_path / "elsewhere")


def test_a_backend_that_may_hold_a_password_is_not_written_down(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINEAL_BACKEND", "postgres://me:hunter2@db/x")
    result = init(*CLAUDE)
    assert "LINEAL_BACKEND" in result.stdout
    assert "LINEAL_BACKEND" in init(*CLAUDE, "--print").stderr
    assert "hunter2" not in result.output + (project / ".mcp.json").read_text()


@pytest.mark.parametrize(
    "arguments",
    [
        ("emacs",),
        (),
        ("cursor", "--scope", "planet"),
        ("cursor", "--print", "--remove"),
        ("cursor", "--no-plugin"),
    ],
)
def test_a_wrong_call_ends_with_2(arguments: Sequence[str]) -> None:
    assert init(*arguments).exit_code == 2


@pytest.mark.parametrize("user", ["a\u202eb", " a", "a\nb", ""])
def test_a_user_whose_name_hides_something_is_refused(project: Path, user: str) -> None:
    result = CliRunner().invoke(cli, ["init", "cursor", "--user", user])
    assert result.exit_code == 1
    assert list(project.iterdir()) == []
