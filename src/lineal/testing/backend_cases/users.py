"""upsert_user and get_user as every backend does them (U1-U16)."""

# ruff: noqa: S101 - pytest's assertions are what this module is for

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lineal.clock import ManualClock
from lineal.errors import Capability, ErrorCode, LinealError
from lineal.models.context import MemoryType
from lineal.ports.backend import Backend
from lineal.testing.backend_cases.caller import CONTENT, Caller, needs

__all__ = ["BackendUsers", "Typed"]


class Typed:
    """What a test may state in a domain that the backend has a schema for.

    field, value: one hard field and a right value of it; wrong: a value of the wrong type.
    soft: a soft field with a value. derived: the name of a derived field.
    text: words from which the backend reads that value; None where it reads nothing.
    """

    def __init__(
        self,
        domain: str,
        *,
        field: str,
        value: Any,
        wrong: Any,
        soft: dict[str, Any],
        derived: str,
        text: str | None = None,
    ) -> None:
        self.domain = domain
        self.field = field
        self.value = value
        self.wrong = wrong
        self.soft = soft
        self.derived = derived
        self.text = text


class BackendUsers:
    """One row per user and domain, replaced by each upsert."""

    async def test_u1_the_same_call_twice_gives_the_same_row(
        self, backend: Backend, ada: Caller
    ) -> None:
        needs(backend, Capability.USERS)
        said = {"context": CONTENT, "fields": {"city": "Graz"}}
        first = await ada.upsert(**said)
        assert await ada.upsert(**said) == first
        assert await ada.user() == first

    async def test_u2_there_is_one_row_for_a_user_and_domain(
        self, backend: Backend, ada: Caller
    ) -> None:
        needs(backend, Capability.USERS)
        await ada.upsert(fields={"city": "Graz"})
        await Caller(backend, domain="other").upsert(fields={"city": "Linz"})
        await Caller(backend, user_id="grace").upsert(fields={"city": "Wels"})
        await ada.upsert(fields={"city": "Lech"})
        assert (await ada.user()).extras == {"city": "Lech"}
        assert (await Caller(backend, domain="other").user()).extras == {"city": "Linz"}
        assert (await Caller(backend, user_id="grace").user()).extras == {"city": "Wels"}
        needs(backend, Capability.MAINTENANCE)
        assert (await ada.stats()).users == 3

    async def test_u6_unknown_keys_are_extras_and_never_found(
        self, backend: Backend, ada: Caller
    ) -> None:
        needs(backend, Capability.USERS)
        answer = await ada.upsert(fields={"shoe": "brogue", "deep": {"l": [1, None]}})
        assert answer.extras == {"shoe": "brogue", "deep": {"l": [1, None]}}
        assert answer.fields == {}
        needs(backend, Capability.SEARCH)
        assert await ada.found("brogue") == []

    async def test_u6_extras_are_left_out_when_there_are_none(
        self, backend: Backend, ada: Caller
    ) -> None:
        needs(backend, Capability.USERS)
        assert (await ada.upsert(context=CONTENT)).extras is None

    async def test_u6_a_known_key_is_a_field_and_its_type_is_held(
        self, backend: Backend, typed: Typed
    ) -> None:
        needs(backend, Capability.USERS, Capability.SCHEMAS)
        ada = Caller(backend, domain=typed.domain)
        with pytest.raises(LinealError) as raised:
            await ada.upsert(fields={typed.field: typed.wrong})
        assert raised.value.code is ErrorCode.INVALID_REQUEST
        assert raised.value.details["field"] == typed.field
        with pytest.raises(LinealError):
            await ada.user()
        answer = await ada.upsert(fields={typed.field: typed.value})
        assert answer.fields == {typed.field: typed.value}
        assert answer.extras is None

    async def test_u15_a_derived_value_cannot_be_set(self, backend: Backend, typed: Typed) -> None:
        needs(backend, Capability.USERS, Capability.SCHEMAS)
        ada = Caller(backend, domain=typed.domain)
        answer = await ada.upsert(fields={typed.derived: "set by me"})
        assert answer.extras == {typed.derived: "set by me"}
        assert typed.derived not in answer.fields
        assert answer.derived.get(typed.derived) != "set by me"

    async def test_u7_what_the_next_upsert_does_not_set_is_gone(
        self, backend: Backend, ada: Caller
    ) -> None:
        needs(backend, Capability.USERS)
        await ada.upsert(fields={"city": "Graz", "hat": "felt"}, memory_ref="jeanmemory://x")
        assert (await ada.upsert(fields={"hat": "straw"})).extras == {"hat": "straw"}
        assert (await ada.user()).extras == {"hat": "straw"}

    @pytest.mark.parametrize("replace_all", [False, True])
    async def test_u7_no_upsert_drops_a_context(
        self, backend: Backend, ada: Caller, replace_all: bool
    ) -> None:
        needs(backend, Capability.USERS, Capability.SEARCH)
        if replace_all:
            needs(backend, Capability.REPLACE_ALL)
        await ada.upsert()
        mine = (await ada.append()).context_id
        await ada.upsert(fields={"city": "Graz"}, replace_all=replace_all)
        assert await ada.found("manifest") == [mine]

    async def test_u9_an_upsert_leaves_exactly_the_own_domains_head(
        self, backend: Backend, typed: Typed
    ) -> None:
        needs(backend, Capability.USERS, Capability.SCHEMAS)
        answer = await Caller(backend, domain=typed.domain).upsert(fields=typed.soft)
        assert set(answer.embeddings) == {typed.domain}
        assert answer.embeddings[typed.domain].dim > 0
        assert answer.embeddings[typed.domain].version

    async def test_u11_an_unregistered_domain_has_no_fields_and_version_zero(
        self, backend: Backend, ada: Caller
    ) -> None:
        needs(backend, Capability.USERS)
        answer = await ada.upsert(context="I am 34, live in Graz and love hiking.")
        assert (answer.fields, answer.schema_version) == ({}, "notes.v0")
        needs(backend, Capability.SCHEMAS)
        schema = await backend.schema("notes")
        assert (schema.fields, schema.schema_version) == ({}, "notes.v0")

    async def test_u12_a_memory_ref_is_kept_but_not_told(
        self, backend: Backend, ada: Caller
    ) -> None:
        needs(backend, Capability.USERS)
        answer = await ada.upsert(memory_ref="https://169.254.169.254/secret")
        assert "169.254" not in answer.model_dump_json()
        assert "169.254" not in (await ada.user()).model_dump_json()
        needs(backend, Capability.PROVENANCE)
        assert "169.254" not in (await ada.user(provenance=True)).model_dump_json()

    async def test_u14_a_row_says_by_which_schema_and_when_it_was_made(
        self, backend: Backend, typed: Typed, clock: ManualClock
    ) -> None:
        needs(backend, Capability.USERS, Capability.SCHEMAS)
        ada = Caller(backend, domain=typed.domain)
        await ada.upsert(fields={typed.field: typed.value})
        later = clock.advance(minutes=5)
        answer = await ada.upsert(fields={typed.field: typed.value})
        assert answer.schema_version == (await backend.schema(typed.domain)).schema_version
        assert answer.last_enriched_at == later
        assert '"last_enriched_at":"2026-03-01T12:05:00Z"' in answer.model_dump_json()

    async def test_u16_a_row_is_a_fact_unless_said_otherwise(
        self, backend: Backend, ada: Caller
    ) -> None:
        needs(backend, Capability.USERS)
        answer = await ada.upsert(fields={"city": "Graz"})
        assert (answer.memory_type, answer.expires_at) == (MemoryType.FACT, None)

    async def test_u16_an_expired_row_is_gone_and_the_next_begins_anew(
        self, backend: Backend, ada: Caller, clock: ManualClock
    ) -> None:
        needs(backend, Capability.USERS, Capability.TTL)
        answer = await ada.upsert(fields={"city": "Graz"}, ttl_seconds=60)
        assert answer.expires_at == clock.now() + timedelta(seconds=60)
        clock.advance(seconds=59, milliseconds=999)
        assert (await ada.user()).extras == {"city": "Graz"}
        clock.advance(milliseconds=1)
        for call in (ada.user, ada.append):
            with pytest.raises(LinealError) as raised:
                await call()
            assert raised.value.code is ErrorCode.NOT_FOUND
        assert (await ada.upsert(fields={"hat": "felt"})).extras == {"hat": "felt"}

    async def test_an_unknown_user_is_not_found(self, backend: Backend, ada: Caller) -> None:
        needs(backend, Capability.USERS)
        with pytest.raises(LinealError) as raised:
            await ada.user()
        assert raised.value.code is ErrorCode.NOT_FOUND

    async def test_provenance_is_told_when_asked_for(self, backend: Backend, typed: Typed) -> None:
        needs(backend, Capability.USERS, Capability.SCHEMAS, Capability.PROVENANCE)
        ada = Caller(backend, domain=typed.domain)
        await ada.upsert(fields={typed.field: typed.value})
        assert (await ada.user()).provenance is None
        told = (await ada.user(provenance=True)).provenance
        assert told is not None
        assert (told[typed.field].value, told[typed.field].source) == (typed.value, "stated")
