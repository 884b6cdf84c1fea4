"""Later evidence: lineage that is made whole in its place, and nothing else."""

# ruff: noqa: S101 - pytest's assertions are what this module is for

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lineal.clock import ManualClock
from lineal.errors import ErrorCode, LinealError
from lineal.models.changes import SIGHTINGS_MAX, Completed, Reads, Scope, Withholding
from lineal.models.claim import FieldValue
from lineal.models.lineage import Basis, Edge, Lineage, Relation
from lineal.models.search import TextQuery
from lineal.models.user import Head
from lineal.ports.store import Store
from lineal.testing.samples import ADA, START, a_context, a_receipt, a_sighting, a_user, keep

__all__ = ["StoreCompleting"]

HOUR = timedelta(hours=1)
LATER = Lineage(created_at=START, model_version="known later", source_ids=("ctx_0",))
EVIL = Scope(tenant="evil", user_id="ada", domain="coding")
HEAD = Head(name="coding", version="v1", vector=(1.0, 0.0))


class StoreCompleting:
    """Contexts, user rows, sightings and edges, completed in place and guarded against more."""

    async def test_a_present_and_a_past_revision_are_completed_in_place(
        self, store: Store, clock: ManualClock
    ) -> None:
        first = a_context("ctx_1", content="walnut", metadata={"pair": (1, 2)})
        second = a_context("ctx_1", revision=2, content="almond", updated_at=START + HOUR)
        await keep(store, contexts=(first,), receipt=a_receipt("k", '{"id": "ctx_1"}'))
        await keep(store, contexts=(second,))
        clock.advance(hours=2)
        await _complete(store, contexts=(_later(first), _later(second)))
        history = await store.history(ADA, "ctx_1")
        assert [c.model_dump_json() for c in history] == [
            c.model_dump_json() for c in (_later(first), _later(second))
        ]
        seen = await store.read(ADA, Reads(context_ids=("ctx_1",), receipt="k"))
        assert seen.contexts == {"ctx_1": _later(second)}
        assert seen.receipt == a_receipt("k", '{"id": "ctx_1"}')
        page = await store.find(ADA, TextQuery(terms=("almond",)))
        assert [found.context for found in page.candidates] == [_later(second)]
        assert (await store.find(ADA, TextQuery(terms=("walnut",)))).matched == 0
        assert (await store.stats(ADA)).revisions == 2
        await keep(store, contexts=(a_context("ctx_1", revision=3),))
        assert (await store.verify()).ok

    async def test_the_latest_revisions_are_read_first_to_last(self, store: Store) -> None:
        every = [a_context("ctx_1", revision=n, content=f"note {n}") for n in range(1, 6)]
        for revision in every:
            await keep(store, contexts=(revision,))
        await keep(store, contexts=(a_context("ctx_2"), a_context("ctx_3", expires_at=START)))
        names = ("ctx_1", "ctx_2", "ctx_3", "ctx_9")
        seen = await store.read(ADA, Reads(context_ids=names, revisions=3))
        assert seen.revisions == {"ctx_1": tuple(every[2:]), "ctx_2": (a_context("ctx_2"),)}
        assert (await store.read(ADA, Reads(context_ids=names))).revisions == {}
        assert (await store.read(EVIL, Reads(context_ids=names, revisions=3))).revisions == {}
        await _complete(store, contexts=(_later(every[4]),))
        seen = await store.read(ADA, Reads(context_ids=names, revisions=2))
        assert seen.revisions["ctx_1"] == (every[3], _later(every[4]))

    async def test_completing_twice_is_completing_once(self, store: Store) -> None:
        note, again = a_context("ctx_1"), a_sighting("ctx_1")
        await keep(store, contexts=(note,), sightings=(again,), users=(a_user(),))
        late = Completed(
            contexts=(_later(note),),
            users=(_later(a_user()),),
            sightings=((again, _later(again)),),
            edges=(_used("ctx_1", "ctx_0"),),
        )
        reads = Reads(context_ids=("ctx_1",), sightings=True, user=True, revisions=5)
        await keep(store, completed=late)
        once = await store.read(ADA, reads), await store.edges(ADA, ("ctx_1",), "both")
        await keep(store, completed=late)
        assert (await store.read(ADA, reads), await store.edges(ADA, ("ctx_1",), "both")) == once
        assert once[0].sightings == {"ctx_1": (_later(again),)}
        assert (await store.verify()).ok

    async def test_observed_uses_give_way_and_all_other_edges_stay(self, store: Store) -> None:
        revisions = [a_context("ctx_1", revision=n) for n in (1, 2)]
        declared = _used("ctx_1", "ctx_a").model_copy(update={"basis": Basis.DECLARED})
        derived = _used("ctx_1", "ctx_a").model_copy(update={"relation": Relation.WAS_DERIVED_FROM})
        others = [declared, derived, _used("ctx_1", "ctx_a", 2), _used("ctx_2", "ctx_a")]
        uses = [_used("ctx_1", "ctx_a"), _used("ctx_1", "ctx_b")]
        await keep(store, contexts=(revisions[0], a_context("ctx_2")), edges=(*others[:2], *uses))
        await keep(store, contexts=(revisions[1],), edges=tuple(others[2:]))
        new = [_used("ctx_1", "ctx_b"), _used("ctx_1", "ctx_c")]
        await _complete(store, contexts=(_later(revisions[0]),), edges=tuple(new))
        edges = await store.edges(ADA, ("ctx_1", "ctx_2"), "up")
        assert set(edges) == {*others, *new}
        assert set(await store.edges(ADA, ("ctx_a",), "down")) == set(others)
        await _complete(store, contexts=(_later(revisions[0]),))
        assert set(await store.edges(ADA, ("ctx_1", "ctx_2"), "up")) == set(others)
        assert (await store.verify()).ok

    async def test_the_users_present_row_is_completed_in_place(self, store: Store) -> None:
        fields = {"tools": FieldValue(value=("a", "b"))}
        row = a_user(fields=fields, heads={"coding": HEAD.info})
        await keep(store, users=(row,), heads=(HEAD,), receipt=a_receipt("u", '{"u": 1}'))
        await _complete(store, users=(_later(row),))
        seen = await store.read(ADA, Reads(user=True, receipt="u"))
        assert seen.user is not None
        assert seen.user.model_dump_json() == _later(row).model_dump_json()
        assert seen.receipt == a_receipt("u", '{"u": 1}')
        assert await store.user_history(ADA) == (_later(row).model_dump_json(),)
        assert await store.head(ADA, "coding") == HEAD
        await keep(store, users=(a_user(revision=2, heads={"coding": HEAD.info}),))
        assert len(await store.user_history(ADA)) == 2
        assert (await store.verify()).ok

    async def test_a_row_that_has_moved_on_is_left_alone(
        self, store: Store, clock: ManualClock
    ) -> None:
        second = a_user(revision=2, memory_ref="moved on", expires_at=START + HOUR)
        await keep(store, users=(a_user(),))
        await keep(store, users=(second,))
        await _complete(store, users=(_later(a_user()), _later(a_user(user_id="nobody"))))
        assert (await store.read(ADA, Reads(user=True))).user == second
        clock.advance(hours=1)
        await _complete(store, users=(_later(second),))
        anew = a_user(created_at=START + HOUR, memory_ref="begun anew")
        await keep(store, users=(anew,))
        await _complete(store, users=(_later(a_user()),))
        assert (await store.read(ADA, Reads(user=True))).user == anew

    async def test_one_sighting_is_completed_in_its_place(self, store: Store) -> None:
        every = [a_sighting("ctx_1", session_id=f"s{n}") for n in (1, 2, 2, 3)]
        await keep(store, contexts=(a_context("ctx_1"),), sightings=tuple(every))
        absent = a_sighting("ctx_1", session_id="s9")
        pairs = ((every[1], _later(every[1])), (absent, _later(absent)))
        await _complete(store, sightings=pairs)
        every[1] = _later(every[1])
        seen = await store.read(ADA, Reads(context_ids=("ctx_1",), sightings=True))
        assert seen.sightings["ctx_1"] == tuple(every)
        assert (await store.verify()).ok

    async def test_only_sightings_that_are_shown_are_completed(self, store: Store) -> None:
        first = a_sighting("ctx_1", session_id="first")
        await keep(store, contexts=(a_context("ctx_1"),), sightings=(first,))
        await _complete(store, sightings=((first, _later(first)),))
        await keep(store, sightings=(a_sighting("ctx_1"),) * SIGHTINGS_MAX)
        await _complete(store, sightings=((_later(first), first),))
        seen = await store.read(ADA, Reads(context_ids=("ctx_1",), sightings=True))
        assert seen.sightings["ctx_1"] == (a_sighting("ctx_1"),) * SIGHTINGS_MAX
        assert (await store.verify()).ok

    @pytest.mark.parametrize(
        "values",
        [
            {"content": "Something else."},
            {"tags": ("new",)},
            {"project": "p"},
            {"updated_at": START + HOUR},
            {"expires_at": START + HOUR},
        ],
    )
    async def test_what_differs_in_more_than_its_lineage_is_refused(
        self, store: Store, values: dict[str, Any]
    ) -> None:
        notes = [a_context(name) for name in ("ctx_1", "ctx_2")]
        await keep(store, contexts=tuple(notes))
        other = _later(notes[1]).model_copy(update=values)
        await _refused(store, contexts=(_later(notes[0]), other))
        seen = await store.read(ADA, Reads(context_ids=("ctx_1", "ctx_2")))
        assert list(seen.contexts.values()) == notes

    async def test_other_users_rows_and_sightings_than_the_kept_ones_are_refused(
        self, store: Store
    ) -> None:
        again = a_sighting("ctx_1")
        await keep(store, contexts=(a_context("ctx_1"),), sightings=(again,), users=(a_user(),))
        await _refused(store, users=(_later(a_user(memory_ref="other")),))
        await _refused(store, sightings=((again, _later(a_sighting("ctx_1", source="upload"))),))

    @pytest.mark.parametrize("revision", [2, 3])
    async def test_a_revision_that_is_not_kept_is_refused(
        self, store: Store, revision: int
    ) -> None:
        await keep(store, contexts=(a_context("ctx_1"),))
        await _refused(store, contexts=(_later(a_context("ctx_1", revision=revision)),))
        await _refused(store, contexts=(_later(a_context("ctx_9")),))
        await _refused(
            store,
            also={"contexts": (a_context("ctx_1", revision=2),)},
            contexts=(_later(a_context("ctx_1", revision=2)),),
        )

    @pytest.mark.parametrize("ended", ["expired", "swept", "forgotten", "withheld"])
    async def test_what_has_ended_is_not_completed(
        self, store: Store, clock: ManualClock, ended: str
    ) -> None:
        note = a_context("ctx_1", expires_at=START + HOUR)
        again, kept = a_sighting("ctx_1"), _used("ctx_1", "ctx_a")
        await keep(store, contexts=(note,), sightings=(again,), edges=(kept,))
        await _end(store, clock, ended)
        other = a_context("ctx_2")
        await keep(store, contexts=(other,))
        await _complete(
            store,
            contexts=(_later(note), _later(other)),
            sightings=((again, _later(again)),),
            edges=(_used("ctx_1", "ctx_b"), _used("ctx_2", "ctx_b")),
        )
        seen = await store.read(ADA, Reads(context_ids=("ctx_1", "ctx_2")))
        assert seen.contexts == {"ctx_2": _later(other)}
        assert await store.edges(ADA, ("ctx_1",), "up") == (kept,)
        assert await store.edges(ADA, ("ctx_2",), "up") == (_used("ctx_2", "ctx_b"),)
        await keep(store, restore=("ctx_1",))
        back = await store.read(ADA, Reads(context_ids=("ctx_1",), sightings=True))
        assert back.sightings == ({"ctx_1": (again,)} if ended == "withheld" else {})
        assert (await store.verify()).ok

    @pytest.mark.parametrize(
        "scope",
        [
            EVIL,
            Scope(tenant="acme", user_id="grace", domain="coding"),
            Scope(tenant="acme", user_id="ada", domain="hiring"),
        ],
    )
    async def test_nothing_is_completed_from_elsewhere(self, store: Store, scope: Scope) -> None:
        note, again = a_context("ctx_1"), a_sighting("ctx_1")
        await keep(store, contexts=(note,), sightings=(again,), users=(a_user(),))
        with pytest.raises(LinealError):
            await keep(store, scope, completed=Completed(contexts=(_later(note),)))
        rest = Completed(users=(_later(a_user()),), sightings=((again, _later(again)),))
        await keep(store, scope, completed=rest)
        reads = Reads(context_ids=("ctx_1",), sightings=True, user=True)
        seen = await store.read(ADA, reads)
        assert (seen.contexts, seen.user) == ({"ctx_1": note}, a_user())
        assert seen.sightings == {"ctx_1": (again,)}

    async def test_what_is_given_back_can_be_completed_by_the_same_write(
        self, store: Store
    ) -> None:
        note = a_context("ctx_1")
        await keep(store, contexts=(note,))
        held = Withholding(root="r", context_ids=("ctx_1",), until=START + HOUR)
        await keep(store, withhold=held)
        await keep(store, restore=("ctx_1",), completed=Completed(contexts=(_later(note),)))
        seen = await store.read(ADA, Reads(context_ids=("ctx_1",)))
        assert seen.contexts == {"ctx_1": _later(note)}
        assert (await store.verify()).ok


def _later(row: Any) -> Any:
    """The same with another lineage."""
    return row.model_copy(update={"lineage": LATER})


def _used(child_id: str, parent_id: str, revision: int = 1) -> Edge:
    return Edge(
        child_id=child_id,
        revision=revision,
        parent_id=parent_id,
        relation=Relation.USED,
        basis=Basis.OBSERVED,
    )


async def _end(store: Store, clock: ManualClock, how: str) -> None:
    if how == "forgotten":
        await keep(store, forget=("ctx_1",))
    elif how == "withheld":
        held = Withholding(root="r", context_ids=("ctx_1",), until=START + HOUR)
        await keep(store, withhold=held)
    else:
        clock.advance(hours=1)
    if how == "swept":
        await store.sweep()


async def _complete(store: Store, **late: Any) -> None:
    await keep(store, completed=Completed(**late))


async def _refused(store: Store, also: dict[str, Any] | None = None, **late: Any) -> None:
    with pytest.raises(LinealError) as raised:
        await keep(store, completed=Completed(**late), **(also or {}))
    assert raised.value.code is ErrorCode.CONFLICT
