"""The ground that the other tests stand on holds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from tests.postgres.cluster import Cluster, both
from tests.postgres.engine import require
from tests.postgres.processes import alive, children

ROOT = Path(__file__).parents[2]
NEEDS_PROC = pytest.mark.skipif(not Path("/proc").exists(), reason="reads processes from /proc")


def asked(dsn: str, question: str) -> object:
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(question).fetchone()
    assert row is not None
    return row[0]


def test_a_database_belongs_to_a_role_that_walls_bind(postgres_dsn: str) -> None:
    mine = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
    assert asked(postgres_dsn, mine) == "lineal"
    rights = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
    assert asked(postgres_dsn, rights) is False
    assert asked(postgres_dsn, "SELECT '[1,2]'::vector::text") == "[1,2]"


def test_each_database_is_new(cluster: Cluster) -> None:
    first, second = cluster.new_database(), cluster.new_database()
    with psycopg.connect(first) as connection:
        connection.execute("CREATE TABLE mine (n int)")
    assert asked(second, "SELECT to_regclass('mine')") is None
    cluster.drop_database(first)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(first)
    cluster.drop_database(second)


@NEEDS_PROC
def test_a_killed_server_is_gone_with_all_its_processes_and_comes_back() -> None:
    require()
    with Cluster(durable=True) as server:
        dsn = server.new_database()
        with psycopg.connect(dsn) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
        postmaster = int((server.data / "postmaster.pid").read_text().split()[0])
        running = [postmaster, *children(postmaster)]
        assert len(running) > 4
        server.kill()
        assert not any(map(alive, running))
        server.start()
        assert asked(dsn, "SELECT n FROM kept") == 7


@NEEDS_PROC
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_server_outlives_the_tests_however_they_end(how: signal.Signals) -> None:
    require()
    code = (
        "import os; from tests.postgres.cluster import Cluster; server = Cluster();"
        f"print(server.host, flush=True); os.kill(os.getpid(), {how.value})"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    place = Path(run.stdout.strip())
    assert place.name.startswith("lineal-pg-"), run.stderr
    end = time.monotonic() + 10
    while place.exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert not place.exists()


@NEEDS_PROC
def test_a_standby_follows_waits_and_takes_over(pair: tuple[Cluster, Cluster]) -> None:
    first, second = pair
    first.set(synchronous_standby_names="*")
    dsn = first.new_database()
    where = both(first, second, dsn)
    with psycopg.connect(where) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    assert asked(where, "SHOW port") == str(first.port)
    first.kill()
    second.promote()
    assert asked(where, "SHOW port") == str(second.port)
    assert asked(where, "SELECT n FROM kept") == 7


def test_settings_change_while_it_runs() -> None:
    require()
    with Cluster(settings={"work_mem": "1MB"}) as server:
        assert server.sql("SHOW work_mem") == [("1MB",)]
        server.set(work_mem="2048")
        assert server.sql("SHOW work_mem") == [("2MB",)]
        assert os.path.exists(server.host)
    assert not os.path.exists(server.host)
