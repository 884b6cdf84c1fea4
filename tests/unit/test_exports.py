"""A trace in other tools' formats, read back by tools that aren't ours."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import unquote

import pydot
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prov.identifier import QualifiedName
from prov.model import (
    ProvActivity,
    ProvAgent,
    ProvAssociation,
    ProvAttribution,
    ProvCommunication,
    ProvDelegation,
    ProvDerivation,
    ProvDocument,
    ProvEntity,
    ProvGeneration,
    ProvRecord,
    ProvSpecialization,
    ProvUsage,
)

from lineal.exports import names
from lineal.exports.dot import dot
from lineal.exports.drawing import Drawing, drawn
from lineal.exports.mermaid import mermaid
from lineal.exports.names import NAMESPACE
from lineal.exports.prov import prov_json
from lineal.exports.told import Revisions, calls_of, models_of, writer_of
from lineal.models.lineage import (
    Basis,
    DeclaredLineage,
    Edge,
    Lineage,
    ModelSeen,
    ObservedLineage,
    Relation,
    ToolCall,
    Trace,
    TraceNode,
)

from .traces_said import (
    BUILD,
    EXAMPLES,
    FIRST,
    FORMATS,
    NASTY,
    NOTE,
    OLD,
    REVISIONS,
    RULE,
    SECOND,
    START,
    TRACE,
    graphs,
    texts,
    tree,
)

Ends = tuple[object, ...]


def read(text: str) -> ProvDocument:
    """The document as the `prov` package understands it; a doubt of its own is an error here."""
    return ProvDocument.deserialize(content=text, format="json")


def plain(value: object) -> object:
    """A qualified name as (kind, its parts decoded); anything else as it is."""
    if not isinstance(value, QualifiedName) or value.namespace.uri != NAMESPACE:
        return str(value) if isinstance(value, QualifiedName) else value
    return tuple(unquote(part, errors="surrogatepass") for part in value.localpart.split("/"))


def of(document: ProvDocument, kind: type[ProvRecord]) -> Iterator[dict[str, object]]:
    """Attributes of the records of a kind, by their names without a prefix, and their `name`."""
    for record in document.get_records(kind):
        told = {key.localpart: plain(value) for key, value in record.attributes}
        yield {**told, "name": plain(record.identifier)}


def ends(document: ProvDocument, kind: type[ProvRecord], *names: str) -> set[Ends]:
    return {tuple(one.get(name) for name in names) for one in of(document, kind)}


def thing(trace: Trace, context_id: str) -> Ends:
    outside = any(n.context_id == context_id and n.state == "external" for n in trace.nodes)
    return ("source" if outside else "memory", context_id)


def written_as(edge: Edge) -> Ends:
    return ("revision", edge.child_id, str(edge.revision))


@pytest.mark.parametrize("name", FORMATS)
def test_a_real_trace_looks_as_the_example_does(name: str) -> None:
    """`python -m tests.unit.traces_said` writes the examples anew."""
    example = (EXAMPLES / name).read_text(encoding="utf-8")
    assert FORMATS[name](TRACE, REVISIONS) + "\n" == example


def test_each_memory_is_an_entity_and_each_source_outside_another_kind_of_one() -> None:
    entities = {one["name"]: one for one in of(read(prov_json(TRACE, REVISIONS)), ProvEntity)}
    kinds = {name: one["type"] for name, one in entities.items()}
    assert kinds["memory", RULE] == kinds["memory", NOTE] == kinds["memory", OLD] == ("Memory",)
    assert kinds["source", BUILD] == ("Source",)
    assert kinds["revision", RULE, "1"] == kinds["revision", RULE, "2"] == ("Revision",)
    assert entities["memory", RULE]["created_at"] == START
    assert entities["revision", RULE, "2"]["revision"] == 2
    assert entities["revision", RULE, "2"]["confidence"] == 0.9
    assert entities["revision", RULE, "2"]["awaits"] is True


def test_each_revision_names_its_own_call_model_and_date() -> None:
    document = read(prov_json(TRACE, REVISIONS))
    made = {one["entity"]: one for one in of(document, ProvGeneration)}
    first, second = made["revision", RULE, "1"], made["revision", RULE, "2"]
    assert (first["activity"], first["time"]) == (("call", "append_context:toolu_3"), START)
    assert second["activity"] == ("call", "update_context:toolu_9")
    models = ends(document, ProvAssociation, "activity", "agent", "role", "basis", "model_seen")
    role = ("Model",)
    opus, guess = ("model", "claude-opus-4-5"), ("model", "opus")
    haiku = ("model", "claude-haiku-4-5")
    assert (first["activity"], opus, role, "observed", "transcript") in models
    assert (first["activity"], guess, role, "declared", None) in models
    assert (second["activity"], haiku, role, "observed", "hook") in models


def test_a_later_revision_is_a_revision_of_the_earlier() -> None:
    derived = of(read(prov_json(TRACE, REVISIONS)), ProvDerivation)
    revised = [one for one in derived if one.get("type") == "prov:Revision"]
    assert [(one["generatedEntity"], one["usedEntity"]) for one in revised] == [
        (("revision", RULE, "2"), ("revision", RULE, "1"))
    ]


def test_a_sub_agent_acts_for_the_client_and_what_it_wrote_is_its_own() -> None:
    document = read(prov_json(TRACE, REVISIONS))
    client, helper = ("agent", "claude-code/2.1.330"), ("sub-agent", "s-1", "a7f3")
    call = ("call", "update_context:toolu_9")
    assert ends(document, ProvDelegation, "delegate", "responsible", "activity") == {
        (helper, client, call)
    }
    assert ends(document, ProvAttribution, "entity", "agent", "basis") >= {
        (("revision", RULE, "1"), client, "observed"),
        (("revision", RULE, "2"), helper, "observed"),
    }


def test_the_calls_before_a_write_inform_it() -> None:
    document = read(prov_json(TRACE, REVISIONS))
    first, second = ("call", "append_context:toolu_3"), ("call", "update_context:toolu_9")
    assert ends(document, ProvCommunication, "informed", "informant", "basis") == {
        (first, ("call", "Bash:toolu_1"), "observed"),
        (first, ("call", "Read:toolu_2"), "observed"),
        (second, ("call", "make test"), "declared"),
    }
    calls = {one["name"]: one for one in of(document, ProvActivity)}
    bash = calls["call", "Bash:toolu_1"]
    assert (bash["tool"], bash["label"], bash["ok"]) == ("Bash", "git", True)
    assert (bash["duration_ms"], bash["input_hash"]) == (120, "0f" * 16)


def test_a_call_without_an_id_is_an_activity_of_its_revision_alone() -> None:
    """Two calls of one tool are not one call."""
    seen = ObservedLineage(tool_calls=("Read", "append_context"))
    lineage = Lineage(created_at=START, observed=seen)
    nodes = tuple(
        TraceNode(context_id=i, state="live", depth=0, revision=1, lineage=lineage) for i in "ab"
    )
    trace = Trace(root="a", direction="both", depth=1, nodes=nodes, edges=())
    document = read(prov_json(trace, {}))
    assert ends(document, ProvGeneration, "entity", "activity") == {
        (("revision", "a", "1"), ("write", "a", "1")),
        (("revision", "b", "1"), ("write", "b", "1")),
    }
    assert ends(document, ProvCommunication, "informed", "informant") == {
        (("write", "a", "1"), ("call-before", "a", "1", "Read")),
        (("write", "b", "1"), ("call-before", "b", "1", "Read")),
    }


def test_what_nobody_knows_is_no_agent_no_model_and_no_date() -> None:
    lineage = Lineage(created_at=START)
    node = TraceNode(context_id="a", state="live", depth=0, revision=3, lineage=lineage)
    trace = Trace(root="a", direction="up", depth=1, nodes=(node,), edges=())
    document = read(prov_json(trace, {}))
    assert list(of(document, ProvAgent)) == []
    assert [one.get("time") for one in of(document, ProvGeneration)] == [None]
    assert "by unknown · model unknown · tools unknown" in tree(trace, {})
    assert drawn(trace, {}).boxes[0].lines[-3:] == ("by unknown", "model unknown", "a")


@given(graphs())
def test_a_prov_document_says_what_the_trace_says(graph: tuple[Trace, Revisions]) -> None:
    """Nothing is lost, nothing is added, whatever ids and texts hold."""
    trace, revisions = graph
    document = read(prov_json(trace, revisions))
    entities = {one["name"] for one in of(document, ProvEntity)}
    assert {one for one in entities if isinstance(one, tuple) and one[0] != "revision"} == {
        thing(trace, node.context_id) for node in trace.nodes
    }
    made = {one["entity"]: one["activity"] for one in of(document, ProvGeneration)}
    assert ends(document, ProvUsage, "activity", "entity", "basis") == {
        (made[written_as(edge)], thing(trace, edge.parent_id), edge.basis.value)
        for edge in trace.edges
        if edge.relation is Relation.USED
    }
    derived = ends(document, ProvDerivation, "generatedEntity", "usedEntity", "type", "basis")
    assert {one for one in derived if not _succeeds(one)} == {
        (written_as(edge), thing(trace, edge.parent_id), _kind(edge), edge.basis.value)
        for edge in trace.edges
        if edge.relation is not Relation.USED
    }
    whole = ends(document, ProvSpecialization, "specificEntity", "generalEntity")
    assert {one for one, _ in whole} == {one for one in entities if _is_revision(one)}


def _kind(edge: Edge) -> str | None:
    return "prov:Revision" if edge.relation is Relation.WAS_REVISION_OF else None


def _is_revision(name: object) -> bool:
    return isinstance(name, tuple) and name[0] == "revision"


def _succeeds(derived: Ends) -> bool:
    return _is_revision(derived[0]) and _is_revision(derived[1])


@given(graphs())
def test_a_prov_document_is_ascii_and_survives_another_program(
    graph: tuple[Trace, Revisions],
) -> None:
    text = prov_json(*graph)
    assert text.isascii()
    document = read(text)
    again = document.serialize(format="json")
    assert again is not None
    assert read(again) == document


@given(texts)
def test_a_name_is_valid_and_gives_the_id_back(context_id: str) -> None:
    """By PROV-N's grammar of local names, of which only plain characters are used."""
    for name in (names.memory(context_id), names.source(context_id), names.call(context_id)):
        prefix, _, local = name.partition(":")
        assert prefix == "lineal"
        assert re.fullmatch(r"[a-z-]+/([A-Za-z0-9_-]|%[0-9A-F]{2})*", local)
        assert unquote(local.partition("/")[2], errors="surrogatepass") == context_id


