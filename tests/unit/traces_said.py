"""A trace as an agent at work leaves one behind, and traces that nobody would wish for.

python -m tests.unit.traces_said      after a reviewed change of a format: writes the examples anew
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

from hypothesis import strategies as st
from rich.console import Console

from lineal.exports.dot import dot
from lineal.exports.mermaid import mermaid
from lineal.exports.prov import prov_json
from lineal.exports.told import Revisions
from lineal.faces.cli.tree import trace_trees
from lineal.models.context import Context, MemoryType
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

EXAMPLES = Path(__file__).parents[1] / "data" / "exports"

START = datetime(2026, 3, 2, 9, 14, tzinfo=UTC)
NOW = START + timedelta(days=3)

RULE, NOTE, OLD = "ctx_rule", "ctx_note", "ctx_old"
BUILD = "https://ci.example.org/build/412?full"

CLIENT = "claude-code/2.1.330"


def _call(tool: str, number: int, **more: object) -> ToolCall:
    at = START + timedelta(seconds=number)
    return ToolCall.model_validate({"id": f"toolu_{number}", "tool": tool, "at": at, **more})


FIRST = Lineage(
    created_at=START,
    source_ids=(BUILD,),
    confidence=0.7,
    derived_from=(OLD,),
    tool_calls=("Bash:toolu_1", "Read:toolu_2", "append_context:toolu_3"),
    model_version="claude-opus-4-5",
    agent_source=CLIENT,
    declared=DeclaredLineage(
        confidence=0.7,
        derived_from=(OLD,),
        source_ids=(BUILD,),
        model_version="opus",
    ),
    observed=ObservedLineage(
        agent_source=CLIENT,
        model_version="claude-opus-4-5",
        model_seen=ModelSeen.TRANSCRIPT,
        tool_calls=("Bash:toolu_1", "Read:toolu_2", "append_context:toolu_3"),
        calls=(
            _call("Bash", 1, duration_ms=120, ok=True, label="git", input_hash="0f" * 16),
            _call("Read", 2, ok=False, label="build.log"),
            _call("append_context", 3),
        ),
        session_id="s-1",
        prompt_id="p-1",
        entrypoint="cli",
    ),
)
"""What the main agent wrote first."""

SECOND = Lineage(
    created_at=START,
    source_ids=(NOTE, BUILD),
    confidence=0.9,
    derived_from=(OLD,),
    tool_calls=("update_context:toolu_9", "make test"),
    model_version="claude-haiku-4-5",
    agent_source=CLIENT,
    declared=DeclaredLineage(
        confidence=0.9, derived_from=(OLD,), source_ids=(BUILD,), tool_calls=("make test",)
    ),
    observed=ObservedLineage(
        agent_source=CLIENT,
        model_version="claude-haiku-4-5",
        model_seen=ModelSeen.HOOK,
        tool_calls=("update_context:toolu_9",),
        source_ids=(NOTE,),
        session_id="s-1",
        prompt_id="p-2",
        agent_id="a7f3",
        agent_type="Explore",
    ),
    awaits=True,
)
"""What a sub-agent made of it, having read a note and declared a call of its own."""

BY_HAND = Lineage(
    created_at=START,
    tool_calls=("append_context",),
    agent_source="lineal-cli/0.1.0",
    observed=ObservedLineage(agent_source="lineal-cli/0.1.0", tool_calls=("append_context",)),
)
"""A client that tells nothing of its model, and no id of its call."""


def _rule(revision: int, content: str, lineage: Lineage) -> Context:
    return Context(
        context_id=RULE,
        user_id="ada",
        domain="coding",
        revision=revision,
        content=content,
        source="chat",
        occurred_at=START,
        memory_type=MemoryType.PROCEDURAL,
        created_at=START,
        updated_at=START + timedelta(hours=revision - 1),
        lineage=lineage,
    )


REVISIONS: Revisions = {
    RULE: (
        _rule(1, "Clear the cache before every release build.", FIRST),
        _rule(2, "Clear the cache and the lock file before every release build.", SECOND),
    )
}


def _edge(parent: str, relation: Relation, basis: Basis, revision: int = 2) -> Edge:
    return Edge(child_id=RULE, revision=revision, parent_id=parent, relation=relation, basis=basis)


TRACE = Trace(
    root=RULE,
    direction="up",
    depth=5,
    nodes=(
        TraceNode(
            context_id=RULE,
            state="live",
            depth=0,
            label="Clear the cache and the lock file before every release build.",
            memory_type="procedural",
            source="chat",
            revision=2,
            created_at=START,
            project="github.com/ada/oven",
            lineage=SECOND,
            basis={"model_version": Basis.OBSERVED, "confidence": Basis.DECLARED},
        ),
        TraceNode(
            context_id=NOTE,
            state="live",
            depth=1,
            label='The lock file "build.lock" outlives a failed build.',
            memory_type="episodic",
            revision=1,
            created_at=START,
            expires_at=START + timedelta(days=7),
            lineage=BY_HAND,
        ),
        TraceNode(
            context_id=OLD,
            state="expired",
            depth=1,
            memory_type="scratchpad",
            revision=1,
            created_at=START,
            expires_at=START + timedelta(hours=1),
        ),
        TraceNode(context_id=BUILD, state="external", depth=1),
    ),
    edges=(
        _edge(NOTE, Relation.USED, Basis.OBSERVED),
        _edge(BUILD, Relation.USED, Basis.DECLARED, revision=1),
        _edge(OLD, Relation.WAS_DERIVED_FROM, Basis.DECLARED),
    ),
)
"""Why the rule is believed: an update, a sub-agent, a declared source, an expired parent."""


def tree(trace: Trace, revisions: Revisions, width: int = 80) -> str:
    """As a terminal of that width shows it, without colour."""
    out = StringIO()
    console = Console(file=out, markup=False, emoji=False, highlight=False, width=width)
    for part in trace_trees(trace, NOW, revisions):
        console.print(part)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


FORMATS: Mapping[str, Callable[[Trace, Revisions], str]] = {
    "trace.json": prov_json,
    "trace.dot": dot,
    "trace.mmd": mermaid,
    "trace.txt": tree,
}

NASTY = (
    'a"b',
    "a\\",
    '\\"];\n evil [label="x',
    'a\nend\nclick n0 href "javascript:alert(1)"',
    "<b>bold</b><script>alert(1)</script>",
    "<table><tr><td>cell</td></tr></table>",
    "&lt;&amp;#34;",
    "`code` **bold** # head",
    "1. list\n- list",
    "%%{init: {'theme':'dark'}}%%",
    "%% comment",
    "end",
    "subgraph x",
    "style n0 fill:#f00;",
    "classDef n0:x #34;",
    "n0 --> n1; n2[[x]]",
    "$$x^2$$ fa:fa-car",
    "\\N \\G \\L \\l",
    "with space:and/slash@x|y{z}",
    "%20%",
    ".",
    "-",
    "~",
    "ünïcödé 世界 🐈 \U0001f9d1‍\U0001f680",
    "\x1b[31mred\x00",
    "\u202eright\u2028left",
    "\ud800 alone",
    "x" * 512,
)
"""What ids and texts may hold."""

texts = st.one_of(st.sampled_from(NASTY), st.text(min_size=1, max_size=40))
maybe_text = st.none() | texts
_numbers = st.integers(min_value=0, max_value=10**12)
_times = st.datetimes(timezones=st.just(UTC)).map(lambda at: at.replace(microsecond=0))

calls = st.builds(
    ToolCall,
    id=texts,
    tool=texts,
    at=st.none() | _times,
    duration_ms=st.none() | _numbers,
    ok=st.none() | st.booleans(),
    input_hash=maybe_text,
    label=maybe_text,
)


def _well_formed(names: list[str]) -> bool:
    """What a caller declares has been checked; what a client's own files hold may be anything."""
    return not any("\ud800" in name for name in names)


