"""`lineal doctor` on what the clients have of us: started, asked, and told as it is."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lineal.app import store_path
from lineal.faces.cli.doctor_hooks import hook_findings, twice_findings
from lineal.faces.cli.findings import Finding, schema_findings, search_finding
from lineal.faces.cli.hooks_file import EVENTS
from lineal.settings import Settings

from . import test_cli
from .test_cli import run

home = test_cli.home
ids = test_cli.ids

OURS = {"command": sys.executable, "args": ["-P", "-m", "lineal", "serve"]}
PROJECT = "Claude Code, project"
EXAMPLE = Path(__file__).parents[2] / "config" / "lineal.env"


def write(path: Path, entry: Mapping[str, Any], key: str = "mcpServers") -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({key: {"lineal": entry}}))


def write_hooks(directory: Path, command: str, events: Iterable[str] = EVENTS) -> None:
    """Cursor's, as `lineal init` writes them."""
    (directory / ".cursor").mkdir(exist_ok=True)
    hooks = {event: [{"command": command}] for event in events}
    path = directory / ".cursor/hooks.json"
    path.write_text(json.dumps({"version": 1, "hooks": hooks}))


@pytest.fixture
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that isn't the home directory, which is `tmp_path`."""
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    return project


def findings(checks: Iterator[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in checks}


def examined(*arguments: str) -> dict[str, dict[str, Any]]:
    """The findings by their names."""
    report = json.loads(run("doctor", "--json", *arguments).stdout)
    return {finding["name"]: finding for finding in report["findings"]}


def test_each_clients_entry_is_started_and_asked(
    ids: Mapping[str, str], home: Path, tmp_path: Path
) -> None:
    entry = {**OURS, "env": {"LINEAL_HOME": str(home), "LINEAL_USER": "ada"}}
    write(tmp_path / ".mcp.json", entry)
    write(tmp_path / ".cursor/mcp.json", entry)
    write_hooks(tmp_path, f"{sys.executable} -P -m lineal hook cursor --home {home}")
    write(tmp_path / ".vscode/mcp.json", entry, "servers")
    (tmp_path / ".claude.json").write_text(
        json.dumps({"projects": {str(tmp_path): {"mcpServers": {"lineal": entry}}}})
    )
    result = run("doctor", "--json")
    assert result.exit_code == 0, result.output
    found = {one["name"]: one for one in json.loads(result.stdout)["findings"]}
    assert found["Cursor, project hooks"]["ok"] is True
    for name in (PROJECT, "Cursor, project", "VS Code, project", "Claude Code, local"):
        assert found[name]["ok"] is True, found[name]
        assert "started and answered" in found[name]["value"]
        assert "isn't used yet" not in found[name]["value"]
    assert found["Claude Code, user"]["ok"] is None


def test_an_entry_that_would_not_start_is_told_with_its_servers_own_words(
    home: Path, tmp_path: Path
) -> None:
    write(tmp_path / ".mcp.json", {**OURS, "env": {"LINEAL_DURABILITY": "maybe"}})
    write(tmp_path / ".cursor/mcp.json", {**OURS, "args": [*OURS["args"], "--loud"]})
    script = "import sys; sys.exit('the password s3cret is wrong')"
    entry = {"command": sys.executable, "args": ["-c", script], "env": {"KEY": "s3cret"}}
    write(tmp_path / ".claude.json", entry)
    found = examined()
    assert found[PROJECT]["ok"] is False
    assert "LINEAL_DURABILITY" in found[PROJECT]["value"]
    assert found["Cursor, project"]["ok"] is False
    assert "No such option '--loud'" in found["Cursor, project"]["value"]
    assert found["Claude Code, user"]["ok"] is False
    assert "the password *** is wrong" in found["Claude Code, user"]["value"].splitlines()[-1]
    assert "--scope user --force" in found["Claude Code, user"]["advice"]
    assert run("doctor").exit_code == 1


def test_what_is_not_a_server_is_told_without_a_traceback(tmp_path: Path) -> None:
    write(tmp_path / ".claude.json", {"command": "/bin/echo", "args": ["hello"]})
    result = run("doctor")
    assert result.stderr == ""
    assert "doesn't answer" in result.stdout


def test_an_entry_whose_memory_is_not_used_yet_makes_none(home: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    entry = {**OURS, "env": {"LINEAL_HOME": str(home)}}
    write(tmp_path / ".mcp.json", entry)
    write(tmp_path / ".cursor/mcp.json", {**OURS, "args": [*OURS["args"], f"--home={elsewhere}"]})
    url = f"sqlite://{elsewhere}/other.db"
    write(tmp_path / ".vscode/mcp.json", {**OURS, "env": {"LINEAL_BACKEND": url}}, "servers")
    found = examined()
    for name in (PROJECT, "Cursor, project", "VS Code, project"):
        assert found[name]["ok"] is True, found[name]
        assert "isn't used yet" in found[name]["value"]
    assert not home.exists()
    assert not elsewhere.exists()
    assert not store_path(Settings()).exists()


def test_looking_at_a_checkout_does_not_run_what_it_names(tmp_path: Path) -> None:
    trap = tmp_path / "lineal"
    trap.write_text("#!/bin/sh\ntouch ran\n")
    trap.chmod(0o755)
    for entry in (
        {"command": "./lineal", "args": ["serve"]},
        {"command": str(trap), "args": ["serve"]},
        {"command": "/bin/sh", "args": ["-c", "touch ran"]},
        {"command": sys.executable, "args": ["-m", "lineal", "serve"]},
        {**OURS, "env": {"PYTHONPATH": "."}},
    ):
        write(tmp_path / ".mcp.json", entry)
        found = examined()[PROJECT]
        assert found["ok"] is False
        assert "Not started" in found["value"]
        assert "--trust" in found["advice"]
        assert not (tmp_path / "ran").exists()
    write(tmp_path / ".mcp.json", {"command": "./lineal", "args": ["serve"]})
    assert "doesn't answer" in examined("--trust")[PROJECT]["value"]
    assert (tmp_path / "ran").exists()


def test_an_entry_that_only_the_client_can_start_is_not_judged(tmp_path: Path) -> None:
    write(tmp_path / ".mcp.json", {**OURS, "env": {"LINEAL_USER": "${USER}"}})
    write(tmp_path / ".cursor/mcp.json", {"url": "https://me:hunter2@host/mcp"})
    found = examined()
    assert found[PROJECT]["ok"] is None
    assert found["Cursor, project"]["ok"] is None
    assert "hunter2" not in str(found)


def test_an_entry_of_another_shape_is_told(tmp_path: Path) -> None:
    write(tmp_path / ".mcp.json", {"command": ["lineal", "serve"]})
    assert examined()[PROJECT]["ok"] is False


def test_the_plugin_is_started_as_the_client_starts_it(apart: Path, tmp_path: Path) -> None:
    run("init", "claude-code")
    run("init", "claude-code", "--scope", "user", "--home", str(tmp_path / "other"))
    found = examined()
    for scope in ("project", "user"):
        plugin = found[f"Claude Code, {scope} plugin"]
        assert plugin["ok"] is True, plugin
        assert "started and answered" in plugin["value"]
        assert found[f"Claude Code, {scope} hooks"]["ok"] is True
    twice = found["Claude Code, twice"]
    assert twice["ok"] is False
    assert str(apart / ".claude/skills/lineal") in twice["value"]
    assert "lineal init claude-code --scope user --remove" in twice["advice"]
    run("init", "claude-code", "--scope", "user", "--remove")
    assert findings(twice_findings(Settings())) == {}


def test_the_plugin_of_somebody_elses_checkout_is_not_started(apart: Path) -> None:
    run("init", "claude-code")
    trap = apart / "lineal"
    trap.write_text("#!/bin/sh\ntouch ran\n")
    trap.chmod(0o755)
    write(apart / ".claude/skills/lineal/.mcp.json", {"command": str(trap), "args": ["serve"]})
    plugin = examined()["Claude Code, project plugin"]
    assert plugin["ok"] is False
    assert "Not started" in plugin["value"]
    assert not (apart / "ran").exists()


@pytest.mark.parametrize("place", ["entry", "local"])
def test_a_plugin_beside_an_entry_is_told_with_the_way_out(
    apart: Path, tmp_path: Path, place: str
) -> None:
    run("init", "claude-code")
    if place == "entry":
        write(apart / ".mcp.json", OURS)
        way_out = "lineal init claude-code --scope project --no-plugin --remove"
    else:
        local = {"projects": {str(apart): {"mcpServers": {"lineal": OURS}}}}
        (tmp_path / ".claude.json").write_text(json.dumps(local))
        way_out = "claude mcp remove -s local lineal"
    [twice] = twice_findings(Settings())
    assert twice.ok is False
    assert way_out in str(twice.advice)
    if place == "entry":
        assert run(*way_out.split()[1:]).exit_code == 0
        assert list(twice_findings(Settings())) == []
        assert (apart / ".claude/skills/lineal").exists()


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("/gone/lineal hook cursor --home {home}", "can't be found"),
        ("{other} -P -m lineal hook cursor --home {home}", "another lineal"),
        ("{python} -P -m lineal hook cursor", "another data directory"),
        ("'{python} -P -m lineal hook cursor", "can't be read"),
    ],
)
def test_a_hook_that_does_not_tell_the_server_is_found(
    apart: Path, home: Path, command: str, why: str
) -> None:
    write(apart / ".cursor/mcp.json", {**OURS, "env": {"LINEAL_HOME": str(home)}})
    line = command.format(python=sys.executable, other=shutil.which("sh"), home=home)
    write_hooks(apart, line)
    hooks = findings(hook_findings(Settings()))["Cursor, project hooks"]
    assert hooks.ok is False
    assert why in hooks.value
    assert hooks.advice == "To write them anew: lineal init cursor --force"


