"""Writes at a backend that forwards: kept in the ledger first, then sent."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

from lineal.models.changes import Changes, Decide, Life, Plan, Reads, Scope, Snapshot, Stamp
from lineal.models.context import (
    AppendAnswer,
    AppendContext,
    Context,
    ContextAnswer,
    ForgetAnswer,
    ForgetContext,
    UpdateContext,
)
from lineal.models.forwarding import Counterpart, Letter
from lineal.models.letters import (
    AppendLetter,
    DeleteLetter,
    OutcomeLetter,
    UpdateLetter,
)
from lineal.models.matching import OutcomeAnswer, RecordOutcome
from lineal.policy.missing import missing_user
from lineal.ports.backend import Backend
from lineal.ports.outbox import Outbox
from lineal.ports.remote import Remote
from lineal.ports.store import Store
from lineal.remotes.courier import Courier
from lineal.remotes.joining import appended, said
from lineal.remotes.posting import declared, letter
from lineal.remotes.sending import Done, Sender, error_of
from lineal.remotes.users import Users

__all__ = ["Writes"]


ORPHANS = 100
"""Ended contexts whose deletion at the remote is asked for at once."""


class Writes:
    """Each write is one transaction of the ledger with its letter, and then an attempt."""

    def __init__(
        self,
        local: Backend,
        store: Store,
        outbox: Outbox,
        remote: Remote,
        courier: Courier,
        sender: Sender,
        users: Users,
    ) -> None:
        self._local = local
        self._store = store
        self._outbox = outbox
        self._remote = remote
        self._courier = courier
        self._sender = sender
        self._users = users

    async def append(self, stamp: Stamp, request: AppendContext, life: Life) -> AppendAnswer:
        """Raises not_found for a user whom the remote, or the ledger, doesn't know (A2)."""
        scope, provision = stamp.scope, stamp.provision
        if self._users.there:
            await self._users.require_live(scope)
            # Whether the user exists is the remote's to say.
            stamp = stamp.model_copy(update={"provision": True})

        def make(snapshot: Snapshot, plan: Plan[AppendAnswer]) -> Letter | None:
            kept = _kept(plan, plan.answer.context_id)
            if kept is None:
                return None
            if kept.revision > 1:
                return self._sender.sendable(_lived_longer(scope, kept, snapshot))
            body = AppendLetter(context=kept, provision=provision and self._users.there)
            return self._sender.sendable(
                letter(scope, "append", kept.context_id, body, snapshot.now)
            )

        async def write() -> AppendAnswer:
            return await self._local.append_context(stamp, request, life)

        answer, done = await self._sender.write(scope, request.idempotency_key, make, write)
        if done.letter is not None and done.letter.verb == "append" and self._sender.failed(done):
            await self._take_back(scope, answer.context_id, done)
            raise error_of(done, missing_user(scope) if self._users.there else None)
        sent = done.tried.sent if done.tried else None
        whole = self._sender.said(appended(answer, sent), done, done.note)
        self._sender.settle(done, whole)
        return whole

    async def tell_outcome(
        self, scope: Scope, reads: Reads, decide: Decide[OutcomeAnswer], request: RecordOutcome
    ) -> OutcomeAnswer:
        """Keep an outcome and tell the remote of it."""

        def make(snapshot: Snapshot, plan: Plan[OutcomeAnswer]) -> Letter | None:
            if snapshot.receipt is not None:
                return None
            body = OutcomeLetter(request=request)
            return letter(scope, "outcome", "", body, snapshot.now)

        async def write() -> OutcomeAnswer:
            return await self._store.commit(scope, reads, decide)

        answer, done = await self._sender.write(scope, request.idempotency_key, make, write)
        whole = self._sender.said(answer, done)
        self._sender.settle(done, whole)
        return whole

    async def update(self, stamp: Stamp, request: UpdateContext, life: Life) -> ContextAnswer:
        """A new revision in the ledger, which the remote is then told of. What it refuses is kept
        here all the same, and the answer says so."""
        tenant = Scope(tenant=stamp.scope.tenant)
        seen = await self._store.read(tenant, Reads(context_ids=(request.context_id,)))
        old = seen.contexts.get(request.context_id)
        owner = tenant if old is None else _owner(tenant, old)

        def make(snapshot: Snapshot, plan: Plan[ContextAnswer]) -> Letter | None:
            kept = _kept(plan, request.context_id)
            if kept is None:
                return None
            return self._sender.sendable(_changed(_owner(tenant, kept), request, kept, snapshot))

        async def write() -> ContextAnswer:
            return await self._local.update_context(stamp, request, life)

        if old is not None and not self._sender.queues:
            answer, done = await self._sender.told_first(owner, make, write)
            return self._sender.said(answer, done, done.note)
        answer, done = await self._sender.write(owner, request.idempotency_key, make, write)
        whole = self._sender.said(answer, done, done.note)
        self._sender.settle(done, whole)
        return whole

    async def forget(self, stamp: Stamp, request: ForgetContext) -> ForgetAnswer:
        """Forgotten here at once; at the remote too, where it can be deleted for good."""
        await self._courier.flush()
        answer = await self._local.forget_context(stamp, request)
        if answer.dry_run or not answer.forgotten:
            return said(self._remote, answer)
        waiting = await self.post_deletions()
        note = None
        if "delete" not in self._remote.verbs:
            note = (
                f"{self._remote.name} has no way to delete: what it took from the text stays there."
            )
        return self._sender.said(answer, waiting, note)

    async def post_deletions(self) -> Done:
        """Have the remote delete what has ended here; a letter that waits all the same, if one
        does."""
        waiting = Done()
        while orphans := await self._outbox.orphans(limit=ORPHANS):
            if "delete" not in self._remote.verbs:
                await self._outbox.forget_counterparts(orphans)
                continue
            for orphan in orphans:
                if await self._is_shared(orphan):
                    await self._outbox.forget_counterparts([orphan])
                    continue
                done = await self._delete(orphan)
                if done.tried is None or done.tried.error is not None:
                    waiting = done
            await self._courier.flush()
        return waiting

    async def _is_shared(self, orphan: Counterpart) -> bool:
        """Whether another memory, which is kept, goes by the same id there."""
        those = await self._outbox.counterparts(orphan.tenant, (orphan.remote_id,))
        others = [one.local_id for one in those.get(orphan.remote_id, ())]
        tenant = Scope(tenant=orphan.tenant)
        seen = await self._store.read(tenant, Reads(context_ids=tuple(others)))
        return bool(seen.contexts)

    async def _delete(self, orphan: Counterpart) -> Done:
        scope = Scope(tenant=orphan.tenant, user_id=orphan.user_id, domain=orphan.domain)

        def make(snapshot: Snapshot, plan: Plan[None]) -> Letter:
            body = DeleteLetter(remote_id=orphan.remote_id)
            return letter(scope, "delete", orphan.local_id, body, snapshot.now)

        async def write() -> None:
            await self._store.commit(scope, Reads(), lambda snapshot: Plan(Changes(), None))

        _, done = await self._sender.write(scope, None, make, write)
        if done.tried is not None:
            self._courier.settle([done.tried.settled])
        return done

    async def _take_back(self, scope: Scope, context_id: str, done: Done) -> None:
        """A write that failed leaves nothing behind (E4)."""
        undone = done.undone()
        changes = Changes(forget=(context_id,), settled=(undone,))
        await self._store.commit(scope, Reads(), lambda snapshot: Plan(changes, None))


