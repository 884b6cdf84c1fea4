"""What stands on PostgreSQL needs its driver to be read at all; fixtures ask for the server."""

from __future__ import annotations

from importlib.util import find_spec

from tests.postgres.engine import required

collect_ignore: list[str] = []

if find_spec("psycopg") is None:
    if required():
        raise RuntimeError("LINEAL_REQUIRE names postgres, and psycopg isn't installed.")
    collect_ignore.append("test_postgres.py")
