"""The example settings and scripts of config/postgres, on a real server."""

from __future__ import annotations

import re
from pathlib import Path

import anyio
import psycopg
import pytest
from tests.postgres.cluster import SUPERUSER, Cluster
from tests.postgres.engine import require

from lineal.faces.cli.doctor_database import database_findings
from lineal.settings import Settings

CONFIG = Path(__file__).parents[2] / "config" / "postgres"
LARGE = re.compile(r"shared_buffers|effective_cache_size|maintenance_work_mem|max_wal_size")
"""What takes a machine for itself."""


def conf() -> dict[str, str]:
    text = (CONFIG / "postgresql.conf").read_text(encoding="utf-8")
    lines = re.findall(r"^(\w+) = (.+)$", text, re.MULTILINE)
    return {name: value for name, value in lines if not LARGE.match(name)}


@pytest.mark.slow
def test_a_server_takes_the_settings_and_the_script_and_the_doctor_finds_it_in_order(
    tmp_path: Path,
) -> None:
    require()
    first, second = (CONFIG / "init.sql").read_text(encoding="utf-8").split("\\connect lineal")
    statements = re.findall(r"^[A-Z][^;]*;", first, re.MULTILINE)
    assert len(statements) == 3
    with Cluster(durable=True, settings=conf()) as cluster:
        cluster.sql("DROP DATABASE IF EXISTS lineal")
        for statement in statements:
            made = "CREATE ROLE" in statement and "already exists"
            try:
                cluster.sql(statement)
            except psycopg.errors.DuplicateObject:
                assert made
        for statement in re.findall(r"^[A-Z][^;]*;", second, re.MULTILINE):
            cluster.sql(statement, database="lineal")
        backend = f"postgres://lineal@/lineal?host={cluster.host}&port={cluster.port}"
        found = anyio.run(database_findings, Settings(backend=backend, home=tmp_path))
        assert [one.name for one in found if one.ok is False] == []
        refused = f"postgres://{SUPERUSER}@/lineal?host={cluster.host}&port={cluster.port}"
        found = anyio.run(database_findings, Settings(backend=refused, home=tmp_path))
        assert [one.name for one in found if one.ok is False] == ["role"]
