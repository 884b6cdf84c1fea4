"""Reading a text before the transaction: schema, extraction, fingerprint, and a head foreseen."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import datetime

from lineal.clock import Clock
from lineal.engine import ingest
from lineal.engine.ingest import Text
from lineal.engine.rows import Reading, present, provisioned
from lineal.engine.upserting import upsert_fields
from lineal.errors import LinealError
from lineal.ids import Ids
from lineal.models.asking import Ask
from lineal.models.changes import Fingerprint, Life, Reads, Scope, Stamp
from lineal.models.claim import FieldValue
from lineal.models.context import AppendContext, Context
from lineal.models.schema import Schema
from lineal.models.user import Head, UpsertUser, UserRow
from lineal.policy import expiry, merging, refreshing
from lineal.policy.duplicates import fingerprint
from lineal.ports.embedder import OFF, Embedder
from lineal.ports.extractor import Extracted, Extractor
from lineal.ports.schemas import Schemas
from lineal.ports.store import Store

__all__ = ["Reader"]

_log = logging.getLogger("lineal")

USERS_MAX = 10_000
"""Users whose latest refreshes are remembered here, so that a head which the limit would not let
be kept isn't made; the row itself decides."""


class Reader:
    """Prepares what a decision needs and a transaction must not wait for."""

    def __init__(
        self,
        store: Store,
        schemas: Schemas,
        extractor: Extractor,
        embedder: Embedder,
        ids: Ids,
        clock: Clock,
        heads_per_minute: int,
    ) -> None:
        self._store = store
        self._schemas = schemas
        self._extractor = extractor
        self._embedder = embedder
        self._ids = ids
        self._clock = clock
        self.heads_per_minute = heads_per_minute
        self._refreshed: OrderedDict[tuple[str, ...], Sequence[datetime]] = OrderedDict()

    def schema(self, domain: str) -> Schema:
        """Raises invalid_request for a domain whose schema file is broken."""
        return self._schemas.get(domain)

    def schema_or_none(self, domain: str) -> Schema:
        """The schema, or one without fields where the file is broken: what only takes away must
        go on."""
        try:
            return self._schemas.get(domain)
        except LinealError:
            return Schema(domain=domain, version=0)

    async def read(
        self, domain: str, text: str | None, occurred_at: datetime | None, ask: Ask | None
    ) -> Text:
        """What a new text says; text None: nothing is read, the schema is there."""
        reading = self._blank(domain, self._ids.context())
        if not text:
            return Text(reading, Fingerprint(content_key=""))
        return Text(await self._extracted(reading, text, occurred_at, ask), fingerprint(text))

    async def try_text(self, domain: str, text: str, ask: Ask | None) -> Extracted:
        """What would be read from a text."""
        reading = await self._extracted(self._blank(domain, ""), text, None, ask)
        return reading.extracted or Extracted(model_version="none")

    async def reread(self, context: Context, text: str | None, ask: Ask | None) -> Text:
        """What a stored context's text says now (N22); text None: the schema alone."""
        reading = self._blank(context.domain, context.context_id)
        if text is None:
            return Text(reading, Fingerprint(content_key=""))
        reading = await self._extracted(reading, text, context.occurred_at, ask)
        return Text(reading, fingerprint(text))

    async def foresee_append(
        self, stamp: Stamp, request: AppendContext, life: Life, text: Text
    ) -> Text:
        """The text with a head for the soft fields that the append is expected to give."""
        if not self._may_refresh(stamp.scope, text.reading):
            return text
        before = await self._store.read(stamp.scope, Reads(user=True))
        row = before.user or provisioned(stamp, text.reading.schema_, before.now)
        times = (request.occurred_at or before.now, expiry.ends_at(life, before.now))
        row = present(text.reading.schema_, row, before.now)
        fields = ingest.merged(text.reading, row, before.now, *times)
        return await self._foreseen(stamp.scope, text, row, fields, before.now)

    async def foresee_upsert(
        self, stamp: Stamp, request: UpsertUser, life: Life, text: Text
    ) -> Text:
        """The text with a head for the soft fields that the upsert is expected to give.

        Raises invalid_request for a field that the schema doesn't take."""
        before = await self._store.read(stamp.scope, Reads(user=True))
        ends_at = expiry.ends_at(life, before.now)
        fields, _ = upsert_fields(text.reading, request, before.user, before.now, ends_at)
        return await self._foreseen(stamp.scope, text, before.user, fields, before.now)

    async def foresee_update(self, context: Context, scope: Scope, text: Text) -> Text:
        """The text with a head for the soft fields that a changed content is expected to give."""
        before = await self._store.read(scope, Reads(user=True))
        if before.user is None:
            return text
        row = present(text.reading.schema_, before.user, before.now)
        times = (context.occurred_at, context.expires_at)
        fields = ingest.merged(text.reading, row, before.now, *times)
        return await self._foreseen(scope, text, row, fields, before.now)

    async def head(self, name: str, text: str) -> Head | None:
        """The head of that name for a soft text; None where there is nothing to say, or no
        embedder."""
        if not text or self._embedder.version == OFF:
            return None
        (vector,) = await self._embedder.embed([text])
        return Head(name=name, version=self._embedder.version, vector=vector)

    async def _head_or_none(self, name: str, text: str) -> Head | None:
        """A write goes on without its vector; that is made as soon as the embedder is there."""
        try:
            return await self.head(name, text)
        except LinealError as error:
            _log.warning("head: %s", error.message)
            return None

    def refreshed(self, scope: Scope, row: UserRow) -> None:
        """Remember when a row's head was made."""
        key = _key(scope)
        self._refreshed[key] = row.refreshed_at
        self._refreshed.move_to_end(key)
        while len(self._refreshed) > USERS_MAX:
            self._refreshed.popitem(last=False)

    def _blank(self, domain: str, context_id: str) -> Reading:
        return Reading(
            schema_=self._schemas.get(domain),
            context_id=context_id,
            heads=self._embedder.version != OFF,
            per_minute=self.heads_per_minute,
        )

    async def _extracted(
        self, reading: Reading, text: str, occurred_at: datetime | None, ask: Ask | None
    ) -> Reading:
        if not reading.schema_.fields:
            return reading
        at = occurred_at or self._clock.now()
        found = await self._extractor.extract(reading.schema_, text, at, ask)
        return reading.model_copy(update={"extracted": found})

    def _may_refresh(self, scope: Scope, reading: Reading) -> bool:
        """Whether a text touches what a head is made of, and one more head would be kept."""
        fields = reading.schema_.fields
        soft = any(f.field in fields and fields[f.field].kind == "soft" for f in reading.finds)
        times = self._refreshed.get(_key(scope), ())
        return soft and refreshing.allowed(times, self._clock.now(), self.heads_per_minute)

    async def _foreseen(
        self,
        scope: Scope,
        text: Text,
        row: UserRow | None,
        fields: Mapping[str, FieldValue],
        now: datetime,
    ) -> Text:
        schema = text.reading.schema_
        soft = merging.soft_text(schema, fields)
        if row is not None:
            self.refreshed(scope, row)
            if self._is_fresh(scope, row, soft, schema):
                return text
        times = row.refreshed_at if row else ()
        if not refreshing.allowed(times, now, self.heads_per_minute):
            return text
        head = await self._head_or_none(scope.domain or "", soft)
        reading = text.reading.model_copy(update={"soft_text": soft, "head": head})
        return text._replace(reading=reading)

    def _is_fresh(self, scope: Scope, row: UserRow, soft: str, schema: Schema) -> bool:
        """Whether the row's head is of this very text already, by this model."""
        info = row.heads.get(scope.domain or "")
        if info is None or info.stale or info.version != self._embedder.version:
            return False
        return merging.soft_text(schema, row.fields) == soft


def _key(scope: Scope) -> tuple[str, ...]:
    return (scope.tenant, scope.user_id or "", scope.domain or "")
