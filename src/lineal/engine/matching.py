"""Finding who suits whom in a domain."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import Any, Literal, NamedTuple

import anyio

from lineal.engine.reading import Reader
from lineal.engine.rows import present, said
from lineal.engine.shortlist import Headed, Shortlist, is_fresh
from lineal.errors import LinealError
from lineal.models.changes import Changes, Plan, Reads, Scope, Snapshot, Stamp, Task
from lineal.models.claim import FieldValue
from lineal.models.matching import MatchAnswer, MatchUsers
from lineal.models.schema import Schema
from lineal.models.user import Head
from lineal.policy import deriving, matching, merging, refreshing
from lineal.policy.missing import missing_user
from lineal.ports.embedder import OFF, Embedder
from lineal.ports.schemas import Schemas
from lineal.ports.store import Store

__all__ = ["Matcher"]

_log = logging.getLogger("lineal.match")

PAGE = 500
"""Users read at once: some megabytes."""


class Seeker(NamedTuple):
    """For whom it is: what is known of them that the domain's schema knows too, and their vector.

    text: what the vector is of, "" where nothing soft is known. row_domain: whose row it was read
    from, None for a description. extractor: what read that.
    """

    values: Mapping[str, Any]
    text: str
    head: Head | None
    row_domain: str | None = None
    extractor: str | None = None


class Matcher:
    """Matches users of a domain, and makes the vectors that this needs (U10)."""

    def __init__(
        self, store: Store, reader: Reader, *, schemas: Schemas, embedder: Embedder
    ) -> None:
        self._store = store
        self._reader = reader
        self._schemas = schemas
        self._embedder = embedder

    async def match(self, stamp: Stamp, request: MatchUsers) -> MatchAnswer:
        """The best candidates. A description is read, never stored; without one the scope names
        the user.

        Raises not_found for a user without a live row in any registered domain, and invalid_request
        for a domain without a schema or a wrong filter."""
        schema = self._schema(stamp.scope.domain or "")
        matching.sought(schema, {}, None, request.filters)  # a wrong filter costs no vector
        seeker = await self._seeker(stamp, schema, request.description)
        vector = seeker.head.vector if seeker.head else None
        sought = matching.sought(schema, seeker.values, vector, request.filters)
        search = Shortlist(sought, self._embedder.version, stamp.scope.user_id, request.limit)
        await self._search(stamp, search)
        return _answer(stamp.scope, request, seeker, search, off=self._embedder.version == OFF)

    def _schema(self, domain: str) -> Schema:
        schema = self._reader.schema(domain)
        if not schema.fields:
            known = ", ".join(self._schemas.domains()) or "none"
            raise LinealError.invalid(
                "domain",
                f"Domain '{domain}' has no schema, so its users can't be compared. "
                f"Registered: {known}.",
            )
        return schema

    async def _seeker(self, stamp: Stamp, schema: Schema, description: str | None) -> Seeker:
        if description is not None:
            return await self._described(stamp, schema, description)
        found = await self._row(stamp.scope, schema)
        fields = _known_here(schema, found)
        text = merging.soft_text(schema, fields)
        derived = found.row.derived if found.row.domain == schema.domain else {}
        row = found.row.model_copy(update={"fields": fields, "derived": derived})
        head = await self._head(stamp, schema.domain, found._replace(text=text))
        return Seeker(matching.values_of(schema, row), text, head, found.row.domain)

    async def _described(self, stamp: Stamp, schema: Schema, description: str) -> Seeker:
        now = (await self._store.read(stamp.scope, Reads())).now
        reading = (await self._reader.read(schema.domain, description, None, stamp.ask)).reading
        claims = said(reading, "append", now, now, None)
        fields = merging.appended(schema, {}, claims, reading.context_id)
        every = {**fields, **deriving.derived(schema, fields, {}, now)}
        text = merging.soft_text(schema, fields)
        values = {name: field.value for name, field in every.items() if field.value is not None}
        (head,) = await self._made(schema.domain, [text])
        return Seeker(values, text, head, extractor=reading.extractor)

    async def _row(self, scope: Scope, schema: Schema) -> Headed:
        """The user's row in the domain, else the one elsewhere that tells this domain most."""
        own = await self._live(scope, schema)
        if own is not None:
            return own
        others = [name for name in self._schemas.domains() if name != schema.domain]
        rows = [
            await self._live(scope.model_copy(update={"domain": name}), self._reader.schema(name))
            for name in others
        ]
        found = [row for row in rows if row is not None]
        if not found:
            raise missing_user(scope)
        return max(found, key=lambda row: len(_known_here(schema, row)))

    async def _live(self, scope: Scope, schema: Schema) -> Headed | None:
        seen = await self._store.read(scope, Reads(user=True))
        return Headed(schema, present(schema, seen.user, seen.now), "") if seen.user else None

    async def _head(self, stamp: Stamp, name: str, found: Headed) -> Head | None:
        """The vector of that name, made if it isn't there or isn't of this text any more."""
        row = found.row
        scope = Scope(tenant=stamp.scope.tenant, user_id=row.user_id, domain=row.domain)
        if is_fresh(row, name, self._embedder.version):
            return await self._store.head(scope, name)
        (head,) = await self._made(name, [found.text])
        if head is not None:
            await self._keep(stamp, found, head)
        return head

    async def _search(self, stamp: Stamp, search: Shortlist) -> None:
        """Page by page through the domain, so that memory is bounded."""
        after, scope = 0, stamp.scope
        peers = Scope(tenant=scope.tenant, domain=scope.domain)
        now = (await self._store.read(peers, Reads())).now
        while True:
            page = await self._store.peers(peers, scope.domain or "", after=after, limit=PAGE)
            search.take(page, now)
            if len(page) < PAGE:
                break
            after = page[-1].after
        await self._make_heads(stamp, search)

    async def _make_heads(self, stamp: Stamp, search: Shortlist) -> None:
        """Vectors for those who wait for one, in one batch; kept where there is time for it."""
        waiting, name = search.waiting, search.sought.schema.domain
        if not waiting:
            return
        heads = await self._made(name, [found.text for found in waiting])
        search.headed(heads)
        async with anyio.create_task_group() as tasks:
            for found, head in zip(waiting, heads, strict=True):
                if head is not None:
                    tasks.start_soon(self._keep, stamp, found, head)

    async def _made(self, name: str, texts: list[str]) -> list[Head | None]:
        """One for each text; None for an empty one, and for all while there is no embedder or its
        model can't be used: then fields alone decide, and the answer says so."""
        none: list[Head | None] = [None] * len(texts)
        if self._embedder.version == OFF or not any(texts):
            return none
        try:
            vectors = await self._embedder.embed(texts)
        except LinealError as error:
            _log.warning("matching without vectors: %s", error.message)
            return none
        version = self._embedder.version
        return [Head(name=name, version=version, vector=vector) for vector in vectors]

    async def _keep(self, stamp: Stamp, found: Headed, head: Head) -> None:
        """Keep a vector with the row it was made of. What can't be kept now is made again."""
        if self._store.read_only or stamp.read_only:
            return
        tenant = stamp.scope.tenant
        row, limit = found.row, self._reader.heads_per_minute
        scope = Scope(tenant=tenant, user_id=row.user_id, domain=row.domain)
        decide = partial(_kept, tenant=tenant, found=found, head=head, per_minute=limit)
        with suppress(LinealError):
            await self._store.commit(scope, Reads(user=True), decide)


