"""What an append, an upsert and an update decide, over snapshots made by hand."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from lineal.engine.backend import GRACE
from lineal.engine.forgetting import forget
from lineal.engine.ingest import RETRY, Text, append, update
from lineal.engine.rows import Reading, present
from lineal.engine.upserting import upsert
from lineal.errors import ErrorCode, LinealError
from lineal.models.changes import Changes, Fingerprint, Life, Plan, Scope, Snapshot, Stamp, Task
from lineal.models.claim import Claim, Provenance, ValueSource
from lineal.models.context import (
    AppendAnswer,
    AppendContext,
    Context,
    ContextAnswer,
    ForgetContext,
    MemoryType,
    UpdateContext,
)
from lineal.models.lineage import DeclaredLineage, Evidence, Lineage
from lineal.models.schema import Schema
from lineal.models.user import Head, HeadInfo, UpsertUser, UserAnswer, UserRow
from lineal.policy.deriving import derived
from lineal.policy.merging import soft_text
from lineal.policy.refreshing import WINDOW
from lineal.ports.extractor import Extracted, Extraction
from lineal.testing.samples import ADA, START, a_context, a_user

from .claims_said import SCHEMA, at, fields_of, read, stated

HEAD = Head(name="coding", version="tests.v1", vector=(1.0, 0.0))
FRESH = HeadInfo(dim=2, version="tests.v1")
STALE = HeadInfo(dim=2, version="tests.v1", stale=True)
TEXT = "I write Python with ruff."


def find(field: str, value: Any, *, taken_back: bool = False) -> Extraction:
    return Extraction(field=field, value=value, span=(0, 6), confidence=0.9, denied=taken_back)


def heard(
    *finds: Extraction,
    context_id: str = "ctx_new",
    head_of: str | None = None,
    again: bool = False,
    **reading: Any,
) -> Text:
    """What was made of a text; head_of: the soft text that a head was prepared for."""
    extracted = Extracted(finds=finds, model_version="rules.v1", again=again)
    head = HEAD if head_of else None
    base: dict[str, Any] = {"schema_": SCHEMA, "extracted": extracted, "context_id": context_id}
    made = Reading(**{**base, "soft_text": head_of, "head": head, **reading})
    return Text(made, Fingerprint(content_key="k"))


def stamp(verb: str = "append_context", **values: Any) -> Stamp:
    return Stamp(scope=ADA, evidence=Evidence(tool=verb), **values)


def row(heads: dict[str, HeadInfo] | None = None, **said: Any) -> UserRow:
    fields = fields_of(**said)
    return a_user(fields=fields, derived=derived(SCHEMA, fields, {}, START), heads=heads or {})


def seen(user: UserRow | None = None, now: datetime = START, **values: Any) -> Snapshot:
    return Snapshot(now=now, user=user, **values)


def appended(
    snapshot: Snapshot, text: Text, life: Life | None = None, **values: Any
) -> Plan[AppendAnswer]:
    request = AppendContext(**{"content": TEXT, **values})
    return append(snapshot, stamp(), request, life or Life(), text)


def upserted(
    snapshot: Snapshot, text: Text, life: Life | None = None, **values: Any
) -> Plan[UserAnswer]:
    return upsert(snapshot, stamp("upsert_user"), UpsertUser(**values), life or Life(), text)


def updated(
    context: Context, user: UserRow | None, text: Text | None, life: Life, **values: Any
) -> Plan[ContextAnswer]:
    request = UpdateContext(context_id=context.context_id, **values)
    snapshot = seen(user, contexts={context.context_id: context})
    return update(snapshot, stamp("update_context"), request, life, text)


KEEP = Life(keep=True)


def new_row(changes: Changes) -> UserRow:
    (after,) = changes.users
    return after


def kinds(tasks: tuple[Task, ...]) -> list[tuple[str, datetime]]:
    return [(task.kind, task.due_at) for task in tasks]


def provenance(changes: Changes, name: str) -> Provenance:
    return Provenance.of(new_row(changes).fields[name])


# ---- appending


def test_an_append_writes_context_row_lineage_and_fingerprint_together() -> None:
    """A3, A4, A5, E4"""
    plan = appended(
        seen(row(editor=(read("vim"),))), heard(find("tools", "ruff")), occurred_at=at(1)
    )
    (context,) = plan.changes.contexts
    assert context.content == TEXT
    assert plan.changes.fingerprints.keys() == {"ctx_new"}
    after = new_row(plan.changes)
    assert (after.revision, after.lineage.tool_calls) == (2, ("append_context",))
    assert UserAnswer.of(after).fields == {"editor": "vim", "tools": ["ruff"]}
    assert plan.answer.fields_updated == ("stack", "tools")
    (claim,) = after.fields["tools"].claims
    assert (claim.context_id, claim.occurred_at, claim.recorded_at) == ("ctx_new", at(1), START)
    assert (claim.origin, claim.span, claim.model_version) == ("append", (0, 6), "rules.v1")


def test_what_read_a_text_is_named_in_the_answer_and_in_the_lineage() -> None:
    plan = appended(seen(row()), heard(find("tools", "ruff")))
    assert plan.answer.extractor == "rules.v1"
    assert plan.answer.lineage.extractor == "rules.v1"
    assert new_row(plan.changes).lineage.extractor == "rules.v1"


def test_what_found_nothing_is_not_in_the_lineage() -> None:
    """L3: it read no value; the answer still says what looked."""
    plan = appended(seen(row()), heard())
    assert (plan.answer.extractor, plan.answer.lineage.extractor) == ("rules.v1", None)
    assert plan.changes.users == ()


def test_an_append_for_an_unknown_user_is_refused() -> None:
    """A2"""
    with pytest.raises(LinealError, match="Call upsert_user first") as refused:
        appended(seen(), heard(find("tools", "ruff")))
    assert refused.value.code is ErrorCode.NOT_FOUND


def test_a_repetition_for_a_user_who_has_ended_is_refused() -> None:
    """A2, U16: texts may outlive the row."""
    original = a_context("ctx_old", content=TEXT)
    with pytest.raises(LinealError, match="Call upsert_user first"):
        appended(seen(alike=(original,)), heard())


def test_the_default_user_is_made_at_first_use() -> None:
    """A1"""
    request = AppendContext(content=TEXT)
    plan = append(seen(), stamp(provision=True), request, Life(), heard(find("tools", "ruff")))
    after = new_row(plan.changes)
    assert (after.revision, after.fields["tools"].value) == (1, ["ruff"])


def test_a_user_who_is_known_is_left_alone_by_a_text_that_nobody_reads() -> None:
    blank = Reading(schema_=Schema(domain="coding", version=0), context_id="ctx_new")
    plan = appended(seen(known=True), Text(blank, Fingerprint(content_key="k")))
    assert (plan.changes.users, plan.answer.fields_updated) == ((), ())
    assert len(plan.changes.contexts) == 1


def test_what_the_schema_does_not_take_was_not_meant() -> None:
    text = heard(find("years", "many"), find("years", -1), find("level", "x"), find("shoe", "x"))
    assert appended(seen(row()), text).changes.users == ()


def test_one_text_counts_once_however_often_it_says_the_same() -> None:
    """So that forgetting it leaves what another text said too."""
    text = heard(*[find("tools", "ruff")] * 9)
    after = new_row(appended(seen(row(tools=(read("ruff"),))), text).changes)
    assert [claim.context_id for claim in after.fields["tools"].claims] == ["ctx_1", "ctx_new"]


def test_what_one_text_says_last_of_a_value_stands() -> None:
    said = (find("editor", "vim"), find("editor", "vim", taken_back=True), find("editor", "vim"))
    assert new_row(appended(seen(row()), heard(*said)).changes).fields["editor"].value == "vim"
    plan = appended(seen(row()), heard(*said[:2]))
    assert plan.answer.fields_updated == ()
    assert new_row(plan.changes).fields["editor"].value is None


def test_a_list_whose_newest_stands_is_one_claim_of_all_its_members() -> None:
    plan = appended(seen(row()), heard(*(find("ranking", name) for name in "aba")))
    (claim,) = new_row(plan.changes).fields["ranking"].claims
    assert claim.value == ["a", "b"]


def test_a_denial_takes_a_value_out_and_says_which_field_moved() -> None:
    """A5"""
    before = row(tools=(read("uv"), read("ruff")))
    plan = appended(seen(before), heard(find("tools", "uv", taken_back=True)), occurred_at=at(1))
    assert plan.answer.fields_updated == ("stack", "tools")
    assert UserAnswer.of(new_row(plan.changes)).fields == {"tools": ["ruff"]}


def test_what_contradicts_the_client_is_kept_as_a_conflict() -> None:
    """A12"""
    plan = appended(seen(row(editor=(stated("vim"),))), heard(find("editor", "emacs")))
    assert plan.answer.fields_updated == ()
    found = provenance(plan.changes, "editor")
    assert (found.value, found.source) == ("vim", ValueSource.STATED)
    assert [(one.value, one.context_id) for one in found.conflicts] == [("emacs", "ctx_new")]


def test_an_older_event_moves_nothing_and_is_remembered() -> None:
    """A10"""
    plan = appended(seen(row(editor=(read("vim", 2),))), heard(find("editor", "emacs")))
    assert plan.answer.fields_updated == ()
    assert len(new_row(plan.changes).fields["editor"].claims) == 2


def test_a_better_extractor_that_could_not_be_asked_is_asked_later() -> None:
    plan = appended(seen(row()), heard(again=True))
    (task,) = plan.changes.tasks
    assert (task.kind, task.context_id, task.due_at) == ("extract", "ctx_new", START + RETRY)


# ---- heads


def test_a_head_that_was_foreseen_is_kept_with_the_row() -> None:
    """A6"""
    plan = appended(seen(row()), heard(find("preferences", "tabs"), head_of="tabs"))
    assert plan.answer.embeddings_refreshed
    assert plan.changes.heads == (HEAD,)
    after = new_row(plan.changes)
    assert (after.heads, after.refreshed_at) == ({"coding": FRESH}, (START,))
    assert plan.changes.tasks == ()


def test_a_head_of_another_text_than_the_merge_gave_is_not_used() -> None:
    """Another write came between."""
    before = row({"coding": FRESH}, preferences=(read("spaces"),))
    plan = appended(seen(before), heard(find("preferences", "tabs"), head_of="tabs"))
    assert (plan.answer.embeddings_refreshed, plan.changes.heads) == (False, ())
    assert new_row(plan.changes).heads == {"coding": STALE}
    assert kinds(plan.changes.tasks) == [("head", START)]


def test_over_the_limit_fields_merge_and_the_head_is_left_to_be_made() -> None:
    """A8"""
    before = row({"coding": FRESH}).model_copy(update={"refreshed_at": (START,)})
    text = heard(find("preferences", "tabs"), head_of="tabs", per_minute=1)
    plan = appended(seen(before, at(0.01)), text)
    assert plan.answer.fields_updated == ("preferences", "stack")
    assert not plan.answer.embeddings_refreshed
    assert new_row(plan.changes).heads == {"coding": STALE}
    assert kinds(plan.changes.tasks) == [("head", START + WINDOW)]


def test_the_next_allowed_write_makes_the_head_and_the_task_is_done() -> None:
    """A8"""
    before = row({"coding": STALE}).model_copy(update={"refreshed_at": (START,)})
    text = heard(find("preferences", "tabs"), head_of="tabs", per_minute=1)
    plan = appended(seen(before, START + WINDOW), text)
    assert plan.answer.embeddings_refreshed
    assert new_row(plan.changes).heads == {"coding": FRESH}
    assert [task.kind for task in plan.changes.done] == ["head"]


def test_a_stale_head_made_now_is_no_refresh_where_no_soft_field_changed() -> None:
    """A6: both are needed."""
    before = row({"coding": STALE}, preferences=(read("tabs"),))
    plan = appended(seen(before), heard(find("preferences", "tabs"), head_of="tabs"))
    assert plan.changes.heads == (HEAD,)
    assert (plan.answer.fields_updated, plan.answer.embeddings_refreshed) == ((), False)


def test_a_hard_field_alone_touches_no_head() -> None:
    """A6"""
    plan = appended(seen(row({"coding": FRESH})), heard(find("tools", "uv")))
    assert (plan.changes.heads, plan.changes.tasks) == ((), ())
    assert new_row(plan.changes).heads == {"coding": FRESH}


def test_without_an_embedder_nothing_is_left_to_do_and_an_old_head_is_stale() -> None:
    text = heard(find("preferences", "tabs"), heads=False)
    plan = appended(seen(row({"coding": FRESH})), text)
    assert plan.changes.tasks == ()
    assert new_row(plan.changes).heads == {"coding": STALE}


def test_a_head_of_nothing_is_gone() -> None:
    before = row({"coding": FRESH}, values_text=(read("Honesty."),))
    text = heard(find("values_text", "Honesty.", taken_back=True))
    plan = appended(seen(before), text, occurred_at=at(1))
    assert new_row(plan.changes).heads == {}
    assert plan.changes.tasks == ()


# ---- the same content again


def repeated(
    original: Context, user: UserRow, life: Life, now: datetime = START, text: Text | None = None
) -> Plan[AppendAnswer]:
    snapshot = seen(user, now, alike=(original,))
    return appended(snapshot, text or heard(find("tools", "ruff")), life, source="chat")


def test_the_same_content_is_applied_once_and_the_sighting_is_kept() -> None:
    """A7"""
    old = row(tools=(read("ruff", 0, "ctx_old"),))
    plan = repeated(a_context("ctx_old", content=TEXT.upper()), old, Life(), at(1))
    assert (plan.answer.context_id, plan.answer.duplicate_of) == ("ctx_old", "ctx_old")
    assert (plan.answer.fields_updated, plan.answer.embeddings_refreshed) == ((), False)
    (sighting,) = plan.changes.sightings
    assert (sighting.context_id, sighting.source) == ("ctx_old", "chat")
    assert (sighting.occurred_at, sighting.recorded_at) == (at(1), at(1))
    assert plan.changes == Changes(sightings=(sighting,))


def test_what_the_row_says_no_more_is_read_again_from_the_same_content() -> None:
    """A7: a replacing upsert took it out, or the row had ended."""
    plan = repeated(a_context("ctx_old", content=TEXT), row(), Life(), at(1))
    assert plan.answer.duplicate_of == "ctx_old"
    assert plan.answer.fields_updated == ("stack", "tools")
    (claim,) = new_row(plan.changes).fields["tools"].claims
    assert claim.context_id == "ctx_old"


def test_an_event_of_years_to_come_stops_nobody_from_being_believed() -> None:
    """A10: a slip in a date would lock a field for good."""
    plan = appended(seen(row()), heard(find("tools", "ruff")), occurred_at=at(24 * 10_000))
    (claim,) = new_row(plan.changes).fields["tools"].claims
    assert claim.occurred_at == START
    (context,) = plan.changes.contexts
    assert context.occurred_at == at(24 * 10_000)


def test_other_content_is_another_context() -> None:
    """A7"""
    others = (a_context("ctx_old", content="I write Python with mypy."),)
    plan = appended(seen(row(), alike=others), heard())
    assert (plan.answer.context_id, plan.answer.duplicate_of) == ("ctx_new", None)


@pytest.mark.parametrize(
    ("ends_after_s", "asked_s", "lives_s"),
    [(60, 3_600, 3_600), (60, None, None), (3_600, 60, 3_600), (None, 60, None), (60, 60, 60)],
)
def test_a_repetition_lengthens_a_life_and_never_shortens_it(
    ends_after_s: int | None, asked_s: int | None, lives_s: int | None
) -> None:
    """A7"""

    def end(seconds: int | None) -> datetime | None:
        return None if seconds is None else START + timedelta(seconds=seconds)

    original = a_context("ctx_old", content=TEXT, expires_at=end(ends_after_s))
    plan = repeated(original, row(), Life(seconds=asked_s))
    assert plan.answer.expires_at == end(lives_s)
    assert [context.revision for context in plan.changes.contexts] == (
        [2] if lives_s != ends_after_s else []
    )


def test_what_a_text_said_lives_as_long_as_the_text_that_is_repeated() -> None:
    """A7, T1"""
    before = row(tools=(read("ruff", 0, "ctx_old", expires_at=at(1)),))
    original = a_context("ctx_old", content=TEXT, expires_at=at(1))
    plan = repeated(original, before, Life(seconds=36_000))
    after = new_row(plan.changes)
    assert present(SCHEMA, after, at(2)) == after
    assert "tools" not in present(SCHEMA, after, at(10)).fields


def test_a_lengthened_original_keeps_who_read_it_and_what_it_was_derived_from() -> None:
    """L1, N17: nothing else was declared."""
    declared = DeclaredLineage(derived_from=("ctx_0",))
    lineage = Lineage(created_at=START, extractor="llm", declared=declared, derived_from=("ctx_0",))
    original = a_context("ctx_old", content=TEXT, expires_at=at(1), lineage=lineage)
    (kept,) = repeated(original, row(), Life()).changes.contexts
    assert (kept.lineage.extractor, kept.lineage.derived_from) == ("llm", ("ctx_0",))
    assert kept.lineage.created_at == START


def test_what_a_lengthening_repetition_declares_is_in_the_graph() -> None:
    """L5"""
    original = a_context("ctx_old", content=TEXT, expires_at=at(1))
    request = AppendContext(content=TEXT, lineage=DeclaredLineage(derived_from=("ctx_0",)))
    plan = append(seen(row(), alike=(original,)), stamp(), request, Life(), heard())
    (edge,) = plan.changes.edges
    assert (edge.child_id, edge.parent_id, edge.revision) == ("ctx_old", "ctx_0", 2)


def test_a_head_that_a_repetition_makes_is_kept_with_its_row() -> None:
    """A row never names a vector that isn't there."""
    before = row({"coding": STALE}, preferences=(read("tabs", 0, "ctx_old", expires_at=at(1)),))
    original = a_context("ctx_old", content=TEXT, expires_at=at(1))
    text = heard(find("preferences", "tabs"), head_of="tabs")
    plan = repeated(original, before, Life(), text=text)
    assert new_row(plan.changes).heads == {"coding": FRESH}
    assert plan.changes.heads == (HEAD,)


