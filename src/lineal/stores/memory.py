"""A store in plain dicts: for tests, for trying things out, and as the oracle of the others."""

from __future__ import annotations

import json
import math
import re
import threading
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar

from anyio.lowlevel import checkpoint

from lineal.clock import Clock
from lineal.errors import Capability, LinealError, Unsupported
from lineal.models.changes import (
    Changes,
    Decide,
    Reads,
    Receipt,
    Scope,
    Snapshot,
    StoreStats,
    SweepReport,
    Tombstone,
    VerifyReport,
)
from lineal.models.context import Context
from lineal.models.lineage import Direction, Edge, Relation
from lineal.models.search import Candidate, CandidatePage, TextQuery
from lineal.models.user import Head, UserRow
from lineal.policy.expiry import ClockMark, advance, is_live, present
from lineal.ports.store import Progress

__all__ = ["MemoryStore"]

Answer = TypeVar("Answer")

EDGES_MAX = 10_000
"""Most edges in one answer, as the port promises."""

RECEIPT_LIFE = timedelta(days=7)
"""How long a repeated request is recognised; a client that retries later asks anew."""

_WORD = re.compile(r"[^\W_]+")
_Subject = str | tuple[str, str]
"""A context's id, or a user row's (user_id, domain)."""


@dataclass
class _Tenant:
    """Everything behind one wall. Lists hold revisions, first to last; dicts keep order of receipt.

    users, heads: by (user_id, domain). down: edges by parent; up: edges by child.
    shown: by key of a receipt, what its answer shows or names.
    """

    contexts: dict[str, list[Context]] = field(default_factory=dict)
    users: dict[tuple[str, str], list[UserRow]] = field(default_factory=dict)
    heads: dict[tuple[str, str], dict[str, Head]] = field(default_factory=dict)
    up: dict[str, dict[Edge, None]] = field(default_factory=lambda: defaultdict(dict))
    down: dict[str, dict[Edge, None]] = field(default_factory=lambda: defaultdict(dict))
    content_keys: dict[str, str] = field(default_factory=dict)
    receipts: dict[str, Receipt] = field(default_factory=dict)
    shown: dict[str, set[_Subject]] = field(default_factory=dict)
    tombstones: dict[str, Tombstone] = field(default_factory=dict)


