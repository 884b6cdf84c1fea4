"""Two accounts of one write, joined; and the graph's edges."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.models.lineage import (
    Basis,
    DeclaredLineage,
    Edge,
    Evidence,
    Lineage,
    ModelSeen,
    ObservedLineage,
    Relation,
    ToolCall,
)
from lineal.policy.provenance import (
    CALLS_TOLD_MAX,
    READS_MAX,
    agent_source,
    asked_of,
    basis_of,
    brief,
    completed,
    edges_of,
    inherited,
    joined,
    observed,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

IDS = st.lists(st.sampled_from([f"ctx_{n}" for n in range(8)]), max_size=6).map(tuple)
SAID = st.builds(
    DeclaredLineage,
    source_ids=st.none() | IDS,
    derived_from=st.none() | IDS,
    tool_calls=st.none() | IDS,
    confidence=st.none() | st.floats(min_value=0, max_value=1),
    model_version=st.none() | st.sampled_from(["opus", "haiku"]),
)
SEEN = st.builds(
    ObservedLineage,
    source_ids=IDS,
    tool_calls=IDS,
    model_version=st.none() | st.sampled_from(["opus", "sonnet"]),
    agent_source=st.none() | st.just("claude-code/2.1.330"),
)


def test_what_the_request_shows_is_observed() -> None:
    """L1, L2"""
    seen = observed(
        Evidence(
            tool="append_context",
            client_name="claude-code",
            client_version="2.1.330",
            tool_use_id="toolu_1",
            session_id="s1",
            traceparent="00-1-1-01",
            read_ids=("ctx_1", "ctx_2"),
        )
    )
    assert seen == ObservedLineage(
        agent_source="claude-code/2.1.330",
        tool_calls=("append_context:toolu_1",),
        calls=(ToolCall(id="toolu_1", tool="append_context"),),
        source_ids=("ctx_1", "ctx_2"),
        session_id="s1",
        traceparent="00-1-1-01",
    )


def test_a_call_without_an_id_is_named_by_its_tool() -> None:
    """L3: the call was seen, its id was not."""
    assert observed(Evidence(tool="append_context")).tool_calls == ("append_context",)


@pytest.mark.parametrize(
    ("name", "version", "source"),
    [
        ("cursor", "1.2", "cursor/1.2"),
        ("cursor", None, "cursor"),
        (None, "1.2", None),
        (None, None, None),
        ("", "1.2", None),
    ],
)
def test_who_called_is_said_or_unknown_and_never_guessed(
    name: str | None, version: str | None, source: str | None
) -> None:
    """L3"""
    evidence = Evidence(tool="t", client_name=name, client_version=version)
    assert agent_source(evidence) == source


def test_only_the_latest_reads_stand_as_sources() -> None:
    """L4"""
    reads = tuple(f"ctx_{n}" for n in range(READS_MAX + 5))
    assert observed(Evidence(tool="t", read_ids=reads)).source_ids == reads[5:]


def test_a_memory_is_no_source_of_itself() -> None:
    """L4"""
    evidence = Evidence(tool="t", read_ids=("ctx_1", "ctx_2", "ctx_3"))
    assert observed(evidence, of="ctx_2").source_ids == ("ctx_1", "ctx_3")


def test_observed_wins_and_both_are_kept() -> None:
    """L2"""
    said = DeclaredLineage(model_version="gpt-9", confidence=0.5, source_ids=("ctx_2", "ctx_1"))
    seen = ObservedLineage(
        model_version="opus", source_ids=("ctx_1",), tool_calls=("append_context",)
    )
    lineage = joined(said, seen, NOW)
    assert lineage.model_version == "opus"
    assert lineage.source_ids == ("ctx_1", "ctx_2")
    assert lineage.confidence == 0.5
    assert lineage.declared == said
    assert lineage.observed == seen


def test_what_nobody_said_or_saw_stays_unknown() -> None:
    """L3"""
    lineage = joined(None, ObservedLineage(), NOW)
    assert lineage == Lineage(created_at=NOW, observed=ObservedLineage())
    assert (lineage.confidence, lineage.model_version, lineage.agent_source) == (None,) * 3
    assert lineage.declared is None


@given(said=st.none() | SAID, seen=SEEN)
def test_joining_loses_nothing_repeats_nothing_and_invents_nothing(
    said: DeclaredLineage | None, seen: ObservedLineage
) -> None:
    """L2, L3"""
    lineage = joined(said, seen, NOW)
    told = said or DeclaredLineage()
    assert set(lineage.source_ids) == {*seen.source_ids, *(told.source_ids or ())}
    assert set(lineage.tool_calls) == {*seen.tool_calls, *(told.tool_calls or ())}
    assert set(lineage.derived_from) == set(told.derived_from or ())
    assert len(set(lineage.source_ids)) == len(lineage.source_ids)
    assert lineage.model_version == (seen.model_version or told.model_version)
    assert (lineage.declared, lineage.observed) == (said, seen)
    stored = lineage.model_dump_json()
    assert Lineage.model_validate_json(stored).model_dump_json() == stored


def test_a_read_is_used_and_only_what_is_declared_is_derived() -> None:
    """L4"""
    said = DeclaredLineage(derived_from=("ctx_1",), source_ids=("ctx_2",))
    seen = ObservedLineage(source_ids=("ctx_1", "ctx_3"))
    edges = {(e.parent_id, e.relation, e.basis) for e in edges_of("ctx_9", 2, said, seen)}
    assert edges == {
        ("ctx_1", Relation.USED, Basis.OBSERVED),
        ("ctx_3", Relation.USED, Basis.OBSERVED),
        ("ctx_2", Relation.USED, Basis.DECLARED),
        ("ctx_1", Relation.WAS_DERIVED_FROM, Basis.DECLARED),
    }


def test_an_edge_that_was_seen_and_said_counts_as_seen() -> None:
    """L2"""
    said = DeclaredLineage(source_ids=("ctx_1",))
    seen = ObservedLineage(source_ids=("ctx_1",))
    assert edges_of("ctx_9", 1, said, seen) == (
        Edge(
            child_id="ctx_9",
            revision=1,
            parent_id="ctx_1",
            relation=Relation.USED,
            basis=Basis.OBSERVED,
        ),
    )


@given(said=st.none() | SAID, seen=SEEN)
def test_nothing_rests_on_itself_and_no_edge_comes_twice(
    said: DeclaredLineage | None, seen: ObservedLineage
) -> None:
    edges = edges_of("ctx_3", 4, said, seen)
    assert all(e.child_id == "ctx_3" and e.revision == 4 for e in edges)
    assert all(e.parent_id != "ctx_3" for e in edges)
    assert len({(e.parent_id, e.relation) for e in edges}) == len(edges)
    lineage = joined(said, seen, NOW)
    parents = {*lineage.source_ids, *lineage.derived_from} - {"ctx_3"}
    assert {e.parent_id for e in edges} == parents


def test_a_hit_says_what_is_known_of_its_lineage_and_nothing_that_isnt() -> None:
    """L3"""
    assert brief(joined(None, ObservedLineage(), NOW)) == {}
    said = DeclaredLineage(model_version="opus", confidence=0.0, tool_calls=("Read:1",))
    seen = ObservedLineage(agent_source="cursor/1", tool_calls=("append_context",))
    assert brief(joined(said, seen, NOW)) == {
        "agent_source": "cursor/1",
        "model_version": "opus",
        "confidence": 0.0,
        "tool_calls": ("append_context", "Read:1"),
        "declared": ["confidence", "model_version"],
    }


# What is known later.

CALL = ToolCall(id="t1", tool="append_context", input_hash="0" * 32)
CALLED = Evidence(
    tool="append_context",
    client_name="claude-code",
    client_version="2.1",
    tool_use_id="t1",
    input_hash="0" * 32,
    session_id="s1",
    entrypoint="cli",
    traceparent="00-1-1-01",
    read_ids=("ctx_1", "ctx_2"),
    calls=(ToolCall(id="r1", tool="Read"), CALL),
    model_version="opus",
    model_seen=ModelSeen.HOOK,
    prompt_id="p1",
    agent_id="a1",
    agent_type="Explore",
)


def a_lineage(evidence: Evidence, said: DeclaredLineage | None = None) -> Lineage:
    return joined(said, observed(evidence), NOW, awaits=evidence.awaits)


def test_what_is_asked_of_later_is_all_that_was_seen() -> None:
    assert asked_of(observed(CALLED)) == CALLED


@pytest.mark.parametrize("seen", [ObservedLineage(), observed(Evidence(tool="append_context"))])
def test_of_a_call_without_a_name_nothing_can_be_asked(seen: ObservedLineage) -> None:
    assert asked_of(seen) is None


@given(said=st.none() | SAID)
def test_what_is_known_already_changes_nothing(said: DeclaredLineage | None) -> None:
    lineage = a_lineage(CALLED, said)
    assert completed(lineage, CALLED) == lineage


@given(said=st.none() | SAID)
def test_completing_twice_is_completing_once(said: DeclaredLineage | None) -> None:
    lineage = a_lineage(Evidence(tool="append_context", tool_use_id="t1", awaits=True), said)
    whole = completed(lineage, CALLED)
    assert completed(whole, CALLED) == whole
    assert whole.declared == said


def test_later_evidence_fills_in_and_what_else_was_known_stays() -> None:
    begun = Evidence(tool="append_context", client_name="cursor", tool_use_id="t1", awaits=True)
    said = DeclaredLineage(model_version="said", confidence=0.5)
    lineage = a_lineage(begun, said).model_copy(update={"extractor": "rules.v1"})
    whole = completed(lineage, CALLED)
    assert (lineage.awaits, whole.awaits) == (True, False)
    assert (lineage.model_version, whole.model_version) == ("said", "opus")
    assert whole.tool_calls == ("Read:r1", "append_context:t1")
    assert (whole.agent_source, whole.confidence, whole.extractor) == ("cursor", 0.5, "rules.v1")
    assert whole.created_at == lineage.created_at
    still = completed(lineage, CALLED.model_copy(update={"awaits": True}))
    assert still == whole.model_copy(update={"awaits": True})


def test_reads_that_were_only_supposed_are_taken_back_and_what_was_said_stays() -> None:
    """L4"""
    lineage = a_lineage(CALLED, DeclaredLineage(source_ids=("ctx_2", "ctx_9")))
    assert lineage.source_ids == ("ctx_1", "ctx_2", "ctx_9")
    whole = completed(lineage, CALLED.model_copy(update={"read_ids": ()}))
    assert whole.source_ids == ("ctx_2", "ctx_9")


def test_a_memory_is_no_source_of_itself_later_either() -> None:
    """L4"""
    whole = completed(a_lineage(CALLED), CALLED, of="ctx_2")
    assert whole.source_ids == ("ctx_1",)


def test_names_of_calls_are_kept_of_which_no_more_was_kept() -> None:
    calls = tuple(ToolCall(id=f"r{n}", tool="Read") for n in range(CALLS_TOLD_MAX + 4))
    lineage = a_lineage(CALLED.model_copy(update={"calls": (*calls, CALL), "awaits": True}))
    assert lineage.observed is not None
    assert len(lineage.observed.calls) == CALLS_TOLD_MAX
    asked = asked_of(lineage.observed)
    assert asked is not None
    assert completed(lineage, asked).tool_calls == lineage.tool_calls
    others = completed(lineage, CALLED).tool_calls
    assert others == ("Read:r1", "append_context:t1")


def test_a_later_revision_rests_on_the_same_but_was_not_made_the_same_way() -> None:
    said = DeclaredLineage(
        source_ids=("doc:1",),
        derived_from=("doc:2",),
        confidence=0.5,
        tool_calls=("Read:1",),
        model_version="opus",
    )
    kept = DeclaredLineage(source_ids=("doc:1",), derived_from=("doc:2",), confidence=0.5)
    assert inherited(said) == kept
    assert inherited(None) is None


def test_each_known_value_says_how_it_is_known() -> None:
    assert basis_of(Lineage(created_at=NOW)) == {}
    assert basis_of(a_lineage(CALLED)) == dict.fromkeys(
        ("agent_source", "model_version", "tool_calls", "source_ids"), Basis.OBSERVED
    )
    said = DeclaredLineage(
        source_ids=("doc:1",), derived_from=(), confidence=0.0, tool_calls=("Read:1",)
    )
    seen = ObservedLineage(tool_calls=("append_context",))
    assert basis_of(joined(said, seen, NOW)) == {
        "tool_calls": Basis.OBSERVED,
        "source_ids": Basis.DECLARED,
        "confidence": Basis.DECLARED,
    }


@given(said=st.none() | SAID, seen=SEEN)
def test_a_basis_is_given_for_what_is_known_and_for_nothing_else(
    said: DeclaredLineage | None, seen: ObservedLineage
) -> None:
    lineage = joined(said, seen, NOW)
    known = {name for name in Lineage.model_fields if getattr(lineage, name) not in (None, ())}
    aside = {"created_at", "awaits", "declared", "observed"}
    assert basis_of(lineage).keys() == known - aside