# ---- values whose contexts end


def test_a_value_of_a_text_that_ends_is_taken_out_then() -> None:
    """T1"""
    plan = appended(seen(row()), heard(find("tools", "uv")), Life(seconds=3_600))
    assert kinds(plan.changes.tasks) == [("ended", at(1))]
    after = new_row(plan.changes)
    assert present(SCHEMA, after, at(0.99)) is after
    gone = present(SCHEMA, after, at(1))
    assert (gone.fields, gone.derived) == ({}, {})


def test_a_value_that_ends_leaves_its_head_stale() -> None:
    """T1: no match by what has ended, once somebody looks."""
    before = row({"coding": FRESH}, preferences=(read("tabs", expires_at=at(1)),))
    assert present(SCHEMA, before, at(1)).heads == {"coding": STALE}
    hard = row({"coding": FRESH}, tools=(read("uv", expires_at=at(1)),))
    assert present(SCHEMA, hard, at(1)).heads == {"coding": FRESH}


def test_a_value_that_ended_is_not_reported_as_moved_by_the_next_write() -> None:
    """A5"""
    before = row(editor=(read("vim", expires_at=at(1)),))
    plan = appended(seen(before, at(2)), heard(find("tools", "uv")))
    assert plan.answer.fields_updated == ("stack", "tools")
    assert "editor" not in new_row(plan.changes).fields


