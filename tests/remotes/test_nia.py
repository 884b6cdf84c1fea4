"""Nia, spoken to over a socket in both of its shapes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from lineal.clock import ManualClock
from lineal.errors import Capability, Unsupported
from lineal.models.changes import Scope
from lineal.models.context import MemoryType
from lineal.models.lineage import DeclaredLineage, Lineage
from lineal.models.search import SearchContext
from lineal.outbound.faults import Away, Refused
from lineal.ports.remote import Remote
from lineal.testing.contracts.faults import answering, cut_after, cut_before, listed
from lineal.testing.contracts.nia import NiaContract, Shape
from lineal.testing.samples import START

from .deliveries import CANARY, LONG, appending, deleting, silent, speaking, updating, upserting
from .failing import AWAY, REFUSED

ADA = Scope(tenant="home", user_id="ada", domain="coding")
SHAPES: tuple[Shape, ...] = ("earlier", "later")
REFERENCES: dict[str, Any] = {
    "indexed_repositories": ["acme/shop"],
    "search_queries": [{"query": "tax", "query_type": "web", "key_findings": "19 %"}],
}
RICH_FILE = {
    "file_path": "a.py",
    "operation": "created",
    "changes_description": "New.",
    "key_changes": ["all"],
}


@pytest.fixture(params=SHAPES)
def server(request: pytest.FixtureRequest) -> NiaContract:
    return NiaContract(CANARY, ManualClock(START), request.param)


@pytest.fixture
async def nia(server: NiaContract) -> AsyncIterator[Remote]:
    async with speaking("nia", server, "/v2") as remote:
        yield remote


async def stored(nia: Remote, **values: Any) -> str:
    sent = await nia.send(appending(**values), None)
    assert sent.remote_id is not None
    return sent.remote_id


async def test_an_append_arrives_with_every_field(nia: Remote, server: NiaContract) -> None:
    lineage = Lineage(
        created_at=START,
        source_ids=("repo:acme/shop",),
        confidence=0.5,
        derived_from=("ctx_0",),
        tool_calls=("Read:toolu_1",),
        model_version="claude-x",
    )
    sent = await nia.send(
        appending(
            title="Deployments",
            summary="Where and when we deploy.",
            tags=("ops",),
            metadata={"ticket": 7},
            nia_references=REFERENCES,
            edited_files=(RICH_FILE,),
            agent_source="claude-code/2",
            memory_type=MemoryType.EPISODIC,
            expires_at=START + timedelta(seconds=59, milliseconds=500),
            project="git:acme/shop",
            lineage=lineage,
        ),
        None,
    )
    assert server.seen[-1].json == {
        "title": "Deployments",
        "summary": "Where and when we deploy.",
        "content": LONG,
        "tags": ["ops"],
        "metadata": {
            "ticket": 7,
            "lineal": {
                "id": "ctx_1",
                "tenant": "home",
                "user_id": "ada",
                "domain": "coding",
                "project": "git:acme/shop",
                "occurred_at": "2026-03-01T12:00:00Z",
            },
        },
        "nia_references": REFERENCES,
        "edited_files": [RICH_FILE],
        "agent_source": "claude-code/2",
        "workspace_override": "git:acme/shop",
        "memory_type": "episodic",
        "ttl_seconds": 60,
        "lineage": {
            "source_ids": ["repo:acme/shop"],
            "confidence": 0.5,
            "derived_from": ["ctx_0"],
            "tool_calls": ["Read:toolu_1"],
            "model_version": "claude-x",
        },
    }
    assert sent.remote_id == "nia-0000"
    assert sent.note is None


async def test_what_comes_back_is_what_was_sent(nia: Remote) -> None:
    remote_id = await stored(
        nia,
        title="Deployments",
        summary="Where and when we deploy.",
        tags=("ops",),
        metadata={"ticket": 7},
        nia_references=REFERENCES,
        edited_files=(RICH_FILE,),
        memory_type=MemoryType.PROCEDURAL,
        lineage=Lineage(created_at=START, confidence=1.0, derived_from=("ctx_0",)),
    )
    record = await nia.get(remote_id)
    assert (record.local_id, record.tenant, record.user_id, record.domain) == (
        "ctx_1",
        "home",
        "ada",
        "coding",
    )
    assert (record.title, record.content, record.tags) == ("Deployments", LONG, ("ops",))
    assert record.metadata == {"ticket": 7}
    assert record.nia_references == REFERENCES
    assert record.edited_files == (RICH_FILE,)
    assert record.memory_type is MemoryType.PROCEDURAL
    assert record.lineage == DeclaredLineage(confidence=1.0, derived_from=("ctx_0",))
    assert record.created_at == START
    assert record.expires_at is None


async def test_a_short_memory_is_lengthened_told_and_given_back_as_it_was(
    nia: Remote, server: NiaContract
) -> None:
    sent = await nia.send(appending(content="Frankfurt."), None)
    body = server.seen[-1].json
    line = "Remembered by lineal for ada (coding) at 2026-03-01T12:00:00Z."
    assert body["title"] == "Frankfurt."
    assert body["summary"] == "Frankfurt."
    assert body["content"] == f"Frankfurt.\n\n{line}"
    assert sent.note is not None
    assert "title, summary, content" in sent.note
    assert sent.remote_id is not None
    assert (await nia.get(sent.remote_id)).content == "Frankfurt."


@pytest.mark.parametrize(
    ("memory_type", "life_s", "ttl"),
    [
        (MemoryType.FACT, None, "absent"),
        (MemoryType.SCRATCHPAD, 3_600, "absent"),
        (MemoryType.SCRATCHPAD, 3_599, 3_599),
        (MemoryType.FACT, 60, 60),
        (MemoryType.FACT, 0, 0),
    ],
)
async def test_a_life_is_sent_where_it_isnt_the_types_own(
    nia: Remote, server: NiaContract, memory_type: MemoryType, life_s: int | None, ttl: object
) -> None:
    end = None if life_s is None else START + timedelta(seconds=life_s)
    await nia.send(appending(memory_type=memory_type, expires_at=end), None)
    assert server.seen[-1].json.get("ttl_seconds", "absent") == ttl
    assert server.seen[-1].json["memory_type"] == memory_type.value


async def test_an_update_sends_only_what_was_sent(nia: Remote, server: NiaContract) -> None:
    remote_id = await stored(nia)
    await nia.send(updating(title="Deployments"), remote_id)
    assert server.seen[-1].json == {"title": "Deployments"}
    await nia.send(updating(tags=(), memory_type=MemoryType.FACT), remote_id)
    assert server.seen[-1].json == {"tags": [], "memory_type": "fact"}
    await nia.send(updating(title=None, ttl_seconds=60), remote_id)
    assert server.seen[-1].json == {"ttl_seconds": 60}


async def test_a_ttl_of_null_is_sent_as_null(nia: Remote, server: NiaContract) -> None:
    remote_id = await stored(nia)
    await nia.send(updating(ttl_seconds=None), remote_id)
    assert server.seen[-1].json == {"ttl_seconds": None}


async def test_metadata_never_loses_whose_it_is(nia: Remote, server: NiaContract) -> None:
    remote_id = await stored(nia)
    await nia.send(updating(metadata={"a": 1}), remote_id)
    assert server.seen[-1].json["metadata"]["lineal"]["id"] == "ctx_1"
    record = await nia.get(remote_id)
    assert (record.local_id, record.metadata) == ("ctx_1", {"a": 1})


async def test_an_update_of_lineage_sends_the_joined_values(
    nia: Remote, server: NiaContract
) -> None:
    remote_id = await stored(nia)
    joined = Lineage(created_at=START, model_version="seen", tool_calls=("Read:1",))
    declared = DeclaredLineage(model_version="said")
    await nia.send(updating({"lineage": joined}, lineage=declared), remote_id)
    assert server.seen[-1].json["lineage"] == {"tool_calls": ["Read:1"], "model_version": "seen"}


async def test_edited_files_are_filled_only_where_that_is_asked_for(
    nia: Remote, server: NiaContract
) -> None:
    remote_id = await stored(nia)
    bare = [{"file_path": "a.py"}, {"file_path": "b.py", "operation": "deleted"}]
    more = {"operation": "modified", "changes_description": "Where we deploy."}
    filled = [{**more, **file} for file in bare]
    await nia.send(updating({"summary": "Where we deploy."}, edited_files=bare), remote_id)
    sent = [seen.json["edited_files"] for seen in server.seen if seen.method == "PUT"]
    assert sent == ([bare] if server.shape == "earlier" else [bare, filled])
    assert server.contexts[remote_id]["edited_files"] == sent[-1]


async def test_what_is_refused_for_another_reason_is_not_tried_again(
    nia: Remote, server: NiaContract
) -> None:
    server.faults.add("POST", "/contexts", listed("body", "title"))
    with pytest.raises(Refused) as caught:
        await nia.send(appending(), None)
    assert caught.value.details == {"field": "title"}
    assert server.count("POST", "/contexts") == 1


async def test_an_update_of_what_was_never_there_is_not_found(nia: Remote) -> None:
    for remote_id in (None, "nia-9999", "../contexts"):
        with pytest.raises(Refused) as caught:
            await nia.send(updating(title="x"), remote_id)
        assert caught.value.answered == 404


async def test_what_is_deleted_already_is_deleted(nia: Remote, server: NiaContract) -> None:
    remote_id = await stored(nia)
    await nia.send(deleting(remote_id), None)
    assert server.contexts == {}
    await nia.send(deleting(remote_id), None)
    with pytest.raises(Refused) as caught:
        await nia.get(remote_id)
    assert caught.value.answered == 404


async def test_a_letter_that_may_have_arrived_is_found(nia: Remote, server: NiaContract) -> None:
    server.faults.add("POST", "/contexts", cut_after)
    with pytest.raises(Away):
        await nia.send(appending(), None)
    found = await nia.sent_before(appending())
    assert found is not None
    assert found.remote_id == "nia-0000"
    assert await nia.sent_before(appending("ctx_2")) is None


async def test_a_letter_is_found_when_what_it_held_is_forgotten(
    nia: Remote, server: NiaContract
) -> None:
    await stored(nia, agent_source="claude-code/2")
    empty = appending().model_copy(update={"body": ""})
    found = await nia.sent_before(empty)
    assert found is not None
    assert found.remote_id == "nia-0000"
    assert await nia.sent_before(empty.model_copy(update={"context_id": "ctx_2"})) is None


async def test_another_tenants_context_of_the_same_id_is_another(nia: Remote) -> None:
    await nia.send(appending().model_copy(update={"tenant": "other"}), None)
    assert await nia.sent_before(appending()) is None


async def test_a_letter_is_looked_for_among_the_newest_hundreds(
    nia: Remote, server: NiaContract
) -> None:
    await stored(nia)
    first = server.contexts["nia-0000"]
    for at in range(250):
        server.contexts[f"x{at}"] = {**first, "id": f"x{at}", "metadata": {"lineal": "odd"}}
    found = await nia.sent_before(appending())
    assert found is not None
    assert found.remote_id == "nia-0000"
    assert server.count("GET", "/contexts") == 3


async def test_a_letter_that_cant_be_looked_for_far_enough_is_uncertain(
    nia: Remote, server: NiaContract
) -> None:
    await stored(nia, context_id="ctx_other")
    first = server.contexts["nia-0000"]
    server.contexts |= {f"x{at}": {**first, "id": f"x{at}"} for at in range(100 * 100)}
    with pytest.raises(Unsupported):
        await nia.sent_before(appending())


async def test_what_was_stored_before_the_letter_ends_the_search(
    nia: Remote, server: NiaContract
) -> None:
    await stored(nia, context_id="ctx_other")
    old = {**server.contexts["nia-0000"], "created_at": "2026-02-01T00:00:00"}
    server.contexts |= {f"x{at}": {**old, "id": f"x{at}"} for at in range(500)}
    assert await nia.sent_before(appending()) is None
    assert server.count("GET", "/contexts") == 1


async def test_a_search_is_by_meaning_and_by_words_without_it(
    nia: Remote, server: NiaContract
) -> None:
    await stored(nia, tags=("ops",))
    request = SearchContext(query="Frankfurt", tags=("ops",))
    (hit,) = await nia.search(ADA, request, 10)
    assert (hit.local_id, hit.score) == ("ctx_1", 0.9)
    assert server.seen[-1].query == {
        "q": "Frankfurt",
        "limit": "10",
        "include_highlights": "false",
    }
    server.vectors = False
    (hit,) = await nia.search(ADA, request, 10)
    assert (hit.local_id, hit.score) == ("ctx_1", None)
    assert server.seen[-1].path == "/contexts/search"
    assert server.seen[-1].query["tags"] == "ops"
    assert await nia.search(ADA, SearchContext(query="Oslo"), 10) == ()


async def test_no_question_is_the_newest(nia: Remote, server: NiaContract) -> None:
    await stored(nia)
    await stored(nia, context_id="ctx_2", tags=("a,b", "ops"))
    request = SearchContext(tags=("a,b", "ops"), memory_types=(MemoryType.FACT,))
    (hit,) = await nia.search(ADA, request, 10)
    assert hit.local_id == "ctx_2"
    assert server.seen[-1].query == {
        "limit": "10",
        "offset": "0",
        "tags": "ops",
        "memory_type": "fact",
    }


async def test_what_others_stored_there_is_nobodys_of_ours(
    nia: Remote, server: NiaContract
) -> None:
    strange = {
        "id": 7,
        "content": "Frankfurt",
        "created_at": "2026-01-01T00:00:00",
        "metadata": {"lineal": {"id": "ctx_1"}},
        "tags": None,
        "memory_type": "dream",
        "lineage": {"confidence": 7},
        "relevance_score": "high",
        "edited_files": None,
    }
    answer = answering(200, {"results": [strange, {"title": "no id"}, 7]})
    server.faults.add("GET", "/contexts/semantic", answer)
    (hit,) = await nia.search(ADA, SearchContext(query="Frankfurt"), 10)
    assert (hit.remote_id, hit.local_id, hit.user_id) == ("7", None, None)
    assert hit.created_at is not None
    assert hit.created_at.tzinfo is not None
    assert (hit.memory_type, hit.lineage, hit.score) == (None, None, None)


async def test_an_answer_without_a_list_is_no_empty_list(nia: Remote, server: NiaContract) -> None:
    server.faults.add("GET", "/contexts", answering(200, {"total": 0}))
    with pytest.raises(Away):
        await nia.search(ADA, SearchContext(), 10)


async def test_what_the_contract_hasnt_is_refused_by_its_name(nia: Remote) -> None:
    with pytest.raises(Unsupported):
        await nia.user(ADA)
    with pytest.raises(Unsupported):
        await nia.send(upserting(fields={}), None)
    with pytest.raises(Unsupported):
        await nia.sent_before(updating(title="x"))
    assert set(nia.capabilities) == set(Capability)


@pytest.mark.parametrize("name", AWAY)
async def test_what_may_be_taken_later_says_whether_it_arrived(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    left = AWAY[name]
    caplog.set_level("INFO")
    server = NiaContract(CANARY, ManualClock(START))
    server.faults.add("POST", "/contexts", left.fault)
    async with speaking("nia", server, "/v2", timeout_s=0.3) as nia:
        with pytest.raises(Away) as caught:
            await nia.send(appending(), None)
    away = caught.value
    assert (away.arrived, away.wait_s, away.code, away.answered) == (
        left.arrived,
        left.wait_s,
        left.code,
        left.answered,
    )
    assert silent(caplog, away, away.__context__)


@pytest.mark.parametrize("name", REFUSED)
async def test_what_wont_be_taken_says_why(name: str, caplog: pytest.LogCaptureFixture) -> None:
    turned = REFUSED[name]
    caplog.set_level("INFO")
    server = NiaContract(CANARY, ManualClock(START))
    server.faults.add("POST", "/contexts", turned.fault)
    async with speaking("nia", server, "/v2") as nia:
        with pytest.raises(Refused) as caught:
            await nia.send(appending(), None)
    refused = caught.value
    assert (refused.code, refused.answered, refused.key) == (
        turned.code,
        turned.answered,
        turned.key,
    )
    assert silent(caplog, refused, refused.__context__, refused.details)


async def test_an_update_that_was_cut_is_harmless_to_repeat(
    nia: Remote, server: NiaContract
) -> None:
    remote_id = await stored(nia)
    server.faults.add("PUT", "/contexts", cut_before, cut_after)
    with pytest.raises(Away):
        await nia.send(updating(title="Twice"), remote_id)
    await nia.send(updating(title="Twice"), remote_id)
    assert server.contexts[remote_id]["title"] == "Twice"
    assert "update" in nia.repeats
