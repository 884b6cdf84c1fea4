"""What each route does, beyond what the service itself is tested for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from lineal.app import open_service
from lineal.faces.rest.access import ALL_SCOPES, PRINCIPAL, Principal, ServiceAccess
from lineal.faces.rest.finding import highlights
from lineal.service import Service

from .serving import app_of, client_of, opened, settings_of

ALICE = {
    "user_id": "u_alice",
    "domain": "dating",
    "context": "32, NYC, looking for someone serious. Reads a lot, vegetarian.",
}
BOB = {
    "user_id": "u_bob",
    "domain": "dating",
    "context": "34, NYC, looking for someone serious. Vegetarian.",
}
HIKING = {"user_id": "u_alice", "domain": "dating", "content": "I love hiking in the Catskills."}


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with opened(tmp_path) as one:
        yield one


def context_of(number: int, **more: Any) -> dict[str, Any]:
    """A new context; those of two numbers never say the same."""
    return {
        "title": f"Pump {number}",
        "summary": f"What became of pump {number}.",
        "content": f"Pump {number} of the station was repaired because its valve number {number} "
        "leaked again. It runs now.",
        "agent_source": "cursor",
        **more,
    }


async def saved(client: httpx.AsyncClient, number: int, **more: Any) -> dict[str, Any]:
    answer = await client.post("/v2/contexts", json=context_of(number, **more))
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def test_an_append_is_merged_and_answered_as_the_contract_has_it(
    client: httpx.AsyncClient,
) -> None:
    """A3-A5, with lineal's own keys beside."""
    await client.post("/v1/users", json=ALICE)
    more = {"tags": ["trip"], "memory_type": "episodic", "lineage": {"confidence": 0.5}}
    answer = (await client.post("/v1/context", json={**HIKING, **more})).json()
    assert answer["fields_updated"] == ["interests"]
    assert answer["memory_type"] == "episodic"
    assert answer["lineage"]["confidence"] == 0.5


async def test_a_user_is_read_with_where_each_value_came_from(client: httpx.AsyncClient) -> None:
    await client.post("/v1/users", json=ALICE)
    found = (await client.get("/v1/users/u_alice?domain=dating&provenance=true")).json()
    assert found["fields"]["diet"] == "vegetarian"
    assert found["provenance"]["diet"]["source"] == "extracted"
    plain = (await client.get("/v1/users/u_alice?domain=dating")).json()
    assert "provenance" not in plain


async def test_a_users_name_may_hold_a_slash_and_any_script(client: httpx.AsyncClient) -> None:
    name = "team/エイダ 7"
    await client.post("/v1/users", json={"user_id": name, "domain": "notes", "fields": {}})
    answer = await client.get("/v1/users/team%2F%E3%82%A8%E3%82%A4%E3%83%80%207?domain=notes")
    assert answer.json()["user_id"] == name


async def test_a_user_without_a_domain_is_read_in_the_configured_one(tmp_path: Path) -> None:
    """A1; the contract's "omit to get all heads"."""
    async with opened(tmp_path, domain="dating") as client:
        await client.post("/v1/users", json=ALICE)
        assert (await client.get("/v1/users/u_alice")).json()["domain"] == "dating"


async def test_a_user_without_a_domain_anywhere_is_refused(client: httpx.AsyncClient) -> None:
    """A1."""
    answer = await client.get("/v1/users/u_alice")
    assert answer.status_code == 400
    assert answer.json()["error"]["message"] == "Field 'domain' is required."


async def test_a_schema_is_told_in_the_contracts_words(client: httpx.AsyncClient) -> None:
    schema = (await client.get("/v1/schema?domain=dating")).json()
    age = next(field for field in schema["fields"] if field["name"] == "age")
    assert (age["kind"], age["type"], age["priority"]) == ("hard", "integer", "high")
    assert schema["version"].startswith("dating.v")
    unknown = (await client.get("/v1/schema?domain=nowhere")).json()
    assert unknown["fields"] == []


async def test_a_match_says_what_ran_and_what_did_not(client: httpx.AsyncClient) -> None:
    """M1, M2; a stage of another engine is named, never passed over in silence."""
    await client.post("/v1/users", json=ALICE)
    await client.post("/v1/users", json=BOB)
    body = {"user_id": "u_alice", "domain": "dating", "stages": {"llm_judge": True, "head": True}}
    answer = (await client.post("/v1/match", json=body)).json()
    assert [found["user_id"] for found in answer["matches"]] == ["u_bob"]
    assert answer["matches"][0]["stage_scores"].keys() == {"fields"}
    assert "same diet: vegetarian" in answer["matches"][0]["reasons"]
    assert answer["pipeline_stats"]["considered"] == 1
    assert answer["pipeline_stats"]["stages_not_run"] == ["llm_judge"]
    assert answer["models_used"] == {}