def test_taking_out_what_ended_is_never_put_off_by_a_later_write() -> None:
    """T2: the row's past has it still."""
    before = row(editor=(read("vim", expires_at=at(1)),))
    for now in (at(0), at(2)):
        plan = appended(seen(before, now), heard(find("tools", "uv")), Life(seconds=36_000))
        assert plan.changes.tasks == ()
    sooner = appended(seen(before), heard(find("tools", "uv")), Life(seconds=60))
    assert kinds(sooner.changes.tasks) == [("ended", START + timedelta(minutes=1))]


# ---- updating


def test_a_changed_text_says_the_new_instead_of_the_old() -> None:
    """N22"""
    before = row(tools=(read("uv", 0, "ctx_7"), read("ruff")))
    text = heard(find("editor", "vim"), context_id="ctx_7")
    plan = updated(a_context("ctx_7"), before, text, KEEP, content="Now I use vim.")
    assert UserAnswer.of(new_row(plan.changes)).fields == {"editor": "vim", "tools": ["ruff"]}
    assert plan.changes.fingerprints == {"ctx_7": text.fingerprint}
    assert plan.answer.lineage.extractor == "rules.v1"


def test_a_changed_text_of_an_upsert_stays_the_upserts() -> None:
    """U7: the next upsert still replaces it."""
    before = row(tools=(read("uv", 0, "ctx_7", origin="upsert"),))
    text = heard(find("tools", "ruff"), context_id="ctx_7")
    plan = updated(a_context("ctx_7"), before, text, KEEP, content="Now I use ruff.")
    (claim,) = new_row(plan.changes).fields["tools"].claims
    assert (claim.value, claim.origin) == ("ruff", "upsert")