class MemoryStore:
    """The Store port in memory. Nothing outlives the process; one lock makes every verb whole."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._mark = ClockMark(high=clock.now())
        self._tenants: dict[str, _Tenant] = {}

    @property
    def read_only(self) -> bool:
        return False

    async def open(self) -> None:
        """Nothing to open."""

    async def close(self) -> None:
        """Nothing to let go of; the contents stay until the object goes."""

    async def commit(self, scope: Scope, reads: Reads, decide: Decide[Answer]) -> Answer:
        await checkpoint()
        with self._lock:
            now, tenant = self._now(), self._tenant(scope)
            changes, answer = decide(_snapshot(tenant, scope, reads, now))
            if not changes.empty:
                _check(tenant, changes, now)
                _keep(self._tenants.setdefault(scope.tenant, tenant), scope, changes, now)
                self._mark = advance(self._mark, self._clock.now())
            return answer

    async def read(self, scope: Scope, reads: Reads) -> Snapshot:
        with self._lock:
            return _snapshot(self._tenant(scope), scope, reads, self._now())

    async def find(self, scope: Scope, query: TextQuery) -> CandidatePage:
        with self._lock:
            live = _live_contexts(self._tenant(scope), scope, self._now())
            fitting = [context for context in live if _passes(context, query)]
        return _ranked(fitting[::-1], query)

    async def history(self, scope: Scope, context_id: str) -> tuple[Context, ...]:
        with self._lock:
            tenant = self._tenant(scope)
            if _live_context(tenant, scope, context_id, self._now()) is None:
                return ()
            return tuple(tenant.contexts[context_id])

    async def edges(
        self, scope: Scope, context_ids: tuple[str, ...], direction: Direction
    ) -> tuple[Edge, ...]:
        with self._lock:
            found = set(_edges_at(self._tenant(scope), context_ids, direction))
        ordered = sorted(found, key=lambda e: (e.child_id, e.revision, e.parent_id, e.relation))
        return tuple(ordered[:EDGES_MAX])

    async def tombstones(self, scope: Scope, context_ids: tuple[str, ...]) -> dict[str, Tombstone]:
        with self._lock:
            return _tombstones(self._tenant(scope), scope, context_ids, self._now())

    async def head(self, scope: Scope, name: str) -> Head | None:
        with self._lock:
            tenant = self._tenant(scope)
            if _live_user(tenant, scope, self._now()) is None:
                return None
            return tenant.heads.get(_user_key(scope), {}).get(name)

    async def user_history(self, scope: Scope) -> tuple[str, ...]:
        with self._lock:
            tenant = self._tenant(scope)
            if _live_user(tenant, scope, self._now()) is None:
                return ()
            return tuple(row.model_dump_json() for row in tenant.users[_user_key(scope)])

    async def sweep(self, *, limit: int = 500, accept_clock: bool = False) -> SweepReport:
        with self._lock:
            wall = self._clock.now()
            believed = ClockMark(high=present(self._mark, wall))
            self._mark = believed if accept_clock else advance(self._mark, wall)
            if not self._mark.trusts(wall):
                return SweepReport(refused=_refusal(self._mark, wall))
            now = self._now()
            swept = [_sweep(tenant, now, limit) for tenant in self._tenants.values()]
        contexts, users, receipts = map(sum, zip((0, 0, 0), *swept, strict=True))
        return SweepReport(contexts=contexts, users=users, receipts=receipts)

    async def stats(self, scope: Scope) -> StoreStats:
        with self._lock:
            size = sum(map(_size_bytes, self._tenants.values()))
            return _stats(self._tenant(scope), scope, self._now(), size)

    async def verify(self, progress: Progress | None = None) -> VerifyReport:
        """Counts the revisions; there is no disk that could have damaged them."""
        with self._lock:
            checked = sum(map(_row_count, self._tenants.values()))
        if progress is not None:
            progress(checked, checked)
        return VerifyReport(checked=checked)

    async def backup(self, target: Path, progress: Progress | None = None) -> int:
        raise Unsupported(Capability.MAINTENANCE, "memory")

    def _now(self) -> datetime:
        return present(self._mark, self._clock.now())

    def _tenant(self, scope: Scope) -> _Tenant:
        """The tenant's rows; an empty room, not kept, for one who has written nothing."""
        return self._tenants.get(scope.tenant) or _Tenant()


def _user_key(scope: Scope) -> tuple[str, str]:
    """The scope's one user row; a scope of many users has none, which no key equals."""
    return (scope.user_id or "", scope.domain or "")


def _within(scope: Scope, row: Context | UserRow | Tombstone) -> bool:
    return scope.user_id in (None, row.user_id) and scope.domain in (None, row.domain)


def _snapshot(tenant: _Tenant, scope: Scope, reads: Reads, now: datetime) -> Snapshot:
    asked = {
        name: _live_context(tenant, scope, name, now) for name in dict.fromkeys(reads.context_ids)
    }
    return Snapshot(
        now=now,
        user=_live_user(tenant, scope, now) if reads.user else None,
        contexts={name: context for name, context in asked.items() if context is not None},
        tombstones=_tombstones(tenant, scope, reads.context_ids, now),
        receipt=_receipt(tenant, reads.receipt, now),
        same_content=_same_content(tenant, scope, reads.content_key, now),
        descendants=_descendants(tenant, reads),
    )


def _live_context(tenant: _Tenant, scope: Scope, name: str, now: datetime) -> Context | None:
    revisions = tenant.contexts.get(name)
    if not revisions or not is_live(revisions[-1].expires_at, now):
        return None
    return revisions[-1] if _within(scope, revisions[-1]) else None