def _known_here(schema: Schema, found: Headed) -> dict[str, FieldValue]:
    """Of a row of another domain what this schema knows as well, and as the same kind: what is
    hard there is never embedded here (U6)."""
    own = found.schema.fields
    if found.schema.domain == schema.domain:
        return found.row.fields
    return {
        name: field
        for name, field in found.row.fields.items()
        if name in schema.fields and name in own and schema.fields[name].kind == own[name].kind
    }


def _kept(seen: Snapshot, *, tenant: str, found: Headed, head: Head, per_minute: int) -> Plan[None]:
    """The row's next revision with this vector; nothing if it has moved since, has the vector
    already, or has had too many of late (A8)."""
    if seen.user is None:
        return Plan(Changes(), None)
    row = present(found.schema, seen.user, seen.now)
    moved = merging.changed(found.row.fields, row.fields)
    allowed = refreshing.allowed(row.refreshed_at, seen.now, per_minute)
    if moved or not allowed or is_fresh(row, head.name, head.version):
        return Plan(Changes(), None)
    update = {
        "revision": row.revision + 1,
        "heads": {**row.heads, head.name: head.info},
        "refreshed_at": refreshing.noted(row.refreshed_at, seen.now, per_minute),
        "updated_at": seen.now,
    }
    left = Task(kind="head", tenant=tenant, user_id=row.user_id, domain=row.domain, due_at=seen.now)
    done = (left,) if head.name == row.domain else ()
    return Plan(Changes(users=(row.model_copy(update=update),), heads=(head,), done=done), None)


def _answer(
    scope: Scope, request: MatchUsers, seeker: Seeker, search: Shortlist, *, off: bool
) -> MatchAnswer:
    domain, described = scope.domain or "", request.description is not None
    elsewhere = seeker.row_domain not in (None, domain)
    return MatchAnswer(
        user_id=None if described else scope.user_id,
        domain=domain,
        candidates=tuple(matching.candidate(search.sought, found) for found in search.best),
        considered=search.considered,
        filtered=search.filtered,
        more=search.considered - search.filtered - len(search.best),
        head="off" if off else _state(seeker, search),
        headless=search.headless,
        from_domain=seeker.row_domain if elsewhere else None,
        understood=dict(seeker.values) if described else None,
        extractor=seeker.extractor,
    )


def _state(seeker: Seeker, search: Shortlist) -> Literal["ready", "absent", "unavailable"]:
    if search.sought.head is not None:
        return "ready"
    return "unavailable" if seeker.text and seeker.head is None else "absent"