def test_the_same_text_sent_again_changes_no_row() -> None:
    before = row(tools=(read("uv", 0, "ctx_7"),))
    context = a_context("ctx_7")
    text = heard(find("editor", "vim"), context_id="ctx_7", again=True)
    plan = updated(context, before, text, KEEP, content=context.content)
    assert (plan.changes.users, plan.changes.fingerprints, plan.changes.tasks) == ((), {}, ())


def test_what_read_a_text_is_still_named_after_another_change() -> None:
    """L1"""
    lineage = Lineage(created_at=START, extractor="rules.v1")
    plan = updated(a_context("ctx_7", lineage=lineage), row(), None, KEEP, title="A title")
    assert plan.answer.lineage.extractor == "rules.v1"


def test_a_text_in_which_nothing_is_found_any_more_names_no_reader() -> None:
    """L3"""
    context = a_context("ctx_7", lineage=Lineage(created_at=START, extractor="rules.v1"))
    plan = updated(context, row(), heard(context_id="ctx_7"), KEEP, content="Nothing of note.")
    assert plan.answer.lineage.extractor is None


def test_a_changed_life_is_its_values_life_too() -> None:
    """N11, T1"""
    before = row(tools=(read("uv", 0, "ctx_7"),))
    text = Text(Reading(schema_=SCHEMA, context_id="ctx_7"), Fingerprint(content_key=""))
    plan = updated(a_context("ctx_7"), before, text, Life(seconds=3_600), ttl_seconds=3_600)
    assert new_row(plan.changes).fields["tools"].ends_at == at(1)
    assert {("ended", at(1))} == set(kinds(plan.changes.tasks))


