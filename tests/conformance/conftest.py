"""What stands on PostgreSQL needs its driver to be read at all; fixtures ask for the server."""

from __future__ import annotations

from importlib.util import find_spec

from tests.postgres.engine import required

collect_ignore: list[str] = []

if find_spec("psycopg") is not None:
    from tests.postgres.fixtures import cluster, postgres_dsn

    __all__ = ["cluster", "postgres_dsn"]
elif required():
    raise RuntimeError("LINEAL_REQUIRE names postgres, and psycopg isn't installed.")
else:
    collect_ignore.append("test_postgres.py")
