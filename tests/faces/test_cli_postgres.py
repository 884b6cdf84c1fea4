"""`lineal postgres` and what the doctor says of a database, on a real server."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from tests.postgres import fixtures
from tests.postgres.cluster import SUPERUSER, Cluster

from lineal.faces.cli.doctor_database import database_findings, kept_findings
from lineal.faces.cli.findings import Finding
from lineal.models.changes import Changes, Plan, Reads, Scope, Snapshot
from lineal.settings import Settings
from lineal.stores.postgres import PostgresStore
from lineal.stores.postgres.schema import DIRECTORY, TABLES
from lineal.testing.samples import a_context

from . import test_cli
from .test_cli import run

home = test_cli.home
cluster = fixtures.cluster
postgres_dsn = fixtures.postgres_dsn

SECRET = "hunter2"  # noqa: S105 - it opens nothing


def url_of(dsn: str, role: str = "lineal", **more: str) -> str:
    """As LINEAL_BACKEND has it, with a password that nobody may see."""
    told = conninfo_to_dict(dsn)
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in more.items())
    place = f"host={quote(str(told['host']), safe='')}&port={told['port']}"
    return f"postgres://{role}:{SECRET}@/{told['dbname']}?{place}{'&' if query else ''}{query}"


def settings_of(url: str, **more: Any) -> Settings:
    return Settings(backend=url, **more)


def findings(settings: Settings) -> dict[str, Finding]:
    return {finding.name: finding for finding in anyio.run(database_findings, settings)}


def filled(dsn: str, tenants: dict[str, int]) -> None:
    """A store with so many memories of each tenant."""

    async def fill() -> None:
        store = PostgresStore(dsn)
        await store.open()
        for tenant, count in tenants.items():
            named = tuple(f"ctx_{tenant}{number}" for number in range(count))

            def decide(_: Snapshot, names: tuple[str, ...] = named) -> Plan[None]:
                return Plan(Changes(contexts=tuple(map(a_context, names))), None)

            await store.commit(
                Scope(tenant=tenant, user_id="ada", domain="coding"), Reads(), decide
            )
        await store.close()

    anyio.run(fill)


def plan_of(url: str, *arguments: str) -> dict[str, Any]:
    result = run("postgres", "shard-plan", "--json", "--backend", url, *arguments)
    assert result.exit_code == 0, result.output
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def test_the_plan_counts_what_is_there_tenant_by_tenant(postgres_dsn: str, home: Path) -> None:
    filled(postgres_dsn, {"acme": 900, "beta": 300})
    told = plan_of(url_of(postgres_dsn), "--memories", "1000000000", "--shard-gb", "50")
    sizes, plan = told["sizes"], told["plan"]
    assert (sizes["memories"], sizes["tenants"], sizes["largest"]) == (1_200, 2, 900)
    assert 100 < sizes["body_bytes"] < 2_000
    assert {table["name"] for table in sizes["tables"]} == {*TABLES, *DIRECTORY}
    assert plan["measured"]
    assert plan["disk_bytes"] <= plan["shards"] * 50_000_000_000
    each = {part["name"]: part["bytes_each"] for part in plan["parts"]}
    assert each["context_revision"] > sizes["body_bytes"] / 2
    assert each["posting_tokens"] > 0


def test_an_empty_database_gets_the_measured_default_and_stays_empty(
    postgres_dsn: str, home: Path
) -> None:
    result = run("postgres", "shard-plan", "--backend", url_of(postgres_dsn))
    assert result.exit_code == 0
    assert "docs/scale.md" in result.stdout
    assert not plan_of(url_of(postgres_dsn))["plan"]["measured"]
    with psycopg.connect(postgres_dsn) as connection:
        made = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'lineal'").fetchone()
    assert made is None


def test_the_statements_come_alone_and_name_every_table_once(postgres_dsn: str, home: Path) -> None:
    result = run("postgres", "shard-plan", "--sql", "--backend", url_of(postgres_dsn))
    named = re.findall(r"_table\('lineal\.(\w+)'", result.stdout)
    assert named == [*DIRECTORY, *TABLES]
    assert "citus.propagate_set_commands = 'local'" in result.stdout
    assert all(line.endswith(";") for line in result.stdout.splitlines())


def test_a_backend_that_is_no_database_has_no_plan(home: Path) -> None:
    result = run("postgres", "shard-plan", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stderr)["error"]["code"] == "unsupported"


def test_the_doctor_finds_a_careful_database_in_order(postgres_dsn: str, home: Path) -> None:
    filled(postgres_dsn, {"acme": 1})
    found = findings(settings_of(url_of(postgres_dsn)))
    assert found["server"].value.startswith("PostgreSQL ")
    for name in ("server", "pgvector", "schema", "role", "line", "connections"):
        assert found[name].ok is True, found[name]
    assert found["disk"].ok is False  # the tests' server doesn't wait for its disk
    assert "fsync and full_page_writes off" in found["disk"].value
    assert found["standby"].ok is None
    assert "no synchronous one" in found["standby"].value


def test_the_doctor_names_a_role_that_the_wall_does_not_bind(postgres_dsn: str, home: Path) -> None:
    found = findings(settings_of(url_of(postgres_dsn, SUPERUSER)))
    assert found["role"].ok is False
    assert "superuser and BYPASSRLS" in found["role"].value
    assert "NOSUPERUSER NOBYPASSRLS" in str(found["role"].advice)


def test_the_doctor_makes_nothing_in_an_empty_database(postgres_dsn: str, home: Path) -> None:
    settings = settings_of(url_of(postgres_dsn))
    database = anyio.run(database_findings, settings)
    kept = anyio.run(kept_findings, settings, database)
    assert [(one.ok, one.value) for one in kept] == [(None, "not made yet; the first use does")]
    with psycopg.connect(postgres_dsn) as connection:
        made = connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'lineal'").fetchone()
    assert made is None


def test_the_doctor_knows_more_connections_than_the_server_has(
    postgres_dsn: str, home: Path
) -> None:
    found = findings(settings_of(url_of(postgres_dsn), pool_max=200))
    assert found["connections"].ok is False


def test_normal_durability_is_told_and_not_judged(postgres_dsn: str, home: Path) -> None:
    found = findings(settings_of(url_of(postgres_dsn), durability="normal"))
    assert found["standby"].ok is None
    assert "LINEAL_DURABILITY is normal" in found["standby"].value


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"dbname": "nowhere"}, "no such database or role"),
        ({"port": "1"}, "there is no such socket"),
        ({"host": "localhost", "port": "1"}, "nothing listens"),
    ],
)
def test_a_server_that_cant_be_reached_is_told_with_the_cause(
    cluster: Cluster, change: dict[str, str], why: str, home: Path
) -> None:
    found = findings(settings_of(url_of(cluster.dsn(), **change)))
    assert list(found) == ["server"]
    assert found["server"].ok is False
    assert why in found["server"].value


def test_the_clear_line_to_another_machine_is_refused(home: Path) -> None:
    url = f"postgres://lineal:{SECRET}@db.example/lineal?sslmode=prefer"
    found = findings(settings_of(url))
    assert found["server"].ok is False
    assert "sslmode=prefer" in found["server"].value


def test_no_password_is_ever_shown(postgres_dsn: str, cluster: Cluster, home: Path) -> None:
    urls = [
        url_of(postgres_dsn),
        url_of(cluster.dsn("nowhere")),
        f"postgres://lineal:{SECRET}@localhost:1/x?password={SECRET}",
        f"postgres://lineal:{SECRET}@/x?sslmode={SECRET}",
    ]
    for url in urls:
        told = " ".join(str(finding) for finding in findings(settings_of(url)).values())
        result = run("postgres", "shard-plan", "--backend", url)
        assert SECRET not in told + result.output + result.stderr


@pytest.mark.tries_outside
def test_a_password_that_was_not_written_with_percent_is_not_shown_either(home: Path) -> None:
    """What follows its @ is taken for the server's name."""
    found = findings(settings_of(f"postgres://lineal:a@{SECRET}@localhost:1/x"))
    assert SECRET not in str(found)
    assert found["server"].ok is False


def test_another_backend_has_no_findings_of_a_database(home: Path) -> None:
    assert findings(Settings()) == {}