def test_a_text_that_is_to_end_ends_in_the_rows_past_too() -> None:
    """T2: the row doesn't tell of it any more, an earlier revision may."""
    text = Text(Reading(schema_=SCHEMA, context_id="ctx_7"), Fingerprint(content_key=""))
    plan = updated(a_context("ctx_7"), row(), text, Life(seconds=3_600), ttl_seconds=3_600)
    assert plan.changes.users == ()
    assert kinds(plan.changes.tasks) == [("ended", at(1))]


def test_a_revision_that_was_not_expected_is_refused() -> None:
    with pytest.raises(LinealError, match="at revision 1, not 2") as refused:
        updated(a_context("ctx_7"), row(), None, KEEP, title="T", expected_revision=2)
    assert refused.value.code is ErrorCode.CONFLICT


# ---- upserting


def test_what_is_stated_beats_what_is_read_and_both_are_kept() -> None:
    """U5, A12"""
    text = heard(find("editor", "emacs"), find("years", 3))
    plan = upserted(seen(), text, context=TEXT, fields={"editor": "vim"})
    assert plan.answer.fields == {"editor": "vim", "years": 3}
    assert [one.value for one in provenance(plan.changes, "editor").conflicts] == ["emacs"]


def test_an_upsert_replaces_what_upserts_set_and_keeps_what_appends_brought() -> None:
    """U7"""
    before = row(editor=(stated("vim"),), tools=(read("uv"),), years=(read(3, origin="upsert"),))
    plan = upserted(seen(before), heard(), fields={"birthplace": "Rome"})
    assert plan.answer.fields == {"birthplace": "Rome", "tools": ["uv"]}
    plan = upserted(seen(before), heard(), fields={"birthplace": "Rome"}, replace_all=True)
    assert plan.answer.fields == {"birthplace": "Rome"}