def _live_contexts(tenant: _Tenant, scope: Scope, now: datetime) -> list[Context]:
    """In order of receipt."""
    found = (_live_context(tenant, scope, name, now) for name in tenant.contexts)
    return [context for context in found if context is not None]


def _live_user(tenant: _Tenant, scope: Scope, now: datetime) -> UserRow | None:
    revisions = tenant.users.get(_user_key(scope))
    return revisions[-1] if revisions and is_live(revisions[-1].expires_at, now) else None


def _receipt(tenant: _Tenant, key: str | None, now: datetime) -> Receipt | None:
    """Gone with whatever its answer shows, swept or not."""
    if key is None or key not in tenant.receipts:
        return None
    ended = any(_has_ended(tenant, subject, now) for subject in tenant.shown[key])
    return None if ended else tenant.receipts[key]


def _has_ended(tenant: _Tenant, subject: _Subject, now: datetime) -> bool:
    revisions: Sequence[Context | UserRow] = (
        tenant.contexts.get(subject, ())
        if isinstance(subject, str)
        else tenant.users.get(subject, ())
    )
    return not revisions or not is_live(revisions[-1].expires_at, now)


def _same_content(
    tenant: _Tenant, scope: Scope, content_key: str | None, now: datetime
) -> Context | None:
    """The first live context with that key, in order of receipt."""
    if content_key is None:
        return None
    alike = (name for name, key in tenant.content_keys.items() if key == content_key)
    live = (_live_context(tenant, scope, name, now) for name in alike)
    return next((context for context in live if context is not None), None)


def _tombstones(
    tenant: _Tenant, scope: Scope, context_ids: Iterable[str], now: datetime
) -> dict[str, Tombstone]:
    asked = {name: _tombstone(tenant, name, now) for name in dict.fromkeys(context_ids)}
    return {name: mark for name, mark in asked.items() if mark and _within(scope, mark)}


def _tombstone(tenant: _Tenant, name: str, now: datetime) -> Tombstone | None:
    """The kept mark, or the one that a sweep would leave."""
    revisions = tenant.contexts.get(name)
    if not revisions:
        return tenant.tombstones.get(name)
    last = revisions[-1]
    return (
        None if is_live(last.expires_at, now) else _ended(last, "expired", last.expires_at or now)
    )


def _ended(
    context: Context, reason: Literal["expired", "forgotten"], ended_at: datetime
) -> Tombstone:
    kept = ("context_id", "user_id", "domain", "revision", "created_at")
    values = {name: getattr(context, name) for name in kept}
    memory_type = context.memory_type.value
    return Tombstone(**values, reason=reason, memory_type=memory_type, ended_at=ended_at)


def _descendants(tenant: _Tenant, reads: Reads) -> tuple[str, ...]:
    """Breadth first, by id within a level; the root is not among them, whatever the cycles."""
    if reads.descendants_of is None:
        return ()
    seen = {reads.descendants_of: None}
    level = [reads.descendants_of]
    while level and len(seen) <= reads.descendants_max:
        children = {c for parent in level for c in _children(tenant, parent, reads.relations)}
        level = sorted(children - seen.keys())
        seen.update(dict.fromkeys(level))
    return tuple(seen)[1 : reads.descendants_max + 1]


def _children(tenant: _Tenant, parent_id: str, relations: tuple[Relation, ...]) -> Iterator[str]:
    edges = tenant.down.get(parent_id, ())
    return (edge.child_id for edge in edges if edge.relation in relations)


def _edges_at(tenant: _Tenant, context_ids: Iterable[str], direction: Direction) -> Iterator[Edge]:
    for name in context_ids:
        if direction in ("up", "both"):
            yield from tenant.up.get(name, ())
        if direction in ("down", "both"):
            yield from tenant.down.get(name, ())


