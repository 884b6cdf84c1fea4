"""What each session has read."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping

from lineal.models.changes import Call
from lineal.models.lineage import Evidence
from lineal.policy.provenance import READS_MAX

__all__ = ["SESSIONS_MAX", "SessionReads"]

SESSIONS_MAX = 1_024
"""Sessions whose reads are remembered; the one longest unused goes first."""


class SessionReads:
    """A witness who sees what each session read through this server (L4), and nothing besides."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[tuple[str, str], OrderedDict[str, None]] = OrderedDict()

    def saw(self, call: Call, context_ids: Iterable[str]) -> None:
        """Note reads; the oldest beyond READS_MAX are let go."""
        key = (call.tenant, call.session)
        reads = self._sessions.setdefault(key, OrderedDict())
        self._sessions.move_to_end(key)
        for context_id in context_ids:
            reads[context_id] = None
            reads.move_to_end(context_id)
        while len(reads) > READS_MAX:
            reads.popitem(last=False)
        while len(self._sessions) > SESSIONS_MAX:
            self._sessions.popitem(last=False)

    def told(self, call: Call, event: Mapping[str, object]) -> None:
        """Nobody listens to hooks here."""

    def account(self, call: Call) -> Evidence:
        """With what this session has read, oldest first."""
        read = tuple(self._sessions.get((call.tenant, call.session), ()))
        return call.evidence.model_copy(update={"read_ids": read})

    async def later(self, seen: Evidence) -> Evidence:
        return seen.model_copy(update={"awaits": False})
