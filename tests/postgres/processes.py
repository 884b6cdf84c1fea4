"""The processes of a server. Each of them leads a session of its own, so no group holds them."""

from __future__ import annotations

from pathlib import Path

__all__ = ["alive", "children"]


def children(parent: int) -> list[int]:
    """Process ids; Linux only, which keeps them in /proc."""
    stats = ((pid, _stat(pid)) for pid in map(int, filter(str.isdigit, _names())))
    return [pid for pid, stat in stats if stat is not None and stat[1] == str(parent)]


def alive(pid: int) -> bool:
    """Neither gone nor waiting to be buried."""
    stat = _stat(pid)
    return stat is not None and stat[0] not in ("Z", "X")


def _names() -> list[str]:
    return [entry.name for entry in Path("/proc").iterdir()]


def _stat(pid: int) -> list[str] | None:
    """State, parent, …; None once it is gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return text.rsplit(")", 1)[1].split()
