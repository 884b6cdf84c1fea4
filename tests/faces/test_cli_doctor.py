"""`lineal doctor` on what the clients have of us: started, asked, and told as it is."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lineal.app import store_path
from lineal.faces.cli.findings import schema_findings
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
    write(tmp_path / ".vscode/mcp.json", entry, "servers")
    (tmp_path / ".claude.json").write_text(
        json.dumps({"projects": {str(tmp_path): {"mcpServers": {"lineal": entry}}}})
    )
    result = run("doctor", "--json")
    assert result.exit_code == 0, result.output
    found = {one["name"]: one for one in json.loads(result.stdout)["findings"]}
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
