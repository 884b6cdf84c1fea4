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
    ObservedLineage,
    Relation,
)
from lineal.policy.provenance import READS_MAX, agent_source, brief, edges_of, joined, observed

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
