"""A control: lineal without its queue, so that SQLite's own lock decides who writes."""

from __future__ import annotations

import sys
from types import TracebackType

from lineal.__main__ import main
from lineal.stores.sqlite.turn import Turn


def _enter(self: Turn) -> None:
    return None


def _exit(
    self: Turn,
    kind: type[BaseException] | None,
    error: BaseException | None,
    trace: TracebackType | None,
) -> None:
    return None


if __name__ == "__main__":
    # Broken on purpose: what this guard holds must be seen to fall without it.
    setattr(Turn, "__enter__", _enter)  # noqa: B010
    setattr(Turn, "__exit__", _exit)  # noqa: B010
    sys.argv = ["lineal", "serve"]
    sys.exit(main())