def test_a_stated_list_is_stated_member_by_member() -> None:
    """U7"""
    text = heard(find("tools", "ruff"))
    plan = upserted(
        seen(row(tools=(read("uv"),))), text, context=TEXT, fields={"tools": ["a", "b"]}
    )
    assert plan.answer.fields["tools"] == ["a", "b"]
    assert len(new_row(plan.changes).fields["tools"].claims) == 2
    assert upserted(seen(), text, fields={"tools": []}).answer.fields == {"tools": []}


def test_unknown_and_derived_keys_are_extras() -> None:
    """U6, U15"""
    plan = upserted(seen(), heard(), fields={"shoe": 44, "level": "x", "years": 9, "editor": None})
    assert (plan.answer.fields, plan.answer.extras) == ({"years": 9}, {"shoe": 44, "level": "x"})
    assert plan.answer.derived == {"level": "senior"}


def test_a_wrong_type_of_a_known_key_keeps_nothing() -> None:
    """U6"""
    with pytest.raises(LinealError) as refused:
        upserted(seen(), heard(), fields={"years": "many"})
    assert refused.value.details["field"] == "years"


def test_an_upserts_text_is_a_context_of_its_own() -> None:
    """U3, U7"""
    plan = upserted(seen(), heard(find("tools", "uv")), context=TEXT)
    (context,) = plan.changes.contexts
    assert (context.content, context.context_id) == (TEXT, "ctx_new")
    (claim,) = new_row(plan.changes).fields["tools"].claims
    assert (claim.origin, claim.context_id) == ("upsert", "ctx_new")
    assert (plan.answer.extractor, plan.answer.lineage.extractor) == ("rules.v1", "rules.v1")