def _check(tenant: _Tenant, changes: Changes, now: datetime) -> None:
    """Raises conflict unless each revision follows the present one: what _keep does can't fail."""
    contexts: dict[str, int] = {}
    for context in changes.contexts:
        name = context.context_id
        if _tombstone(tenant, name, now) is not None:
            raise LinealError.conflict(
                f"Context '{name}' has ended; an ended memory takes no new revision.",
                context_id=name,
            )
        last = contexts.get(name, len(tenant.contexts.get(name, ())))
        _follows(f"Context '{name}'", last, context.revision, context_id=name)
        contexts[name] = context.revision
    users: dict[tuple[str, str], int] = {}
    for row in changes.users:
        key = (row.user_id, row.domain)
        scope = Scope(tenant="-", user_id=row.user_id, domain=row.domain)
        stored = _live_user(tenant, scope, now)
        last = users.get(key, stored.revision if stored else 0)
        _follows(f"User '{row.user_id}' in '{row.domain}'", last, row.revision, user_id=row.user_id)
        users[key] = row.revision
    _check_receipt(tenant, changes.receipt, now)


def _check_receipt(tenant: _Tenant, receipt: Receipt | None, now: datetime) -> None:
    if receipt is not None and _receipt(tenant, receipt.key, now) is not None:
        raise LinealError.conflict(f"The idempotency_key '{receipt.key}' was used before.")


def _follows(what: str, last: int, offered: int, **details: Any) -> None:
    if offered != last + 1:
        raise LinealError.conflict(
            f"{what} is at revision {last}, so revision {offered} doesn't follow it. "
            "Read it again and repeat the change.",
            revision=last,
            offered=offered,
            **details,
        )


def _keep(tenant: _Tenant, scope: Scope, changes: Changes, now: datetime) -> None:
    for context in changes.contexts:
        tenant.contexts.setdefault(context.context_id, []).append(context)
    for row in changes.users:
        _keep_user(tenant, row)
    for edge in changes.edges:
        tenant.up[edge.child_id][edge] = None
        tenant.down[edge.parent_id][edge] = None
    tenant.content_keys.update(changes.content_keys)
    for head in changes.heads:
        tenant.heads.setdefault(_user_key(scope), {})[head.name] = head
    for name in changes.forget:
        _forget(tenant, scope, name, now)
    if changes.receipt is not None:
        tenant.receipts[changes.receipt.key] = changes.receipt
        tenant.shown[changes.receipt.key] = set(_subjects(tenant, changes, changes.receipt))


def _keep_user(tenant: _Tenant, row: UserRow) -> None:
    """A first revision replaces what has expired under its key, vectors and all."""
    key = (row.user_id, row.domain)
    if row.revision == 1:
        _erase_user(tenant, key)
    tenant.users.setdefault(key, []).append(row)


def _erase_user(tenant: _Tenant, key: tuple[str, str]) -> None:
    tenant.users.pop(key, None)
    tenant.heads.pop(key, None)
    _drop_receipts(tenant, key)


def _forget(tenant: _Tenant, scope: Scope, name: str, now: datetime) -> None:
    revisions = tenant.contexts.get(name)
    if not revisions or not _within(scope, revisions[-1]):
        return
    _bury(tenant, _tombstone(tenant, name, now) or _ended(revisions[-1], "forgotten", now))


def _bury(tenant: _Tenant, mark: Tombstone) -> None:
    """Content, history, keys and answers go; edges stay, and the mark."""
    name = mark.context_id
    tenant.tombstones[name] = mark
    del tenant.contexts[name]
    tenant.content_keys.pop(name, None)
    _drop_receipts(tenant, name)


def _drop_receipts(tenant: _Tenant, subject: _Subject) -> None:
    for key in [key for key, shown in tenant.shown.items() if subject in shown]:
        del tenant.receipts[key], tenant.shown[key]


def _subjects(tenant: _Tenant, changes: Changes, receipt: Receipt) -> Iterator[_Subject]:
    """The rows it was written with, and every context that its answer names."""
    yield from ((row.user_id, row.domain) for row in changes.users)
    yield from (context.context_id for context in changes.contexts)
    said = _strings(json.loads(receipt.answer))
    yield from (text for text in said if text in tenant.contexts)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _strings(list(value.values()))
    elif isinstance(value, list):
        for part in value:
            yield from _strings(part)


