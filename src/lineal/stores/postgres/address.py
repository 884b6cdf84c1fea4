"""Where the database is, from the backend's URL: never without TLS to another machine."""

from __future__ import annotations

from ipaddress import ip_address

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from lineal.errors import LinealError

__all__ = ["CONNECT_S", "conninfo_of"]

CONNECT_S = 5
"""How long one attempt to connect may take."""

_OPEN_MODES = ("disable", "allow", "prefer")
"""Of sslmode: what may end up without TLS."""


def conninfo_of(url: str) -> str:
    """What libpq is told, from postgres://user:password@host/db?… or key=value pairs.

    To another machine without an sslmode, the server's certificate is verified (verify-full, by the
    system's authorities unless sslrootcert names others). Raises invalid_request for what can't be
    read, and for a mode that could send memories and password in the clear.
    """
    told = _read(url)
    remote = [host for host in str(told.get("host") or "").split(",") if not _is_here(host)]
    if remote or (told.get("hostaddr") and not _all_here(str(told["hostaddr"]))):
        if told.get("sslmode") in _OPEN_MODES:
            raise LinealError.invalid(
                "LINEAL_BACKEND",
                f"LINEAL_BACKEND asks for sslmode={told['sslmode']} to another machine, which may "
                "send memories in the clear. Use sslmode=verify-full, or require where the "
                "certificate can't be verified; or reach the server by its socket.",
            )
        told.setdefault("sslmode", "verify-full")
        if told["sslmode"] == "verify-full":
            told.setdefault("sslrootcert", "system")
    told.setdefault("connect_timeout", CONNECT_S)
    told.setdefault("application_name", "lineal")
    return make_conninfo("", **told)


def _read(url: str) -> dict[str, str | int | None]:
    try:
        told = dict(conninfo_to_dict(url))
    except psycopg.ProgrammingError:
        # The driver's message may quote what it couldn't read, a password among it.
        raise _unreadable() from None
    # What stands behind an @ of a password is taken for the server's name, and would be looked up.
    if "@" in str(told.get("host") or "").lstrip("@"):
        raise _unreadable()
    return told


def _unreadable() -> LinealError:
    return LinealError.invalid(
        "LINEAL_BACKEND",
        "LINEAL_BACKEND isn't an address that PostgreSQL's clients can read. It looks like "
        "postgres://user:password@host:5432/database; special characters of a password are "
        "written with %, such as %40 for @.",
    )


def _all_here(hosts: str) -> bool:
    return all(_is_here(host) for host in hosts.split(","))


def _is_here(host: str) -> bool:
    """This machine: no host, a socket's directory, localhost or a loopback address."""
    if not host or host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
