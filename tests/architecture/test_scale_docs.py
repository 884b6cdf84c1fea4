"""What docs/scale.md and config/postgres tell: commands, settings, files and figures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from lineal.faces.cli.main import COMMANDS
from lineal.faces.cli.postgres import postgres, shard_plan
from lineal.policy.sharding import ROOM, USUAL
from lineal.settings import Settings

REPO = Path(__file__).parents[2]
CONFIG = REPO / "config" / "postgres"
TOLD = (REPO / "docs" / "scale.md").read_text(encoding="utf-8")
CONF = (CONFIG / "postgresql.conf").read_text(encoding="utf-8")
CODE = re.findall(r"`([^`\n]+)`", TOLD) + re.findall(r"^    (\S.*)$", TOLD, re.MULTILINE)


def of_yaml(name: str) -> Any:
    """<…> are placeholders."""
    text = (CONFIG / name).read_text(encoding="utf-8")
    return yaml.safe_load(re.sub(r"<([\w./]+)>", r"\1", text))


def server_settings() -> dict[str, str]:
    """Of postgresql.conf, what is set."""
    lines = re.findall(r"^(\w+) = (.+)$", CONF, re.MULTILINE)
    assert len(lines) == len({name for name, _ in lines})
    return dict(lines)


def pairs(document: Any) -> Iterator[tuple[str, Any]]:
    """Every key of a document with its value, however deep."""
    if isinstance(document, dict):
        for name, value in document.items():
            yield str(name), value
            yield from pairs(value)
    elif isinstance(document, list):
        for value in document:
            yield from pairs(value)


def test_every_command_and_setting_that_is_told_is_there() -> None:
    commands = {word for code in CODE for word in re.findall(r"\blineal ([a-z-]+)", code)}
    assert sorted(commands - COMMANDS.keys()) == []
    assert {"doctor", "export", "import", "postgres"} <= commands
    named = set(re.findall(r"\bLINEAL_[A-Z_]+\b", TOLD))
    assert sorted(named - {f"LINEAL_{name.upper()}" for name in Settings.model_fields}) == []
    assert {"LINEAL_BACKEND", "LINEAL_DURABILITY", "LINEAL_POOL_MAX"} <= named


def test_every_part_and_option_of_the_command_is_told() -> None:
    assert [f"lineal postgres {name}" for name in postgres.commands] == [
        "lineal postgres shard-plan"
    ]
    assert "`lineal postgres shard-plan`" in TOLD
    own = {option for one in shard_plan.params for option in one.opts} - {"--home", "--backend"}
    assert sorted(option for option in own if f"`{option}`" not in TOLD) == []


def test_the_figures_are_those_that_the_plan_goes_by() -> None:
    each = sum(part.bytes_each for part in USUAL)
    assert f"| **in all** | **{each:,.0f}** |" in TOLD
    assert f"| disk | {each / 1000:.1f} TB | {each * 2 * ROOM / 1000:.1f} TB |" in TOLD
    near = sum(part.bytes_each for part in USUAL if part.kind == "hnsw")
    assert f"| index of vectors | {near / 1000:.2f} TB |" in TOLD


def test_every_file_beside_the_configuration_is_told() -> None:
    for path in CONFIG.iterdir():
        assert path.name in TOLD, path.name


def test_the_server_that_is_configured_keeps_what_it_acknowledges() -> None:
    told = server_settings()
    assert {told[name] for name in ("fsync", "full_page_writes", "synchronous_commit")} == {"on"}
    told_by_patroni = of_yaml("patroni.yml")["bootstrap"]["dcs"]
    assert told_by_patroni["synchronous_mode"] in (True, "on", "quorum")
    assert told_by_patroni["synchronous_mode_strict"] is True
    assert told_by_patroni["postgresql"]["use_pg_rewind"] is True
    for name in ("fsync", "full_page_writes", "synchronous_commit"):
        assert told_by_patroni["postgresql"]["parameters"][name] == "on"


def test_what_patroni_sets_is_what_the_file_sets() -> None:
    told = of_yaml("patroni.yml")
    parameters = {
        **told["bootstrap"]["dcs"]["postgresql"]["parameters"],
        **told["postgresql"]["parameters"],
    }
    known = server_settings()
    differ = {
        name: (value, known[name])
        for name, value in parameters.items()
        if name in known and str(value) != known[name]
    }
    assert differ == {}


@pytest.mark.parametrize("name", ["compose.yml", "patroni.yml"])
def test_no_password_stands_in_a_configuration(name: str) -> None:
    kept = {
        value
        for key, value in pairs(of_yaml(name))
        if re.search(r"password|secret|superuser$", key, re.I) and isinstance(value, str)
    }
    assert kept <= {"/run/secrets/superuser", "./superuser.secret", "scram-sha-256"}


def test_the_role_that_is_made_has_no_password_yet() -> None:
    made = re.sub(r"--.*", "", (CONFIG / "init.sql").read_text(encoding="utf-8"))
    assert "PASSWORD" not in made.upper()


def test_the_containers_refer_to_what_is_there() -> None:
    told = of_yaml("compose.yml")
    server, face = told["services"]["postgres"], told["services"]["lineal"]
    for service in (server, face):
        assert service["healthcheck"]["test"][0] == "CMD"
        for volume in service["volumes"]:
            assert volume.split(":")[0] in told["volumes"]
    assert {one["source"] for one in server["configs"]} == told["configs"].keys()
    for one in told["configs"].values():
        assert (CONFIG / one["file"]).exists()
    assert set(server["secrets"]) == told["secrets"].keys()
    assert face["depends_on"]["postgres"]["condition"] == "service_healthy"
    known = {f"LINEAL_{name.upper()}" for name in Settings.model_fields}
    assert face["environment"].keys() <= known
    assert face["environment"]["LINEAL_BACKEND"].startswith("postgres://lineal@/")
    assert all(port.startswith("127.0.0.1:") for port in face["ports"])
    assert "ports" not in server


def test_the_role_that_is_made_is_bound_by_the_wall() -> None:
    made = (CONFIG / "init.sql").read_text(encoding="utf-8")
    role = re.findall(r"^CREATE ROLE lineal (.*);$", made, re.MULTILINE)
    assert len(role) == 1
    assert {"LOGIN", "NOSUPERUSER", "NOBYPASSRLS"} <= set(role[0].split())
    assert "CREATE EXTENSION IF NOT EXISTS vector;" in made
