"""The evidence port: what is seen of a session besides its requests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from lineal.models.changes import Call
from lineal.models.lineage import Evidence

__all__ = ["Witness"]


class Witness(Protocol):
    """Remembers what sessions read and what their clients' hooks tell, and looks at what clients
    write down of their own calls.

    It never fails and never blocks for long: what it can't find out is unknown.
    """

    def saw(self, call: Call, context_ids: Iterable[str]) -> None:
        """This call showed these contexts to its session (L4)."""
        ...

    def told(self, call: Call, event: Mapping[str, object]) -> None:
        """A hook of the client tells of an event."""
        ...

    def account(self, call: Call) -> Evidence:
        """The call's evidence with all that is known of it at once: a glance of a fraction of a
        millisecond, without waiting for what may come. `awaits` says that more may come."""
        ...

    async def later(self, seen: Evidence) -> Evidence:
        """What is known by now of a call that was accounted for earlier, perhaps by another
        process; its tool_use_id is known. `awaits`: still not all."""
        ...