def test_the_same_upsert_again_writes_no_second_context() -> None:
    """U1"""
    said: dict[str, Any] = {"context": TEXT, "fields": {"editor": "vim"}}
    first = upserted(seen(), heard(find("tools", "uv")), **said)
    (context,) = first.changes.contexts
    snapshot = seen(new_row(first.changes), at(1), alike=(context,))
    again = upserted(snapshot, heard(find("tools", "uv"), context_id="ctx_other"), **said)
    assert again.changes.contexts == ()
    assert again.answer == first.answer.model_copy(update={"last_enriched_at": at(1)})
    assert new_row(again.changes).fields == new_row(first.changes).fields
    assert new_row(again.changes).derived == new_row(first.changes).derived


def test_an_upserts_text_that_is_there_lives_as_long_as_the_row_that_cites_it() -> None:
    """A7, T1: a value never outlives its text."""
    context = a_context("ctx_old", content=TEXT, expires_at=at(1))
    before = row(editor=(read("vim", 0, "ctx_old", expires_at=at(1)),))
    snapshot = seen(before, alike=(context,))
    plan = upserted(snapshot, heard(find("tools", "uv")), context=TEXT)
    (longer,) = plan.changes.contexts
    assert (longer.context_id, longer.revision, longer.expires_at) == ("ctx_old", 2, None)
    fields = new_row(plan.changes).fields
    assert {name: field.ends_at for name, field in fields.items()} == {
        "editor": None,
        "tools": None,
    }