def test_names_of_different_things_never_meet() -> None:
    revised = names.revision("a", 1)
    assert len({revised, names.write("a", 1), names.memory("a/1"), names.memory("a")}) == 4
    assert names.helper("", "s/a") != names.helper("s", "a")


@pytest.mark.parametrize("name", FORMATS)
def test_a_memory_that_has_ended_shows_nothing_of_its_content(name: str) -> None:
    """Not even if somebody hands its revisions in."""
    gone = TraceNode(context_id=RULE, state="forgotten", depth=0, revision=2, created_at=START)
    trace = TRACE.model_copy(update={"nodes": (gone, *TRACE.nodes[1:])})
    told = FORMATS[name](trace, REVISIONS)
    assert "lock file before" not in told
    assert "cache" not in told
    assert "forgotten" in told


@pytest.mark.parametrize("name", FORMATS)
def test_equal_traces_give_equal_texts(name: str) -> None:
    again = Trace.model_validate_json(TRACE.model_dump_json())
    assert FORMATS[name](again, dict(REVISIONS)) == FORMATS[name](TRACE, REVISIONS)


# Drawings


PYDOTS_OWN = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")


@PYDOTS_OWN
@settings(max_examples=50)
@given(graphs())
def test_graphviz_reads_each_box_and_arrow_back(graph: tuple[Trace, Revisions]) -> None:
    drawing = drawn(*graph)
    read_back = graphviz(dot(*graph))
    assert labels(read_back) == {box.key: box.lines for box in drawing.boxes}
    arrows = [(one.get_source(), one.get_destination()) for one in read_back.get_edges()]
    assert sorted(arrows) == sorted((arrow.tail, arrow.head) for arrow in drawing.arrows)


