"""Where clients write down what they did."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

__all__ = ["Places"]

RECENT_S = 900
"""A transcript untouched for longer doesn't hold a call that was made just now."""

SIBLINGS_MAX = 16
AGENTS_MAX = 64

_SESSION = re.compile(r"[A-Za-z0-9_-]{8,80}")
_UNSLUGGED = re.compile(r"[^A-Za-z0-9]")


class Places:
    """Claude Code's transcripts.

    config: its configuration directory. directory: where the client works, if that is known.
    """

    def __init__(self, config: Path, directory: Path | None = None) -> None:
        self._projects = config / "projects"
        self._slug = _UNSLUGGED.sub("-", str(directory)) if directory else None

    def main(self, session: str) -> Path | None:
        """The transcript of a session, if there is one."""
        if not _SESSION.fullmatch(session):
            return None
        name = f"{session}.jsonl"
        likely = self.likely(session)
        if likely is not None:
            return likely
        return next(filter(_is_file, self._projects.glob(f"*/{name}")), None)

    def likely(self, session: str) -> Path | None:
        """The same, looked for only where it should be."""
        if self._slug is None or not _SESSION.fullmatch(session):
            return None
        path = self._projects / self._slug / f"{session}.jsonl"
        return path if _is_file(path) else None

    def believed(self, told: str) -> Path | None:
        """A place that a hook told of, if it is one of the client's transcripts: nothing else is
        opened because somebody says so."""
        path = Path(os.path.normpath(told))
        inside = path.suffix == ".jsonl" and path.is_relative_to(self._projects)
        return path if inside and _is_file(path) else None

    def agents(self, main: Path) -> list[Path]:
        """Transcripts of the session's sub-agents, the latest first."""
        return _latest(_transcripts(main.with_suffix("") / "subagents"), AGENTS_MAX)

    def agent(self, main: Path, agent: str) -> Path | None:
        """The transcript of one sub-agent."""
        if not _SESSION.fullmatch(agent):
            return None
        path = main.with_suffix("") / "subagents" / f"agent-{agent}.jsonl"
        return path if _is_file(path) else None

    def siblings(self, now_s: float) -> list[Path]:
        """Transcripts that were written to a moment ago, and their sub-agents', the latest last:
        what a fork copied stands rightly in the one that it left."""
        since_s = now_s - RECENT_S
        recent = [path for path in _latest(self._all(), SIBLINGS_MAX) if _written_s(path) > since_s]
        agents = [agent for path in recent for agent in self.agents(path)]
        return [*sorted(recent, key=_made_s), *(p for p in agents if _written_s(p) > since_s)]

    def _all(self) -> Iterator[Path]:
        """Every session's transcript; of the directory that is known, only its own."""
        if self._slug is not None:
            yield from _transcripts(self._projects / self._slug)
            return
        try:
            with os.scandir(self._projects) as entries:
                places = [Path(entry.path) for entry in entries if entry.is_dir()]
        except OSError:
            return
        for place in places:
            yield from _transcripts(place)


def _latest(paths: Iterable[Path], most: int) -> list[Path]:
    return sorted(paths, key=_written_s, reverse=True)[:most]


def _transcripts(directory: Path) -> list[Path]:
    try:
        with os.scandir(directory) as entries:
            named = [Path(entry.path) for entry in entries if entry.name.endswith(".jsonl")]
    except OSError:
        return []
    return list(filter(_is_file, named))


def _written_s(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _made_s(path: Path) -> float:
    """When the session began, as well as the file system knows it; else when it was last heard
    of, which a session that was left for its fork is no more."""
    try:
        found = path.stat()
    except OSError:
        return 0.0
    return float(getattr(found, "st_birthtime", found.st_mtime))


def _is_file(path: Path) -> bool:
    """Also where it can't be asked for: too long a name, a directory that isn't ours to look in."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return False