def test_a_repeated_upsert_that_the_better_extractor_missed_asks_it_later() -> None:
    context = a_context("ctx_old", content=TEXT)
    plan = upserted(seen(row(), alike=(context,)), heard(again=True), context=TEXT)
    assert [(task.kind, task.context_id) for task in plan.changes.tasks] == [("extract", "ctx_old")]


def test_a_row_says_when_it_was_last_enriched() -> None:
    """U14"""
    plan = upserted(seen(row(), at(3)), heard(), fields={"years": 1})
    after = new_row(plan.changes)
    assert (after.last_enriched_at, after.updated_at, after.created_at) == (at(3), at(3), START)


def test_a_row_has_the_life_that_its_upsert_asks_for() -> None:
    """U16"""
    plan = upserted(
        seen(), heard(find("tools", "uv")), Life(seconds=60), context=TEXT, memory_type="scratchpad"
    )
    end = START + timedelta(minutes=1)
    assert (plan.answer.memory_type, plan.answer.expires_at) == (MemoryType.SCRATCHPAD, end)
    assert plan.changes.contexts[0].expires_at == end


# ---- forgetting


def forgotten(user: UserRow, name: str) -> Changes:
    snapshot = seen(user, contexts={name: a_context(name)}, owners=(user,))
    request = ForgetContext(context_id=name)
    scoped = stamp("forget_context").model_copy(update={"scope": Scope(tenant="acme")})
    return forget(snapshot, scoped, request, lambda _: SCHEMA, GRACE).changes


def test_a_forgotten_text_goes_from_the_row_and_from_its_past() -> None:
    """L6"""
    changes = forgotten(row(tools=(read("uv"), read("ruff", 0, "ctx_2"))), "ctx_1")
    assert changes.forget == ("ctx_1",)
    (after,) = changes.rewritten
    assert (after.fields["tools"].value, after.derived["stack"].value) == (["ruff"], ["ruff"])


def test_a_head_of_what_was_forgotten_goes_and_is_made_again() -> None:
    changes = forgotten(
        row({"coding": FRESH}, preferences=(read("tabs"), read("dark", 0, "ctx_2"))), "ctx_1"
    )
    assert changes.rewritten[0].heads == {}
    assert kinds(changes.tasks) == [("head", START)]


def test_a_stale_head_may_be_of_what_was_forgotten() -> None:
    """The value was overwritten since, the vector not yet."""
    said: tuple[Claim, ...] = (read("Honesty."), read("Calm.", 1, "ctx_2"))
    changes = forgotten(row({"coding": STALE}, values_text=said), "ctx_1")
    assert changes.rewritten[0].heads == {}
    assert kinds(changes.tasks) == [("head", START)]


def test_a_forgotten_denial_leaves_a_head_to_be_made() -> None:
    said = (read("Honesty."), read("Honesty.", 1, "ctx_2", denied=True))
    changes = forgotten(row(values_text=said), "ctx_2")
    assert soft_text(SCHEMA, changes.rewritten[0].fields) == "Honesty."
    assert kinds(changes.tasks) == [("head", START)]


def test_a_head_that_owes_nothing_to_what_was_forgotten_stays() -> None:
    before = row({"coding": FRESH}, preferences=(read("tabs", 0, "ctx_2"),), tools=(read("uv"),))
    changes = forgotten(before, "ctx_1")
    assert (changes.rewritten[0].heads, changes.tasks) == ({"coding": FRESH}, ())