def _passes(context: Context, query: TextQuery) -> bool:
    right_type = not query.memory_types or context.memory_type in query.memory_types
    return right_type and set(query.tags) <= set(context.tags)


def _ranked(contexts: list[Context], query: TextQuery) -> CandidatePage:
    """contexts: newest first. A term weighs log(1 + n / those that hold it); a tie keeps order."""
    if not query.terms:
        page = tuple(Candidate(context=context) for context in contexts[: query.limit])
        return CandidatePage(candidates=page, matched=len(contexts))
    texts = [_folded(_searched(context)) for context in contexts]
    scores = [0.0] * len(contexts)
    for term in {folded for term in query.terms if (folded := _folded(term)).strip()}:
        holders = [place for place, text in enumerate(texts) if term in text]
        for place in holders:
            scores[place] += math.log1p(len(contexts) / len(holders))
    matching = [place for place in range(len(contexts)) if scores[place] > 0]
    best = sorted(matching, key=lambda place: -scores[place])[: query.limit]
    page = tuple(Candidate(context=contexts[place], text_score=scores[place]) for place in best)
    return CandidatePage(candidates=page, matched=len(matching))


def _searched(context: Context) -> str:
    parts = (context.title, context.summary, context.content, *context.tags, context.speaker)
    return "\n".join(part or "" for part in parts)


def _folded(text: str) -> str:
    """ " one word after another ": without case and accents, so that `in` matches whole words."""
    plain = unicodedata.normalize("NFKD", text).casefold()
    words = _WORD.findall("".join(c for c in plain if not unicodedata.combining(c)))
    return f" {' '.join(words)} "


def _refusal(mark: ClockMark, wall: datetime) -> str:
    return (
        f"The clock says {wall.isoformat()}, but the store's last time was "
        f"{mark.high.isoformat()}. Nothing is taken out until the clock is confirmed."
    )


def _sweep(tenant: _Tenant, now: datetime, limit: int) -> tuple[int, int, int]:
    """How many contexts, users and receipts went, each at most `limit`."""
    marks = [mark for name in tenant.contexts if (mark := _tombstone(tenant, name, now))]
    for mark in marks[:limit]:
        _bury(tenant, mark)
    rows = tenant.users.items()
    users = [key for key, revisions in rows if not is_live(revisions[-1].expires_at, now)]
    for key in users[:limit]:
        _erase_user(tenant, key)
    old = [k for k, receipt in tenant.receipts.items() if now - receipt.recorded_at > RECEIPT_LIFE]
    for name in old[:limit]:
        del tenant.receipts[name], tenant.shown[name]
    return len(marks[:limit]), len(users[:limit]), len(old[:limit])


def _stats(tenant: _Tenant, scope: Scope, now: datetime, size_bytes: int) -> StoreStats:
    live = _live_contexts(tenant, scope, now)
    users = [revisions[-1] for revisions in tenant.users.values()]
    ended = _tombstones(tenant, scope, (*tenant.contexts, *tenant.tombstones), now)
    unswept = ended.keys() & tenant.contexts.keys()
    return StoreStats(
        contexts=len(live),
        revisions=sum(len(tenant.contexts[context.context_id]) for context in live),
        users=sum(_within(scope, row) and is_live(row.expires_at, now) for row in users),
        tombstones=len(ended) - len(unswept),
        edges=sum(map(len, tenant.up.values())),
        expired_unswept=len(unswept),
        by_type=dict(Counter(context.memory_type.value for context in live)),
        by_domain=dict(Counter(context.domain for context in live)),
        size_bytes=size_bytes,
        engine="memory",
    )


def _size_bytes(tenant: _Tenant) -> int:
    """What the texts take; dicts and objects are not counted."""
    kept = (context for revisions in tenant.contexts.values() for context in revisions)
    return sum(len(context.content.encode()) for context in kept)


def _row_count(tenant: _Tenant) -> int:
    return sum(map(len, tenant.contexts.values())) + sum(map(len, tenant.users.values()))
