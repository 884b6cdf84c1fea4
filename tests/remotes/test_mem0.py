"""Mem0, spoken to over a socket: its platform, and a server of one's own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from lineal.errors import Capability, LinealError, Unsupported
from lineal.models.changes import Scope
from lineal.models.context import MemoryType
from lineal.models.lineage import DeclaredLineage
from lineal.models.search import SearchContext
from lineal.outbound.faults import Away, Refused
from lineal.ports.remote import Remote
from lineal.remotes.known import remote_of
from lineal.testing.contracts.faults import answering, cut_after
from lineal.testing.contracts.mem0 import Mem0Contract
from lineal.testing.contracts.mem0_server import Mem0ServerContract
from lineal.testing.samples import START

from .deliveries import CANARY, LONG, appending, deleting, silent, speaking, updating, upserting
from .failing import AWAY, REFUSED

ADA = Scope(tenant="home", user_id="ada", domain="coding")
NOWHERE = "00000000-0000-0000-0000-00000000dead"
Either = Mem0Contract | Mem0ServerContract


@pytest.fixture(params=["mem0", "mem0-server"])
def server(request: pytest.FixtureRequest) -> Either:
    return Mem0Contract(CANARY) if request.param == "mem0" else Mem0ServerContract(CANARY)


def scheme_of(server: Either) -> str:
    return "mem0" if isinstance(server, Mem0Contract) else "mem0-server"


@pytest.fixture
async def mem0(server: Either) -> AsyncIterator[Remote]:
    async with speaking(scheme_of(server), server) as remote:
        yield remote


async def stored(mem0: Remote, **values: Any) -> str:
    sent = await mem0.send(appending(**values), None)
    assert sent.remote_id is not None
    return sent.remote_id


async def test_an_append_arrives_to_be_stored_as_it_is(mem0: Remote, server: Either) -> None:
    sent = await mem0.send(
        appending(
            title="Deployments",
            tags=("ops",),
            metadata={"title": "theirs"},
            expires_at=datetime(2026, 3, 31, 23, 59, 59, tzinfo=UTC),
        ),
        None,
    )
    assert server.seen[-1].json == {
        "messages": [{"role": "user", "content": LONG}],
        "infer": False,
        "user_id": "ada",
        "metadata": {
            "title": "Deployments",
            "tags": ["ops"],
            "metadata": {"title": "theirs"},
            "memory_type": "fact",
            "lineal": {
                "id": "ctx_1",
                "tenant": "home",
                "user_id": "ada",
                "domain": "coding",
                "project": None,
                "occurred_at": "2026-03-01T12:00:00Z",
            },
        },
        "timestamp": int(START.timestamp()),
        "expiration_date": "2026-04-01",
    }
    assert sent.remote_id == "00000000-0000-0000-0000-000000000001"
    assert sent.note == "Mem0 ends a memory by the day: it is kept there until the day after."


async def test_what_comes_back_is_what_was_sent(mem0: Remote) -> None:
    remote_id = await stored(
        mem0, title="Deployments", tags=("ops",), metadata={"title": "theirs"}, agent_source="a/1"
    )
    record = await mem0.get(remote_id)
    assert (record.local_id, record.tenant, record.user_id, record.domain) == (
        "ctx_1",
        "home",
        "ada",
        "coding",
    )
    assert (record.title, record.content, record.tags) == ("Deployments", LONG, ("ops",))
    assert record.metadata == {"title": "theirs"}
    assert (record.memory_type, record.agent_source) == (MemoryType.FACT, "a/1")
    assert record.created_at == START


async def test_an_update_sends_what_mem0_knows(mem0: Remote, server: Either) -> None:
    remote_id = await stored(mem0)
    await mem0.send(updating(content="Paris, on Mondays. " * 4), remote_id)
    assert server.seen[-1].json == {"text": "Paris, on Mondays. " * 4}
    await mem0.send(updating(title="Deployments"), remote_id)
    assert server.seen[-1].json["metadata"]["title"] == "Deployments"
    assert server.seen[-1].json["metadata"]["lineal"]["id"] == "ctx_1"
    await mem0.send(updating(ttl_seconds=None), remote_id)
    assert server.seen[-1].json == {"expiration_date": None}
    end = START + timedelta(days=7)
    await mem0.send(updating({"expires_at": end}, ttl_seconds=604_800), remote_id)
    assert server.seen[-1].json == {"expiration_date": "2026-03-09"}
    assert (await mem0.get(remote_id)).content == "Paris, on Mondays. " * 4


async def test_what_mem0_doesnt_know_stays_in_the_ledger(mem0: Remote) -> None:
    assert not mem0.sends(updating(lineage=DeclaredLineage(model_version="m")))
    assert not mem0.sends(updating(edited_files=[{"file_path": "a.py"}]))
    assert not mem0.sends(upserting(fields={}))
    assert mem0.sends(updating(tags=()))
    assert mem0.sends(appending())


async def test_what_is_deleted_already_is_deleted(mem0: Remote, server: Either) -> None:
    remote_id = await stored(mem0)
    await mem0.send(deleting(remote_id), None)
    assert server.memories.all == {}
    await mem0.send(deleting(remote_id), None)


async def test_what_isnt_there_is_not_found(mem0: Remote, server: Either) -> None:
    for remote_id in (NOWHERE, "no-uuid", "../x"):
        with pytest.raises(Refused) as caught:
            await mem0.get(remote_id)
        assert caught.value.answered == 404
    for missing in (NOWHERE, None):
        with pytest.raises(Refused) as caught:
            await mem0.send(updating(title="x"), missing)
        assert caught.value.answered == 404


async def test_an_older_servers_null_is_not_found(mem0: Remote, server: Either) -> None:
    server.faults.add("GET", "/", answering(200, None))
    with pytest.raises(Refused) as caught:
        await mem0.get(NOWHERE)
    assert caught.value.answered == 404


async def test_a_letter_that_may_have_arrived_is_found(mem0: Remote, server: Either) -> None:
    server.faults.add("POST", "/", cut_after)
    with pytest.raises(Away):
        await mem0.send(appending(), None)
    found = await mem0.sent_before(appending())
    assert found is not None
    assert found.remote_id == "00000000-0000-0000-0000-000000000001"
    assert await mem0.sent_before(appending().model_copy(update={"body": ""})) == found
    assert await mem0.sent_before(appending("ctx_2")) is None
    with pytest.raises(Unsupported):
        await mem0.sent_before(updating(title="x"))


async def test_a_search_goes_by_the_users_name_there(mem0: Remote, server: Either) -> None:
    await stored(mem0)
    await mem0.send(appending("ctx_2").model_copy(update={"tenant": "other"}), None)
    (hit,) = await mem0.search(ADA, SearchContext(query="Frankfurt"), 10)
    assert (hit.local_id, hit.score) == ("ctx_1", 0.9)
    other = ADA.model_copy(update={"tenant": "other"})
    (theirs,) = await mem0.search(other, SearchContext(query="Frankfurt"), 10)
    assert theirs.local_id is not None
    assert await mem0.search(ADA, SearchContext(query="Oslo"), 10) == ()
    (newest,) = await mem0.search(ADA, SearchContext(), 10)
    assert newest.local_id == "ctx_1"


async def test_what_others_stored_tells_whose_it_is(mem0: Remote, server: Either) -> None:
    body = {"messages": [{"content": "Frankfurt"}], "user_id": "lineal:other:eve"}
    metadata = {"lineal": "odd", "a": 1}
    server.memories.add({**body, "metadata": metadata, "expiration_date": "2026-03-31"})
    memory_id = next(iter(server.memories.all))
    record = await mem0.get(memory_id)
    assert (record.local_id, record.tenant, record.user_id) == (None, "other", "eve")
    assert record.metadata == metadata
    assert record.expires_at == datetime(2026, 4, 1, tzinfo=UTC)


async def test_filters_hold_the_user_and_slashes_end_the_paths() -> None:
    server = Mem0Contract(CANARY)
    async with speaking("mem0", server) as mem0:
        await stored(mem0)
        await mem0.search(ADA, SearchContext(query="Frankfurt"), 7)
    assert server.seen[-1].json == {
        "query": "Frankfurt",
        "filters": {"AND": [{"user_id": "ada"}]},
        "top_k": 7,
    }
    assert all(seen.path.endswith("/") for seen in server.seen)


async def test_a_memory_that_is_still_being_stored_is_waited_for() -> None:
    server = Mem0Contract(CANARY, pending=2)
    async with speaking("mem0", server) as mem0:
        assert await stored(mem0) == "00000000-0000-0000-0000-000000000001"
    assert server.count("GET", "/v1/event/") == 2


async def test_a_memory_that_isnt_stored_in_time_may_have_arrived() -> None:
    server = Mem0Contract(CANARY, pending=1_000)
    async with speaking("mem0", server, timeout_s=0.2) as mem0:
        with pytest.raises(Away) as caught:
            await mem0.send(appending(), None)
    assert caught.value.arrived is None


async def test_a_memory_that_couldnt_be_stored_has_not_arrived() -> None:
    server = Mem0Contract(CANARY, pending=1)
    server.faults.add("GET", "/v1/event/", answering(200, {"id": "e", "status": "FAILED"}))
    async with speaking("mem0", server) as mem0:
        with pytest.raises(Away) as caught:
            await mem0.send(appending(), None)
    assert caught.value.arrived is False


async def test_a_letter_on_a_page_too_far_is_uncertain() -> None:
    server = Mem0Contract(CANARY)
    async with speaking("mem0", server) as mem0:
        await stored(mem0, context_id="ctx_other")
        first = next(iter(server.memories.all.values()))
        server.memories.all |= {f"x{at}": {**first, "id": f"x{at}"} for at in range(1_000)}
        with pytest.raises(Unsupported):
            await mem0.sent_before(appending())
    assert server.count("POST", "/v3/memories/") == 6


async def test_what_the_contract_hasnt_is_refused_by_its_name(mem0: Remote) -> None:
    with pytest.raises(Unsupported):
        await mem0.user(ADA)
    with pytest.raises(Unsupported):
        await mem0.schema("coding")
    with pytest.raises(Unsupported):
        await mem0.send(upserting(fields={}), None)
    assert set(mem0.capabilities) == set(Capability)


@pytest.mark.parametrize("name", AWAY)
async def test_what_may_be_taken_later_says_whether_it_arrived(
    name: str, server: Either, caplog: pytest.LogCaptureFixture
) -> None:
    left = AWAY[name]
    caplog.set_level("INFO")
    server.faults.add("POST", "/", left.fault)
    async with speaking(scheme_of(server), server, timeout_s=0.3) as mem0:
        with pytest.raises(Away) as caught:
            await mem0.send(appending(), None)
    away = caught.value
    assert (away.arrived, away.wait_s, away.code, away.answered) == (
        left.arrived,
        left.wait_s,
        left.code,
        left.answered,
    )
    assert silent(caplog, away, away.__context__)


@pytest.mark.parametrize("name", REFUSED)
async def test_what_wont_be_taken_says_why(
    name: str, server: Either, caplog: pytest.LogCaptureFixture
) -> None:
    turned = REFUSED[name]
    caplog.set_level("INFO")
    server.faults.add("POST", "/", turned.fault)
    async with speaking(scheme_of(server), server) as mem0:
        with pytest.raises(Refused) as caught:
            await mem0.send(appending(), None)
    refused = caught.value
    assert (refused.code, refused.answered, refused.key) == (
        turned.code,
        turned.answered,
        turned.key,
    )
    assert silent(caplog, refused, refused.__context__, refused.details)


@pytest.mark.parametrize(
    ("scheme", "url", "key", "named"),
    [
        ("jean", None, None, "LINEAL_REMOTE_KEY"),
        ("nia", None, " ", "LINEAL_REMOTE_KEY"),
        ("mem0", "https://example.com", None, "LINEAL_REMOTE_KEY"),
        ("mem0-server", None, "k", "LINEAL_REMOTE_URL"),
        ("jean", "ftp://example.com", "k", "LINEAL_REMOTE_URL"),
        ("jean", "https://u:p@example.com", "k", "LINEAL_REMOTE_URL"),
        ("nia", "http://example.com", "k", "LINEAL_REMOTE_URL"),
        ("nia", None, "k\nx: y", "LINEAL_REMOTE_KEY"),
        ("zep", None, "k", "LINEAL_BACKEND"),
    ],
)
def test_what_cant_be_a_remote_names_the_setting(
    scheme: str, url: str | None, key: str | None, named: str
) -> None:
    secret = None if key is None else SecretStr(key)
    with pytest.raises(LinealError) as caught:
        remote_of(scheme, url, secret, home_tenant="home", timeout_s=1.0)
    assert caught.value.details["field"] == named


def test_each_service_is_where_it_is_unless_said_otherwise() -> None:
    key = SecretStr("k")
    places = {
        scheme: remote_of(scheme, None, key, home_tenant="home", timeout_s=1.0).place
        for scheme in ("jean", "nia", "mem0")
    }
    assert places == {
        "jean": "https://api.jeantechnologies.com",
        "nia": "https://apigcp.trynia.ai",
        "mem0": "https://api.mem0.ai",
    }
    own = remote_of("mem0-server", "http://mem0.lan:8000", None, home_tenant="home", timeout_s=1.0)
    assert (own.name, own.place) == ("mem0-server", "http://mem0.lan:8000")
    open_ = remote_of("jean", "http://127.0.0.1:9", None, home_tenant="home", timeout_s=1.0)
    assert open_.name == "jean"


async def test_an_open_server_is_sent_no_key() -> None:
    server = Mem0ServerContract(None)
    async with speaking("mem0-server", server, key="") as mem0:
        await stored(mem0)
    assert "x-api-key" not in server.seen[-1].headers