def test_a_hook_of_the_plugin_that_does_not_run_is_found(apart: Path) -> None:
    run("init", "claude-code")
    path = apart / ".claude/skills/lineal/hooks/hooks.json"
    document = json.loads(path.read_text())
    document["hooks"]["SessionStart"][0]["hooks"][0]["command"] = "/gone/lineal"
    path.write_text(json.dumps(document))
    hooks = findings(hook_findings(Settings()))["Claude Code, project hooks"]
    assert hooks.ok is False
    assert "can't be found" in hooks.value
    path.write_text("[]")
    assert findings(hook_findings(Settings()))["Claude Code, project hooks"].ok is False
    assert run("init", "claude-code", "--force").exit_code == 0
    assert findings(hook_findings(Settings()))["Claude Code, project hooks"].ok is True


def test_missing_hooks_are_told_once_there_is_a_server_to_hear_them(
    apart: Path, tmp_path: Path
) -> None:
    assert findings(hook_findings(Settings())) == {}
    write(apart / ".cursor/mcp.json", OURS)
    [none] = hook_findings(Settings())
    assert (none.name, none.ok) == ("Cursor, project hooks", False)
    write_hooks(apart, f"{sys.executable} -P -m lineal hook cursor", EVENTS[:1])
    [some] = hook_findings(Settings())
    assert some.ok is False
    assert EVENTS[1] in some.value
    (apart / ".cursor/hooks.json").unlink()
    write_hooks(tmp_path, f"{sys.executable} -P -m lineal hook cursor")
    [at_home] = hook_findings(Settings())
    assert (at_home.name, at_home.ok) == ("Cursor, user hooks", True)
    (tmp_path / ".cursor/hooks.json").unlink()
    write(apart / ".cursor/mcp.json", {**OURS, "env": {"LINEAL_CAPTURE": "off"}})
    assert list(hook_findings(Settings())) == []


