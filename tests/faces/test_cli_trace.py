"""`lineal trace` over a real store: why a memory is believed, for people and for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime

import anyio
import pytest
from prov.model import ProvDerivation, ProvDocument, ProvGeneration

from lineal.app import local_call, open_service
from lineal.faces.cli.accounts import account
from lineal.models.context import AppendContext
from lineal.models.lineage import DeclaredLineage, Lineage, ModelSeen, ObservedLineage, ToolCall
from lineal.settings import Settings

from . import test_cli
from .test_cli import document, error, run

home = test_cli.home
ids = test_cli.ids

EXPORTS = ("prov-json", "dot", "mermaid")
START = datetime(2026, 3, 2, 9, 14, tzinfo=UTC)


def test_beneath_each_memory_stands_who_wrote_it_and_how(ids: Mapping[str, str]) -> None:
    told = run("trace", ids["source"]).stdout
    assert "by lineal-cli/" in told
    assert "model unknown" in told
    assert "tools append_context (observed)" in told
    assert "rests on nothing known" in told


def test_why_shows_the_earlier_revisions_with_their_own_dates(ids: Mapping[str, str]) -> None:
    told = run("trace", ids["rule"]).stdout
    assert "├── revision of (observed): Clear the cache before every release build." in told
    revisions = document("history", ids["rule"])["revisions"]
    for revision in revisions:
        when = revision["updated_at"][:16].replace("T", " ")
        assert f"revision {revision['revision']} of {when} by lineal-cli/" in told
    assert "confidence 0.7 (declared)" in told


def test_what_rests_on_it_shows_no_earlier_revisions(ids: Mapping[str, str]) -> None:
    assert "revision of" not in run("trace", ids["rule"], "--down").stdout
    assert "revision of" in run("trace", ids["rule"], "--both").stdout


def test_prov_json_is_read_by_another_program(ids: Mapping[str, str]) -> None:
    result = run("trace", ids["rule"], "--format", "prov-json")
    assert (result.exit_code, result.stderr) == (0, "")
    told = ProvDocument.deserialize(content=result.stdout, format="json")
    derived = {str(one) for one in told.get_records(ProvDerivation)}
    new, old, source = (
        f"lineal:revision/{ids['rule']}/2",
        f"lineal:revision/{ids['rule']}/1",
        f"lineal:memory/{ids['source']}",
    )
    assert any(f"({new}, {old}, " in one and "prov:Revision" in one for one in derived)
    assert any(f", {source}, " in one and "prov:Revision" not in one for one in derived)
    assert len(list(told.get_records(ProvGeneration))) == 3


def test_graphviz_and_mermaid_draw_the_same_graph(ids: Mapping[str, str]) -> None:
    drawn = run("trace", ids["rule"], "--format", "dot").stdout
    assert drawn.startswith("digraph lineage {\n")
    assert 'label="revision of (observed)"' in drawn
    assert 'label="derived from (declared)"' in drawn
    chart = run("trace", ids["rule"], "--format", "mermaid").stdout
    assert chart.startswith("flowchart TD\n")
    assert '-.->|"derived from (declared)"|' in chart


def test_the_plain_answer_is_as_it_was(ids: Mapping[str, str]) -> None:
    plain = document("trace", ids["rule"])
    assert plain == document("trace", ids["rule"], "--format", "tree")
    assert {"root", "direction", "depth", "nodes", "edges"} <= plain.keys()


@pytest.mark.parametrize("form", EXPORTS)
def test_the_plain_answer_has_no_other_format(ids: Mapping[str, str], form: str) -> None:
    refused = error("trace", ids["rule"], "--format", form, exit_code=2)
    assert refused["code"] == "invalid_request"
    assert "--format" in refused["message"]


def test_an_unknown_format_is_a_wrong_call(ids: Mapping[str, str]) -> None:
    assert run("trace", ids["rule"], "--format", "svg").exit_code == 2


@pytest.mark.parametrize("form", EXPORTS)
def test_no_format_can_steer_the_terminal(ids: Mapping[str, str], form: str) -> None:
    told = run("trace", ids["hostile"], "--format", form).stdout
    for hidden in ("\x1b", "\u202e", "\u200b"):
        assert hidden not in told
    assert "title" in told


@pytest.mark.parametrize("form", EXPORTS)
def test_a_forgotten_memory_stays_in_the_graph_without_its_content(
    ids: Mapping[str, str], form: str
) -> None:
    run("forget", ids["source"], "--yes")
    told = run("trace", ids["rule"], "--format", form).stdout
    assert ids["source"] in told
    assert "forgotten" in told
    assert "stale" not in told
    root = run("trace", ids["source"], "--format", form)
    assert root.exit_code == 0
    assert "forgotten" in root.stdout


@pytest.mark.parametrize("form", ["tree", *EXPORTS])
def test_what_was_left_out_is_said_beside_the_document(form: str) -> None:
    many = anyio.run(_with_many_sources)
    result = run("trace", many, "--format", form)
    assert result.exit_code == 0
    said = result.stdout if form == "tree" else result.stderr
    assert "11 memories were left out" in said
    if form == "prov-json":
        assert len(json.loads(result.stdout)["used"]) == 199


async def _with_many_sources() -> str:
    settings = Settings()
    call = local_call(settings, "append_context")
    sources = tuple(f"mail {number}" for number in range(210))
    async with open_service(settings) as service:
        request = AppendContext(
            content="All of the mails say so.", lineage=DeclaredLineage(source_ids=sources)
        )
        return (await service.append_context(call, request)).context_id


def test_of_many_calls_only_the_latest_are_named() -> None:
    calls = (*(f"Read:t{number}" for number in range(9)), "append_context:t9")
    observed = ObservedLineage(tool_calls=calls)
    told = account(Lineage(created_at=START, observed=observed)).plain
    assert "tools 6 more → Read → Read → Read → append_context (observed)" in told


def test_a_call_says_how_long_it_took_and_how_it_ended_as_far_as_that_was_seen() -> None:
    calls = (
        ToolCall(id="1", tool="Bash", label="git", duration_ms=120, ok=True),
        ToolCall(id="2", tool="Bash", duration_ms=12_400, ok=False),
        ToolCall(id="3", tool="Read", duration_ms=7),
        ToolCall(id="4", tool="append_context"),
    )
    told = account(Lineage(created_at=START, observed=ObservedLineage(calls=calls))).plain
    chain = "Bash git · 0.1 s · ok → Bash · 12 s · failed → Read · 7 ms → append_context"
    assert f"tools {chain} (observed)" in told


def test_observed_is_green_and_declared_is_magenta() -> None:
    lineage = Lineage(
        created_at=START,
        declared=DeclaredLineage(model_version="big"),
        observed=ObservedLineage(model_version="small", model_seen=ModelSeen.TRANSCRIPT),
    )
    told = account(lineage)
    styles = {told.plain[span.start : span.end]: span.style for span in told.spans}
    assert styles["(observed in the transcript)"] == "green"
    assert styles["(declared)"] == "magenta"


def test_unknown_is_said_in_one_line() -> None:
    assert account(None).plain == "by unknown · model unknown · tools unknown"
    assert account(Lineage(created_at=START)).plain == account(None).plain
    waiting = Lineage(created_at=START, awaits=True)
    assert account(waiting).plain.endswith("tools unknown · awaiting more")