@PYDOTS_OWN
@pytest.mark.parametrize("nasty", NASTY)
def test_graphviz_shows_a_nasty_label_as_it_is(nasty: str) -> None:
    node = TraceNode(context_id="a", state="live", depth=0, label=nasty, source=nasty)
    trace = Trace(root="a", direction="up", depth=1, nodes=(node,), edges=())
    assert labels(graphviz(dot(trace, {}))) == {"n0": drawn(trace, {}).boxes[0].lines}


def graphviz(text: str) -> pydot.Dot:
    parsed = pydot.graph_from_dot_data(text)
    assert parsed is not None
    return parsed[0]


def labels(graph: pydot.Dot) -> dict[str, tuple[str, ...]]:
    """Box → its lines; `node` and `edge` name what holds for all."""
    boxes = {one.get_name(): one.get("label") for one in graph.get_nodes()}
    return {key: _unquoted(str(label)) for key, label in boxes.items() if label is not None}


def _unquoted(label: str) -> tuple[str, ...]:
    """The lines of a quoted label as Graphviz shows them: it reads HTML's names of signs, too."""
    lines = re.split(r"(?<!\\)((?:\\\\)*)\\n", label[1:-1])
    whole = [*map("".join, zip(lines[::2], [*lines[1::2], ""], strict=True))]
    return tuple(unescape(re.sub(r"\\(.)", r"\1", line)) for line in whole)