def test_what_init_wrote_for_cursor_is_as_it_should_be(apart: Path) -> None:
    run("init", "cursor")
    found = examined()
    assert found["Cursor, project"]["ok"] is True, found["Cursor, project"]
    assert found["Cursor, project hooks"]["ok"] is True


def test_a_wrong_schema_directory_is_not_the_engines_fault(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINEAL_SCHEMAS", "/nope")
    found = examined()
    assert found["engine"]["ok"] is True
    assert found["health"]["ok"] is False
    assert "/nope" in found["health"]["value"]
    assert not home.exists()


def test_a_backend_that_refuses_maintenance_is_not_unwell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "packages"
    info = package / "frugal-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: frugal\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[lineal.backends]\nfrugal = frugal:backend\n")
    (package / "frugal.py").write_text(
        "from lineal.errors import Capability\n"
        "from lineal.testing import FakeBackend\n"
        "def backend(settings):\n"
        "    return FakeBackend(refused=[Capability.MAINTENANCE])\n"
    )
    monkeypatch.syspath_prepend(package)
    monkeypatch.setenv("LINEAL_BACKEND", "frugal://here")
    result = run("doctor")
    assert result.exit_code == 0, result.output
    [health] = [line for line in result.stdout.splitlines() if " health " in line]
    assert health.startswith("·")
    assert "offers no maintenance" in health


def test_the_schemas_are_counted_and_a_broken_file_is_told_by_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    [right] = schema_findings(Settings())
    assert (right.ok, right.value) == (True, "3 domains: coding, dating, hiring")
    (tmp_path / "coding.json").write_text('{\n "domain": "coding"\n oops}')
    (tmp_path / "zoo.json").write_text('{"domain": "pets", "version": 1}')
    monkeypatch.setenv("LINEAL_SCHEMAS", str(tmp_path))
    right, broken = schema_findings(Settings())
    assert right.value == "3 domains: dating, hiring, pets"
    assert broken.ok is False
    assert f"{tmp_path / 'coding.json'}: line 3: " in broken.value


def test_a_domain_without_a_schema_is_noted_and_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEAL_DOMAIN", "gardening")
    note = list(schema_findings(Settings()))[-1]
    assert (note.name, note.ok) == ("LINEAL_DOMAIN", None)
    assert "'gardening'" in note.value
    assert "kept" in note.value


def test_every_setting_stands_in_the_example_and_nothing_else() -> None:
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    named = [line.removeprefix("# ").split("=")[0] for line in lines if "=" in line]
    ours = [f"LINEAL_{name.upper()}" for name in Settings.model_fields]
    assert sorted(named) == sorted(name for name in ours if "_CLIENT_" not in name)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "words, and meanings by minilm"),
        ({"embedder": "none"}, "words only"),
        ({"embedder": "endpoint", "embed_model": "m-1"}, "words, and meanings by m-1 (endpoint)"),
    ],
)
def test_the_doctor_says_what_searches_go_by(given: dict[str, Any], told: str) -> None:
    assert search_finding(Settings(**given)).value == told
