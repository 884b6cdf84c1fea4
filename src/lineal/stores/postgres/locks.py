"""Who waits for whom: a write has its tenant to itself, or only the rooms that it touches.

A room is one user in one domain. Most writes touch one: they share their tenant and lock the room,
so that the writes of different users go on, and are synced to disk, side by side. A cascade, or
a write that turns out to touch more than was foreseen, locks the whole tenant. The tenant is always
locked before its rooms, and rooms in the order of their keys, so no two writes wait for each other.
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

from lineal.models.changes import Changes, Reads, Scope
from lineal.models.context import Context
from lineal.models.user import UserRow

__all__ = ["Room", "foreseen", "key_of", "room_key", "touches_only"]

Room = tuple[str, str]
"""user_id, domain."""


def key_of(*names: str) -> int:
    """64 bits of a name, signed, as PostgreSQL's locks and bigints are."""
    text = ascii(names).encode("ascii")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big", signed=True)


def room_key(tenant: str, room: Room) -> int:
    return key_of("room", tenant, *room)


def foreseen(scope: Scope, reads: Reads) -> frozenset[Room] | None:
    """The rooms that a write is known to touch before it has read anything, beside those of the
    contexts that it names; None: it may touch any of its tenant's."""
    if reads.withheld_by is not None or reads.descendants_of is not None:
        return None
    if scope.user_id is not None and scope.domain is not None:
        return frozenset({(scope.user_id, scope.domain)})
    return frozenset() if reads.context_ids else None


def touches_only(changes: Changes, rooms: Iterable[Room], named: frozenset[str]) -> bool:
    """Whether all that is to be kept lies in these rooms. named: ids of contexts that do."""
    locked = frozenset(rooms)
    late = changes.completed
    rows: list[Context | UserRow] = [*changes.contexts, *changes.users, *changes.rewritten]
    rows += [*late.contexts, *late.users] if late is not None else []
    withheld = changes.withhold.context_ids if changes.withhold is not None else ()
    seen = {sighting.context_id for sighting in changes.sightings}
    seen |= {old.context_id for old, _ in late.sightings} if late is not None else set()
    told = {*changes.forget, *withheld, *changes.restore, *changes.fingerprints, *seen}
    new = {context.context_id for context in changes.contexts}
    return all((row.user_id, row.domain) in locked for row in rows) and told <= named | new
