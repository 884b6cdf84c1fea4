"""Users' rows that are the remote's, with the life and the lineage that the ledger keeps."""

from __future__ import annotations

from lineal.errors import Capability, ErrorCode, LinealError, Unsupported
from lineal.models.changes import Changes, Life, Plan, Reads, Scope, Snapshot, Stamp
from lineal.models.forwarding import Counterpart, Letter
from lineal.models.letters import UpsertLetter
from lineal.models.user import GetUser, UpsertUser, UserAnswer, UserRow
from lineal.outbound.faults import Away, Refused
from lineal.policy.missing import missing_user
from lineal.ports.backend import Backend
from lineal.ports.outbox import Outbox
from lineal.ports.remote import Remote
from lineal.ports.store import Store
from lineal.remotes.joining import said, user_answer
from lineal.remotes.posting import letter
from lineal.remotes.sending import Done, Sender, error_of

__all__ = ["Users"]


class Users:
    """The remote's users, or the ledger's where it has none."""

    def __init__(
        self, local: Backend, store: Store, outbox: Outbox, remote: Remote, sender: Sender
    ) -> None:
        self._local = local
        self._store = store
        self._outbox = outbox
        self._remote = remote
        self._sender = sender
        self.there = "upsert" in remote.verbs
        """Whether users are the remote's, not the ledger's."""

    async def upsert(self, stamp: Stamp, request: UpsertUser, life: Life) -> UserAnswer:
        """Raises invalid_request for what the remote doesn't take, which keeps nothing."""
        if not self.there:
            return said(self._remote, await self._local.upsert_user(stamp, request, life))
        if request.replace_all:
            raise Unsupported(Capability.REPLACE_ALL, self._remote.name)
        scope = stamp.scope
        before: UserRow | None = None

        def make(snapshot: Snapshot, plan: Plan[UserAnswer]) -> Letter | None:
            nonlocal before
            if snapshot.receipt is not None:
                return None
            before = snapshot.user
            bare = request.model_copy(update={"idempotency_key": None})
            return letter(scope, "upsert", "", UpsertLetter(request=bare), snapshot.now)

        async def write() -> UserAnswer:
            return await self._local.upsert_user(stamp, request, life)

        answer, done = await self._sender.write(scope, request.idempotency_key, make, write)
        if done.letter is not None and self._sender.failed(done):
            await self._restore_user(scope, before, done)
            raise error_of(done)
        told = done.tried.sent.user if done.tried and done.tried.sent else None
        joined = user_answer(scope, told, answer) if told else None
        whole = self._sender.said(joined or answer, done)
        self._sender.settle(done, whole)
        await self._mark_user(scope, answer)
        return whole

    async def user(self, stamp: Stamp, request: GetUser) -> UserAnswer:
        """The remote's row, with the life and the lineage kept here; raises not_found."""
        scope = stamp.scope
        if not self.there:
            return said(self._remote, await self._local.get_user(stamp, request))
        if request.provenance:
            raise Unsupported(Capability.PROVENANCE, self._remote.name)
        await self.require_live(scope)
        try:
            told = await self._remote.user(scope)
        except (Away, Refused) as fault:
            return await self._from_ledger(stamp, request, fault)
        kept = await self._kept(stamp, request)
        answer = user_answer(scope, told, kept)
        if answer is None:
            raise missing_user(scope)
        return said(self._remote, answer)

    async def _from_ledger(
        self, stamp: Stamp, request: GetUser, fault: Away | Refused
    ) -> UserAnswer:
        """What is kept here of a row that can't be read there now, or hasn't arrived yet."""
        scope, unknown = stamp.scope, fault.answered == 404
        if isinstance(fault, Refused) and not unknown:
            raise fault
        if unknown and not await self._outbox.waits(scope.tenant, scope.user_id or ""):
            raise missing_user(scope) from fault
        kept = await self._kept(stamp, request)
        if kept is None:
            raise missing_user(scope) if unknown else fault
        why = "it is still on its way." if unknown else fault.message
        return said(self._remote, kept, note=f"From the ledger: {why}")

    async def _kept(self, stamp: Stamp, request: GetUser) -> UserAnswer | None:
        try:
            return await self._local.get_user(stamp, request)
        except LinealError as error:
            if error.code is not ErrorCode.NOT_FOUND:
                raise
        return None

    async def _restore_user(self, scope: Scope, before: UserRow | None, done: Done) -> None:
        """The ledger's row as it was; one that wasn't there ends."""
        undone = done.undone()

        def decide(snapshot: Snapshot) -> Plan[None]:
            now = snapshot.user
            if now is None:
                return Plan(Changes(settled=(undone,)), None)
            old = before or now.model_copy(update={"expires_at": snapshot.now})
            update = {"revision": now.revision + 1, "updated_at": snapshot.now}
            return Plan(Changes(users=(old.model_copy(update=update),), settled=(undone,)), None)

        await self._store.commit(scope, Reads(user=True), decide)

    async def _mark_user(self, scope: Scope, answer: UserAnswer) -> None:
        """Until when the remote's row is shown: the ledger's own row goes with the sweep."""
        known = await self._outbox.counterpart(scope, scope.domain or "", kind="user")
        if (known.expires_at if known else None) == answer.expires_at:
            return
        mark = Counterpart(
            kind="user",
            tenant=scope.tenant,
            user_id=scope.user_id or "",
            domain=scope.domain or "",
            local_id=scope.domain or "",
            remote_id=scope.user_id or "",
            expires_at=answer.expires_at,
        )
        changes = Changes(counterparts=(mark,))
        await self._store.commit(scope, Reads(), lambda snapshot: Plan(changes, None))

    async def require_live(self, scope: Scope) -> None:
        """Raises not_found for a user whose row has ended here; the remote goes on showing it."""
        known = await self._outbox.counterpart(scope, scope.domain or "", kind="user")
        if known is None or known.expires_at is None:
            return
        if (await self._store.read(scope, Reads())).now >= known.expires_at:
            raise missing_user(scope)
