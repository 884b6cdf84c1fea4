"""These rooms need PostgreSQL's driver to be read at all; the server is asked for by fixtures."""

from __future__ import annotations

from importlib.util import find_spec

from tests.postgres.engine import required

collect_ignore_glob: list[str] = []

if find_spec("psycopg") is None:
    if required():
        raise RuntimeError("LINEAL_REQUIRE names postgres, and psycopg isn't installed.")
    collect_ignore_glob.append("test_*.py")