LABEL = r'"((?:[^\W_]|[ ,…·→()/_-]|#[0-9]+;|<br/>)*)"'
BOX = re.compile(rf"  (n[0-9]+)(?:\[{LABEL}\](?::::[a-z]+)?|\(\[{LABEL}\]\))")
ARROW = re.compile(rf"  (n[0-9]+) -\.?->?\|{LABEL}\| (n[0-9]+)")


@given(graphs())
def test_no_label_of_a_flowchart_can_be_more_than_a_label(graph: tuple[Trace, Revisions]) -> None:
    """Each line is a box, an arrow or ours; a label holds letters, digits and codes."""
    drawing = drawn(*graph)
    head, *parts = mermaid(*graph).split("\n")
    assert head == "flowchart TD"
    boxes = [match for part in parts if (match := BOX.fullmatch(part))]
    arrows = [match for part in parts if (match := ARROW.fullmatch(part))]
    rest = [part for part in parts if not BOX.fullmatch(part) and not ARROW.fullmatch(part)]
    assert [part.split()[:2] for part in rest] == [["classDef", "ended"], ["classDef", "revision"]]
    assert {box[1]: _decoded(box[2] or box[3] or "") for box in boxes} == _shown(drawing)
    assert [(arrow[1], arrow[3]) for arrow in arrows] == [
        (arrow.tail, arrow.head) for arrow in drawing.arrows
    ]


def _decoded(label: str) -> str:
    lines = label.replace("<br/>", "\n")
    return re.sub(r"#([0-9]+);", lambda code: chr(int(code[1])), lines)


def _shown(drawing: Drawing) -> dict[str, str]:
    return {box.key: "\n".join(box.lines) for box in drawing.boxes}


@pytest.mark.parametrize("nasty", NASTY)
def test_no_drawing_shows_what_cant_be_seen(nasty: str) -> None:
    node = TraceNode(context_id=nasty, state="live", depth=0, label=nasty, revision=1)
    trace = Trace(root=nasty, direction="up", depth=1, nodes=(node,), edges=())
    for line in drawn(trace, {}).boxes[0].lines:
        assert line.isprintable()
        assert len(line) <= 72
    assert "\x1b" not in dot(trace, {}) + mermaid(trace, {})


def test_an_arrow_to_what_was_left_out_leads_to_a_box_that_says_so() -> None:
    """A backend of another maker may cut its graph in another way."""
    trace = TRACE.model_copy(update={"nodes": TRACE.nodes[:1]})
    boxes = drawn(trace, {}).boxes
    assert [box.lines for box in boxes[1:]] == [(one, "left out") for one in (NOTE, BUILD, OLD)]
    assert len(list(of(read(prov_json(trace, {})), ProvUsage))) == 2


