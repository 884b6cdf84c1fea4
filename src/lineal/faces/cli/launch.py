"""How a client starts our server."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pydantic import Field

from lineal.models.base import Model

__all__ = ["Launch", "server_launch"]


class Launch(Model):
    """A command that works without a shell, a PATH or an activated environment."""

    command: str
    args: tuple[str, ...]
    env: dict[str, str] = Field(default_factory=dict)


def server_launch(**env: str) -> Launch:
    """`lineal serve` by the script beside this Python, or by this Python if there is none."""
    python = Path(sys.executable).absolute()
    script = python.with_name("lineal.exe" if os.name == "nt" else "lineal")
    if script.is_file():
        return Launch(command=str(script), args=("serve",), env=env)
    # -P: the client's working directory must not be imported from.
    return Launch(command=str(python), args=("-P", "-m", "lineal", "serve"), env=env)