def _kept(plan: Plan[Any], context_id: str) -> Context | None:
    """The revision of that context which the plan keeps."""
    return next((c for c in plan.changes.contexts if c.context_id == context_id), None)


def _owner(tenant: Scope, context: Context) -> Scope:
    return Scope(tenant=tenant.tenant, user_id=context.user_id, domain=context.domain)


def _changed(scope: Scope, request: UpdateContext, kept: Context, seen: Snapshot) -> Letter:
    """What was sent, with the lineage of this revision."""
    named = request.model_fields_set - {"idempotency_key", "expected_revision"}
    sent = {name: getattr(request, name) for name in named}
    told = UpdateContext.model_construct(**{**sent, "lineage": declared(kept.lineage)})
    body = UpdateLetter.model_construct(request=told, context=kept)
    return letter(scope, "update", kept.context_id, body, seen.now)


def _lived_longer(scope: Scope, kept: Context, seen: Snapshot) -> Letter:
    """A repetition lengthened the life of what it repeats (A7)."""
    left = None
    if kept.expires_at is not None:
        left = math.ceil((kept.expires_at - seen.now) / timedelta(seconds=1))
    request = UpdateContext(
        context_id=kept.context_id, memory_type=kept.memory_type, ttl_seconds=left
    )
    body = UpdateLetter(request=request, context=kept)
    return letter(scope, "update", kept.context_id, body, seen.now)