_names = st.lists(texts | st.sampled_from(["append_context", "update_context:t"]), max_size=3)
lineages = st.builds(
    Lineage,
    created_at=_times,
    confidence=st.none() | st.floats(0, 1),
    tool_calls=_names.map(tuple),
    model_version=maybe_text,
    agent_source=maybe_text,
    extractor=maybe_text,
    awaits=st.booleans(),
    declared=st.none()
    | st.builds(DeclaredLineage, tool_calls=_names.filter(_well_formed).map(tuple)),
    observed=st.none()
    | st.builds(
        ObservedLineage,
        agent_source=maybe_text,
        model_version=maybe_text,
        model_seen=st.none() | st.sampled_from(ModelSeen),
        tool_calls=_names.map(tuple),
        calls=st.lists(calls, max_size=3).map(tuple),
        session_id=maybe_text,
        prompt_id=maybe_text,
        agent_id=maybe_text,
        agent_type=maybe_text,
        traceparent=maybe_text,
    ),
)


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Trace, Revisions]:
    """Any trace of up to six nodes, and perhaps revisions of its root."""
    ids = draw(st.lists(texts, min_size=1, max_size=6, unique=True))
    nodes = [draw(_node(i, depth)) for depth, i in enumerate(ids)]
    edges = draw(st.lists(_edges(ids), max_size=8))
    root = nodes[0]
    told = draw(st.booleans()) and root.state == "live" and root.revision is not None
    history = [draw(_revision(ids[0], n + 1)) for n in range(root.revision or 0)] if told else []
    trace = Trace(root=ids[0], direction="both", depth=5, nodes=tuple(nodes), edges=tuple(edges))
    return trace, {ids[0]: tuple(history)} if told else {}


@st.composite
def _node(draw: st.DrawFn, context_id: str, depth: int) -> TraceNode:
    state = draw(st.sampled_from(["live", "expired", "forgotten", "external"]))
    outside, live = state == "external", state == "live"
    return TraceNode.model_validate(
        {
            "context_id": context_id,
            "state": state,
            "depth": depth,
            "label": draw(maybe_text) if live else None,
            "memory_type": None if outside else draw(maybe_text),
            "source": draw(maybe_text) if live else None,
            "project": draw(maybe_text) if live else None,
            "revision": None if outside else draw(st.integers(1, 4)),
            "created_at": None if outside else draw(_times),
            "expires_at": draw(st.none() | _times),
            "lineage": draw(st.none() | lineages) if live else None,
        }
    )


def _edges(ids: list[str]) -> st.SearchStrategy[Edge]:
    return st.builds(
        Edge,
        child_id=st.sampled_from(ids),
        revision=st.integers(1, 4),
        parent_id=st.sampled_from(ids),
        relation=st.sampled_from(Relation),
        basis=st.sampled_from(Basis),
    )


@st.composite
def _revision(draw: st.DrawFn, context_id: str, number: int) -> Context:
    return _rule(number, draw(texts), draw(lineages)).model_copy(
        update={"context_id": context_id, "title": draw(maybe_text), "updated_at": draw(_times)}
    )


if __name__ == "__main__":
    EXAMPLES.mkdir(exist_ok=True)
    for name, write in FORMATS.items():
        (EXAMPLES / name).write_text(write(TRACE, REVISIONS) + "\n", encoding="utf-8")
