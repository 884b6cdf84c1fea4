"""Cursor's calls: it gives an MCP server no id, so a call is known by its tool, its input and the
time at which a hook told of it."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from lineal.capture import ledgers
from lineal.capture.joining import Account, joined
from lineal.capture.ledger import Ledger
from lineal.capture.seen import CallSeen, ReadSeen
from lineal.clock import Clock, to_ms
from lineal.models.lineage import Evidence

__all__ = ["CursorCalls", "Found", "Heard"]

NEAR_MS = 30_000
"""From a hook's word of a call to the call itself: approving it may take its user a while."""

LATE_MS = 5_000
"""From a call to the hook's word of it, and from its end to the word of that."""

RECENT_S = 900
"""Conversations that nothing was heard of for longer aren't looked at."""

LEDGERS_MAX = 16
CLAIMED_MAX = 1_024
READ_BYTES = 524_288
"""Of each conversation's ledger at once; it holds 2 MB at most."""


class Found(NamedTuple):
    """The one call that it can be: in which conversation's ledger, and what is known of it."""

    ledger: str
    account: Account


class Heard(NamedTuple):
    """What hooks tell of a call. found: None where it can be none or several. any: whether hooks
    tell anything at all. awaits: whether they may still tell of it."""

    found: Found | None
    any: bool
    awaits: bool


class CursorCalls:
    """Finds the hook's word of a call among the conversations that are going on."""

    def __init__(self, home: str, clock: Clock) -> None:
        self._directory = ledgers.directory(home)
        self._clock = clock
        self._ledgers: OrderedDict[str, Ledger] = OrderedDict()
        self._claimed: OrderedDict[tuple[str, str], int] = OrderedDict()

    def find(self, asked: Evidence) -> Heard:
        """The one call that it can be: two conversations that say the very same at the same time
        aren't told apart (L3)."""
        came_ms = self._came_ms(asked)
        recent = list(self._recent())
        near = self._nearest(recent, asked.tool, asked.input_hash, came_ms, claiming=True)
        if len(near) != 1:
            return Heard(None, bool(recent), bool(recent) and not near)
        path, call = near[0]
        self._claimed[path, call.use] = came_ms
        while len(self._claimed) > CLAIMED_MAX:
            self._claimed.popitem(last=False)
        account = joined(call.use, None, self._ledgers[path].seen)
        return Heard(Found(path, account) if account else None, True, False)

    def read_before(self, found: Found, reads: Iterable[ReadSeen]) -> tuple[str, ...]:
        """What earlier calls of the same generation read, as far as they are known to be its."""
        before = {call.use for call in found.account.before}
        names: dict[str, None] = {}
        for read in reads:
            told = self._nearest(self._ledgers, read.tool, read.input_hash, read.at_ms)
            if len(told) == 1 and told[0][0] == found.ledger and told[0][1].use in before:
                names.update(dict.fromkeys(read.ids))
        return tuple(names)

    def close(self) -> None:
        for ledger in self._ledgers.values():
            ledger.close()
        self._ledgers.clear()

    def _came_ms(self, asked: Evidence) -> int:
        own = asked.calls[-1].at if asked.calls else None
        return to_ms(own if own is not None else self._clock.now())

    def _nearest(
        self,
        paths: Iterable[str],
        tool: str | None,
        input_hash: str | None,
        came_ms: int,
        *,
        claiming: bool = False,
    ) -> list[tuple[str, CallSeen]]:
        """Of each conversation the call that it most probably is, if it can be one of it. claiming:
        and if it isn't known to be another one that came; the same may be asked for again."""
        found = []
        for path in paths:
            alike = [
                (abs((call.at_ms or 0) - came_ms), call)
                for call in self._ledgers[path].seen.calls.values()
                if call.input_hash == input_hash
                and call.tool == f"MCP:{tool}"
                and _can_be(call, came_ms)
                and not (claiming and self._claimed.get((path, call.use), came_ms) != came_ms)
            ]
            if alike:
                found.append((path, min(alike, key=lambda entry: entry[0])[1]))
        return found

    def _recent(self) -> Iterator[str]:
        """Ledgers of Cursor's conversations that something was added to lately, read."""
        oldest_s = to_ms(self._clock.now()) / 1000 - RECENT_S
        for path in _of_cursor(self._directory, oldest_s):
            if path not in self._ledgers:
                self._ledgers[path] = Ledger(Path(path))
            self._ledgers.move_to_end(path)
            self._ledgers[path].read(READ_BYTES)
            yield path
        while len(self._ledgers) > LEDGERS_MAX * 2:
            self._ledgers.popitem(last=False)[1].close()


def _can_be(call: CallSeen, came_ms: int) -> bool:
    """Whether a call that came then can be this one: not before it was told of but for a late
    hook, not long after, and never after its end."""
    if call.at_ms is None:
        return False
    latest_ms = call.at_ms + NEAR_MS if call.ended_ms is None else call.ended_ms
    return call.at_ms - LATE_MS <= came_ms <= latest_ms


def _of_cursor(directory: str, oldest_s: float) -> list[str]:
    """The ledgers that were added to since, the latest first."""
    try:
        with os.scandir(directory) as entries:
            names = [e.path for e in entries if e.name.startswith("cursor-")]
    except OSError:
        return []
    found = [(_written_s(path), path) for path in names if path.endswith(".jsonl")]
    recent = sorted((entry for entry in found if entry[0] >= oldest_s), reverse=True)
    return [path for _, path in recent[:LEDGERS_MAX]]


def _written_s(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0