async def test_a_match_names_the_version_of_the_vectors_it_compared(tmp_path: Path) -> None:
    async with opened(tmp_path, embedder="hashing") as client:
        for row in (ALICE, BOB):
            await client.post("/v1/users", json={**row, "fields": {"interests": ["hiking"]}})
        body = {"user_id": "u_alice", "domain": "dating", "explain": False}
        answer = (await client.post("/v1/match", json=body)).json()
        assert answer["matches"][0]["stage_scores"].keys() == {"head", "fields"}
        assert answer["matches"][0]["reasons"] == []
        row = (await client.get("/v1/users/u_alice?domain=dating")).json()
        assert answer["models_used"] == {"head": row["embeddings"]["dating"]["version"]}


async def test_feedback_is_kept_once_for_one_key(client: httpx.AsyncClient) -> None:
    """M3."""
    await client.post("/v1/users", json=ALICE)
    await client.post("/v1/users", json=BOB)
    item = {"seeker_id": "u_alice", "candidate_id": "u_bob", "outcome": "accepted"}
    body = {"domain": "dating", "items": [item, {**item, "outcome": "converted", "weight": 2}]}
    first = (await client.post("/v1/feedback", json=body, headers={"Idempotency-Key": "k"})).json()
    again = (await client.post("/v1/feedback", json=body, headers={"Idempotency-Key": "k"})).json()
    assert (first["accepted"], first["triplets_generated"]) == (2, 0)
    assert first["outcomes"] == again["outcomes"]


async def test_feedback_on_somebody_unknown_keeps_nothing(client: httpx.AsyncClient) -> None:
    await client.post("/v1/users", json=ALICE)
    await client.post("/v1/users", json=BOB)
    item = {"seeker_id": "u_alice", "candidate_id": "u_bob", "outcome": "accepted"}
    body = {"domain": "dating", "items": [item, {**item, "candidate_id": "u_nobody"}]}
    answer = await client.post("/v1/feedback", json=body)
    assert answer.status_code == 404
    assert "u_nobody" in answer.json()["error"]["message"]


async def test_a_context_is_saved_for_whoever_names_nobody(client: httpx.AsyncClient) -> None:
    """The user and the domain that stand for nobody are made at first use."""
    context = await saved(client, 1)
    assert (context["user_id"], context["domain"]) == ("default", "contexts")
    assert context["memory_type"] == "episodic"
    assert context["agent_source"] == "cursor"
    assert (await client.get(f"/v2/contexts/{context['id']}")).json() == context


async def test_a_context_is_saved_for_the_configured_user(tmp_path: Path) -> None:
    """A1."""
    async with opened(tmp_path, user="ada", domain="notes") as client:
        context = await saved(client, 1)
        assert (context["user_id"], context["domain"]) == ("ada", "notes")
        listed = (await client.get("/v2/contexts")).json()
        assert [item["id"] for item in listed["items"]] == [context["id"]]


async def test_a_context_for_an_unknown_user_is_refused(client: httpx.AsyncClient) -> None:
    """A2: only who names nobody is provided for."""
    answer = await client.post("/v2/contexts", json=context_of(1, user_id="u_x", domain="notes"))
    assert answer.status_code == 404


@pytest.mark.parametrize(
    ("name", "value"),
    [("title", ""), ("title", "t" * 201), ("summary", "s" * 9), ("content", "c" * 49)],
)
async def test_a_new_context_keeps_the_contracts_bounds(
    client: httpx.AsyncClient, name: str, value: str
) -> None:
    """N2."""
    answer = await client.post("/v2/contexts", json=context_of(1, **{name: value}))
    assert answer.status_code == 400
    assert answer.json()["error"]["details"]["field"] == name


async def test_contexts_are_listed_newest_first_page_by_page(client: httpx.AsyncClient) -> None:
    ids = [(await saved(client, number))["id"] for number in range(5)]
    seen: list[str] = []
    for offset in (0, 2, 4):
        page = (await client.get(f"/v2/contexts?limit=2&offset={offset}")).json()
        assert page["contexts"] == page["items"]
        assert page["total"] == 5
        assert page["pagination"]["has_more"] is (offset < 4)
        seen += [item["id"] for item in page["items"]]
    assert seen == ids[::-1]