def test_an_earlier_revision_has_its_own_box_and_its_own_sources() -> None:
    drawing = drawn(TRACE, REVISIONS)
    told = {(arrow.tail, arrow.head): arrow.words for arrow in drawing.arrows}
    keys = {box.lines[-1]: box.key for box in drawing.boxes}
    earlier = next(box for box in drawing.boxes if box.kind == "revision")
    assert told[keys[RULE], earlier.key] == "revision of"
    assert told[earlier.key, keys["outside this memory"]] == "names as a source"


# What a lineage tells


def test_the_call_that_wrote_is_the_last_observed_one_and_the_rest_came_before() -> None:
    writing, earlier = calls_of(FIRST)
    assert writing is not None
    assert writing.name == "append_context:toolu_3"
    assert [one.tool for one in earlier] == ["Bash", "Read"]
    twice = ObservedLineage(tool_calls=("append_context:t1", "append_context:t2"))
    writing, earlier = calls_of(Lineage(created_at=START, observed=twice))
    assert writing is not None
    assert (writing.name, [one.name for one in earlier]) == (
        "append_context:t2",
        ["append_context:t1"],
    )


def test_a_declared_call_never_counts_as_the_one_that_wrote() -> None:
    said = DeclaredLineage(tool_calls=("append_context:made-up",))
    writing, earlier = calls_of(Lineage(created_at=START, declared=said))
    assert writing is None
    assert [(one.name, one.basis) for one in earlier] == [
        ("append_context:made-up", Basis.DECLARED)
    ]


def test_a_call_that_was_observed_and_declared_counts_once_as_observed() -> None:
    lineage = Lineage(
        created_at=START,
        declared=DeclaredLineage(tool_calls=("Bash:t1",)),
        observed=ObservedLineage(tool_calls=("Bash:t1", "append_context:t2")),
    )
    assert [one.basis for one in calls_of(lineage).earlier] == [Basis.OBSERVED]


def test_where_a_model_was_seen_is_said() -> None:
    assert [said.how for said in models_of(FIRST)] == ["observed in the transcript", "declared"]
    for seen in ModelSeen:
        observed = ObservedLineage(model_version="m", model_seen=seen)
        (said,) = models_of(Lineage(created_at=START, observed=observed))
        assert said.how.startswith("observed ")


def test_what_stands_in_neither_account_was_told_not_seen() -> None:
    """Of another maker's backend."""
    lineage = Lineage(created_at=START, model_version="m", tool_calls=("x",))
    assert [said.basis for said in models_of(lineage)] == [Basis.DECLARED]
    assert [one.basis for one in calls_of(lineage).earlier] == [Basis.DECLARED]


def test_a_sub_agent_is_named_beside_its_client() -> None:
    assert writer_of(FIRST) == "claude-code/2.1.330"
    assert writer_of(SECOND) == "claude-code/2.1.330, sub-agent Explore"
    assert writer_of(Lineage(created_at=START)) is None


def test_a_duration_beyond_all_years_ends_at_no_time() -> None:
    call = ToolCall(id="t", tool="Bash", at=START, duration_ms=10**18)
    lineage = Lineage(created_at=START, observed=ObservedLineage(calls=(call,)))
    node = TraceNode(context_id="a", state="live", depth=0, revision=1, lineage=lineage)
    trace = Trace(root="a", direction="up", depth=1, nodes=(node,), edges=())
    activities = of(read(prov_json(trace, {})), ProvActivity)
    bash = next(one for one in activities if one["name"] == ("call", "Bash:t"))
    assert (bash["startTime"], bash.get("endTime")) == (START, None)


def test_the_document_declares_its_prefix() -> None:
    assert json.loads(prov_json(TRACE, {}))["prefix"] == {"lineal": "urn:lineal:"}


@given(st.lists(st.sampled_from(NASTY), min_size=2, max_size=2, unique=True))
def test_different_ids_never_share_a_name(ids: list[str]) -> None:
    assert names.memory(ids[0]) != names.memory(ids[1])
