"""Reads at a backend that forwards: what the remote says, as far as the ledger lets it be shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lineal.errors import Capability, ErrorCode, LinealError
from lineal.models.changes import Changes, Plan, Reads, Scope, Snapshot, Stamp
from lineal.models.context import Context, ContextAnswer, GetContext
from lineal.models.forwarding import Counterpart
from lineal.models.letters import RemoteRecord
from lineal.models.search import (
    CHARS_PER_TOKEN,
    Candidate,
    SearchAnswer,
    SearchContext,
    TextQuery,
)
from lineal.outbound.faults import Away, Refused
from lineal.policy.duplicates import fingerprint
from lineal.policy.filtering import passes
from lineal.policy.packing import folded, hit_of, packed
from lineal.ports.backend import Backend
from lineal.ports.outbox import Outbox
from lineal.ports.remote import Remote
from lineal.ports.store import Store
from lineal.remotes.courier import Courier
from lineal.remotes.joining import adopted, said

__all__ = ["ReadsThere"]

FOUND_MAX = 100
"""Most that a remote is asked for: what is not to be shown takes places among them."""

FOUND_FACTOR = 4
"""Times what was asked for that the remote is asked for."""

ENVELOPE_CHARS = 160
"""Characters of the answer around its hits."""

LETTERS_LOOKED_AT = 200
"""Waiting letters whose contexts are looked for in the ledger by a search."""


class ReadsThere:
    """home: whose the account is: what others stored there belongs to this user."""

    def __init__(
        self,
        local: Backend,
        store: Store,
        outbox: Outbox,
        remote: Remote,
        courier: Courier,
        home: Scope,
    ) -> None:
        self._local = local
        self._store = store
        self._outbox = outbox
        self._remote = remote
        self._courier = courier
        self._home = home

    def _is_native(self, capability: Capability) -> bool:
        return self._remote.capabilities[capability] == "native"

    async def search(self, stamp: Stamp, request: SearchContext) -> SearchAnswer:
        """By the remote's own search where it has one; of the past, the newest, and while it can't
        be reached, by the ledger's."""
        there = self._is_native(Capability.SEARCH) and request.question and request.as_of is None
        if not there or request.explain or self._courier.paused:
            return await self._from_ledger(stamp, request)
        await self._courier.flush()
        limit = min(FOUND_MAX, max(20, request.limit * FOUND_FACTOR))
        try:
            records = await self._remote.search(stamp.scope, request, limit)
        except (Away, Refused) as fault:
            return await self._from_ledger(stamp, request, fault.message)
        everywhere = await self._shown(stamp, TextQuery.of(request, None), records)
        query = TextQuery.of(request, stamp.projects)
        seen = [one for one in everywhere if passes(one.context, query)]
        waiting = await self._waiting(stamp, request, seen)
        answer = self._answer(stamp, request, [*waiting, *seen])
        elsewhere = len(everywhere) - len(seen) if len(seen) < request.limit else 0
        return answer.model_copy(update={"elsewhere": elsewhere or None})

    async def _from_ledger(
        self, stamp: Stamp, request: SearchContext, why: str | None = None
    ) -> SearchAnswer:
        answer = await self._local.search_context(stamp, request)
        note = f"From the ledger: {why}" if why else None
        return said(self._remote, answer, note=note)

    async def _shown(
        self, stamp: Stamp, query: TextQuery, records: tuple[RemoteRecord, ...]
    ) -> list[Candidate]:
        """What of the remote's finds is live, in the scope, and passes the filters; as the ledger
        has it."""
        tenant = stamp.scope.tenant
        ids = tuple(record.remote_id for record in records)
        known = await self._outbox.counterparts(tenant, ids)
        local_ids = tuple(one.local_id for those in known.values() for one in those)
        snapshot = await self._store.read(stamp.scope, Reads(context_ids=local_ids))
        candidates: list[Candidate] = []
        for record in records:
            for context in self._contexts_of(stamp, record, known, snapshot):
                if passes(context, query) and _derived(context, query):
                    candidates.append(Candidate(context=context, score=record.score or 0.0))
        return sorted(candidates, key=lambda one: -one.score)

    def _contexts_of(
        self,
        stamp: Stamp,
        record: RemoteRecord,
        known: Mapping[str, tuple[Counterpart, ...]],
        snapshot: Snapshot,
    ) -> Iterator[Context]:
        """The memories that one record of the remote stands for, as far as they may be shown."""
        if record.remote_id in known:
            for one in known[record.remote_id]:
                if one.local_id in snapshot.contexts:
                    yield snapshot.contexts[one.local_id]
        elif self._is_others(record) and self._at_home(stamp.scope):
            found = adopted(record, self._owner(stamp.scope))
            ended = found and found.expires_at and found.expires_at <= snapshot.now
            if found is not None and not ended:
                yield found

    async def _waiting(
        self, stamp: Stamp, request: SearchContext, seen: list[Candidate]
    ) -> list[Candidate]:
        """What is found in the ledger and hasn't arrived at the remote yet, so that whoever has
        just written finds it: before the rest, with the score of the best."""
        page = await self._outbox.letters(stamp.scope.tenant, limit=LETTERS_LOOKED_AT)
        on_their_way = {one.context_id for one in page.letters if one.context_id}
        on_their_way -= {one.context.context_id for one in seen}
        if not on_their_way:
            return []
        found = await self._local.search_context(stamp, request)
        ids = tuple(hit.context_id for hit in found.hits if hit.context_id in on_their_way)
        snapshot = await self._store.read(stamp.scope, Reads(context_ids=ids))
        best = max((one.score for one in seen), default=1.0)
        live = [snapshot.contexts[name] for name in ids if name in snapshot.contexts]
        return [Candidate(context=context, score=best) for context in live]

    def _answer(self, stamp: Stamp, request: SearchContext, found: list[Candidate]) -> SearchAnswer:
        folds = folded(found)[: request.limit]
        here = stamp.projects or ()
        hits = [
            hit_of(one.context, one.score, here).model_copy(update={"also": also})
            for one, also in folds
        ]
        now = max((one.context.updated_at for one in found), default=None)
        room = request.max_tokens * CHARS_PER_TOKEN - ENVELOPE_CHARS
        shown = packed(hits, room, now) if now is not None else []
        told = sum(1 + len(hit.also) for hit in shown)
        answer = SearchAnswer(hits=tuple(shown), more=max(0, len(found) - told))
        return said(self._remote, answer if now is None else answer.model_copy(update={"now": now}))

    async def get(self, stamp: Stamp, request: GetContext) -> ContextAnswer:
        """By its own id or the remote's. What isn't known here is fetched, and kept from then on,
        for the account's own user."""
        known = await self.known(stamp, request.context_id)
        request = request.model_copy(update={"context_id": known})
        try:
            answer = await self._local.get_context(stamp, request)
        except LinealError as error:
            if error.code is not ErrorCode.NOT_FOUND or not await self._adopt(stamp, known):
                raise
            answer = await self._local.get_context(stamp, request)
        return said(self._remote, answer)

    async def known(self, stamp: Stamp, name: str) -> str:
        """The local id of what is called so here or at the remote."""
        if name.startswith("ctx_"):
            return name
        await self._courier.flush()
        found = await self._outbox.counterparts(stamp.scope.tenant, (name,))
        return found[name][0].local_id if name in found else name

    async def _adopt(self, stamp: Stamp, name: str) -> bool:
        """Whether the remote had it, and it is kept here now."""
        tenant = Scope(tenant=stamp.scope.tenant)
        known = await self._outbox.counterpart(tenant, name)
        ended = bool((await self._store.read(tenant, Reads(context_ids=(name,)))).tombstones)
        if known is not None or ended or stamp.read_only or not self._can_adopt(stamp, name):
            return False
        try:
            record = await self._remote.get(name)
        except Refused:
            return False
        owner = self._owner(stamp.scope)
        context = adopted(record, owner) if self._is_others(record) else None
        if context is None:
            return False
        await self._store.commit(
            owner, Reads(context_ids=(name,)), lambda seen: _adoption(seen, owner, context)
        )
        return True

    def _can_adopt(self, stamp: Stamp, name: str) -> bool:
        at_home = stamp.scope.tenant == self._home.tenant and self._home.user_id is not None
        return self._is_native(Capability.GET) and at_home and not name.startswith("ctx_")

    def _is_others(self, record: RemoteRecord) -> bool:
        """Whether somebody else stored it there, for the account's own user or for nobody."""
        whose = (record.tenant or self._home.tenant, record.user_id or self._home.user_id)
        return record.local_id is None and whose == (self._home.tenant, self._home.user_id)

    def _at_home(self, scope: Scope) -> bool:
        return (scope.tenant, scope.user_id) == (self._home.tenant, self._home.user_id)

    def _owner(self, scope: Scope) -> Scope:
        """Of what others stored at the remote."""
        domain = scope.domain or self._home.domain or "contexts"
        return Scope(tenant=self._home.tenant, user_id=self._home.user_id, domain=domain)


def _derived(context: Context, query: TextQuery) -> bool:
    return query.derived_from is None or query.derived_from in context.lineage.derived_from


def _adoption(seen: Snapshot, owner: Scope, context: Context) -> Plan[None]:
    """Nothing where it has come in meanwhile, or has ended by the remote's own word."""
    ended = context.expires_at is not None and context.expires_at <= seen.now
    if context.context_id in seen.contexts or ended:
        return Plan(Changes(), None)
    there = Counterpart(
        kind="context",
        tenant=owner.tenant,
        user_id=owner.user_id or "",
        domain=owner.domain or "",
        local_id=context.context_id,
        remote_id=context.context_id,
    )
    mark = {context.context_id: fingerprint(context.content)}
    return Plan(Changes(contexts=(context,), fingerprints=mark, counterparts=(there,)), None)