async def test_a_page_beyond_what_one_search_gives_is_whole(client: httpx.AsyncClient) -> None:
    """A search gives 200 hits at most; the pages behind them are there all the same."""
    ids = [(await saved(client, number))["id"] for number in range(213)]
    page = (await client.get("/v2/contexts?limit=100&offset=150")).json()
    assert [item["id"] for item in page["items"]] == ids[::-1][150:]
    assert page["total"] == 213
    assert page["pagination"]["has_more"] is False


async def test_a_page_of_long_contexts_is_whole(tmp_path: Path) -> None:
    """A search's answer is bounded in length; a page of contexts isn't cut by that."""
    words = " ".join(f"w{n}" for n in range(12_000))
    async with opened(tmp_path, secrets="off") as client:
        ids = [
            (await saved(client, number, content=f"Report {number}. {words}"))["id"]
            for number in range(7)
        ]
        page = (await client.get("/v2/contexts?limit=7")).json()
        assert sum(len(item["content"]) for item in page["items"]) > 450_000
        assert [item["id"] for item in page["items"]] == ids[::-1]


async def test_what_says_the_same_in_two_projects_is_listed_twice(
    client: httpx.AsyncClient,
) -> None:
    """P3; a search folds these into one hit (S7), a list tells what there is."""
    for number in range(3):
        await saved(client, number)
    twice = [(await saved(client, 7, project=name))["id"] for name in ("a", "b")]
    for number in range(3, 6):
        await saved(client, number)
    seen: list[str] = []
    for offset in range(0, 8, 2):
        page = (await client.get(f"/v2/contexts?limit=2&offset={offset}")).json()
        seen += [item["id"] for item in page["items"]]
    assert len(set(seen)) == 8
    assert seen.index(twice[0]) == seen.index(twice[1]) + 1


async def test_a_list_is_filtered(client: httpx.AsyncClient) -> None:
    """S5."""
    await saved(client, 1)
    wanted = await saved(
        client, 2, tags=["a", "b"], agent_source="claude-code", memory_type="fact", project="p"
    )
    for query in ("tags=a,b", "agent_source=claude-code", "memory_type=fact"):
        page = (await client.get(f"/v2/contexts?{query}")).json()
        assert [item["id"] for item in page["items"]] == [wanted["id"]], query
    assert (await client.get("/v2/contexts?tags=a,c")).json()["total"] == 0
    assert (await client.get("/v2/contexts?project=")).json()["total"] == 1


async def test_a_search_gives_whole_contexts(client: httpx.AsyncClient) -> None:
    """S1."""
    context = await saved(client, 4)
    await saved(client, 5, content="Nothing here is about machines of any kind, only about tea.")
    found = (await client.get("/v2/contexts/search?q=valve")).json()
    assert found["contexts"] == [context]
    assert (found["search_query"], found["total_results"]) == ("valve", 1)


async def test_a_semantic_search_says_why_each_was_found(tmp_path: Path) -> None:
    async with opened(tmp_path, embedder="hashing") as client:
        files = [{"file_path": f"pump/{n}.py"} for n in range(7)]
        context = await saved(client, 4, tags=["pump"], edited_files=files, project="station")
        url = "/v2/contexts/semantic-search?q=leaking valve&workspace_filter=station"
        answer = (await client.get(url)).json()
        (found,) = answer["results"]
        assert found["id"] == context["id"]
        assert 0 < found["relevance_score"] <= 1
        assert found["match_metadata"]["rank"] == 1
        assert found["match_highlights"] == [context["content"].removesuffix(" It runs now.")]
        assert len(found["files_edited"]) == 5
        assert found["workspace_name"] == "station"
        assert answer["suggestions"]["related_tags"] == ["pump"]
        assert answer["search_metadata"]["total_results"] == 1
        bare = (await client.get(f"{url}&include_highlights=false")).json()
        assert bare["results"][0]["match_highlights"] == []


async def test_an_update_changes_only_what_is_sent(client: httpx.AsyncClient) -> None:
    """N1, N13, N24."""
    context = await saved(client, 1)
    path = f"/v2/contexts/{context['id']}"
    changed = (await client.put(path, json={"ttl_seconds": None, "memory_type": "fact"})).json()
    assert (changed["content"], changed["expires_at"]) == (context["content"], None)
    answer = await client.put(path, json={"title": "T", "expected_revision": 1})
    assert answer.status_code == 409


async def test_a_deleted_context_is_gone(client: httpx.AsyncClient) -> None:
    """L6, T1."""
    context = await saved(client, 1)
    path = f"/v2/contexts/{context['id']}"
    answer = (await client.delete(path)).json()
    assert answer["success"] is True
    assert context["id"] in answer["message"]
    for again in (client.get(path), client.delete(path), client.put(path, json={"title": "T"})):
        assert (await again).status_code == 404
    assert (await client.get("/v2/contexts")).json()["total"] == 0


async def test_a_repeated_request_with_its_key_is_done_once(client: httpx.AsyncClient) -> None:
    """E4."""
    await client.post("/v1/users", json=ALICE)
    key = {"Idempotency-Key": "once"}
    first = await client.post("/v1/context", json=HIKING, headers=key)
    again = await client.post("/v1/context", json=HIKING, headers=key)
    assert first.json() == again.json()
    other = await client.post("/v1/context", json={**HIKING, "content": "Tea."}, headers=key)
    assert other.status_code == 409


async def test_what_a_session_read_is_a_source_of_what_it_writes(
    client: httpx.AsyncClient,
) -> None:
    """L4, by the header X-Session-Id."""
    read = await saved(client, 1)
    await client.post("/v1/users", json=ALICE)
    session = {"X-Session-Id": "s-1"}
    await client.get(f"/v2/contexts/{read['id']}", headers=session)
    answer = (await client.post("/v1/context", json=HIKING, headers=session)).json()
    assert answer["lineage"]["source_ids"] == [read["id"]]
    assert answer["lineage"]["observed"]["session_id"] == "s-1"


async def test_requests_that_name_no_session_have_nothing_in_common(
    client: httpx.AsyncClient,
) -> None:
    """L4: what somebody read is no source of what somebody else writes."""
    read = await saved(client, 1)
    await client.post("/v1/users", json=ALICE)
    await client.get(f"/v2/contexts/{read['id']}")
    answer = (await client.post("/v1/context", json=HIKING)).json()
    assert answer["lineage"]["source_ids"] == []


async def test_a_session_does_not_read_what_it_only_saved(client: httpx.AsyncClient) -> None:
    session = {"X-Session-Id": "s-2"}
    await client.post("/v2/contexts", json=context_of(1), headers=session)
    second = await client.post("/v2/contexts", json=context_of(2), headers=session)
    assert second.json()["lineage"]["source_ids"] == []


async def test_tenants_see_nothing_of_each_other(tmp_path: Path) -> None:
    async with open_service(settings_of(tmp_path)) as service:
        async with client_of(app_of(service, tenant="one")) as one:
            context = await saved(one, 1)
        async with client_of(app_of(service, tenant="two")) as two:
            assert (await two.get(f"/v2/contexts/{context['id']}")).status_code == 404
            assert (await two.get("/v2/contexts")).json()["total"] == 0


def test_a_call_holds_what_the_request_shows_of_its_origin() -> None:
    call = call_of(
        {
            "user-agent": "pump-bot/2.1 (linux; x86) other/1",
            "traceparent": f"00-{'a' * 32}-{'b' * 16}-01",
            "x-session-id": "s-1",
        }
    )
    assert (call.evidence.client_name, call.evidence.client_version) == ("pump-bot", "2.1")
    assert call.evidence.traceparent == f"00-{'a' * 32}-{'b' * 16}-01"
    assert call.evidence.session_id == "s-1"
    assert call.session == "rest:tests:s-1"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"user-agent": "(nobody)", "x-session-id": "../../etc", "traceparent": "00-1"},
        {"user-agent": "x" * 5_000, "x-session-id": "s" * 200, "traceparent": "\u2028"},
    ],
)
def test_what_is_no_plain_word_is_not_taken_down(headers: Mapping[str, str]) -> None:
    evidence = call_of(headers).evidence
    assert evidence.client_name is None
    assert (evidence.session_id, evidence.traceparent) == (None, None)


def test_highlights_are_the_sentences_that_hold_the_question() -> None:
    text = "Tea is hot. The valve leaked at night! Pumps run.\nA new valve came. Valve, valve."
    assert highlights(text, "which valve leaked?") == (
        "The valve leaked at night!",
        "A new valve came.",
        "Valve, valve.",
    )
    assert highlights(text, "") == ()
    assert len(highlights("word " * 1_000, "word")[0]) == 240


def call_of(headers: Mapping[str, str]) -> Any:
    async def connect() -> Service:
        raise AssertionError("nobody asks for the service here")

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    principal = Principal(tenant="local", scopes=ALL_SCOPES, name="tests")
    scope = {"type": "http", "headers": raw, PRINCIPAL: principal}
    return ServiceAccess(connect).call(Request(scope), "append_context")
