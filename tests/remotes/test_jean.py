"""Jean, spoken to over a socket: what arrives there, and what is made of every answer."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from lineal.errors import Capability, ErrorCode, LinealError, Unsupported
from lineal.models.changes import Scope
from lineal.models.matching import MatchUsers
from lineal.models.search import SearchContext
from lineal.outbound.faults import Away, Refused
from lineal.ports.remote import Remote
from lineal.testing.contracts.faults import answering
from lineal.testing.contracts.jean import JeanContract

from .deliveries import (
    CANARY,
    LONG,
    appending,
    deleting,
    judging,
    silent,
    speaking,
    updating,
    upserting,
)
from .failing import AWAY, REFUSED

ADA = Scope(tenant="home", user_id="ada", domain="coding")


@pytest.fixture
def server() -> JeanContract:
    return JeanContract(CANARY)


@pytest.fixture
async def jean(server: JeanContract) -> AsyncIterator[Remote]:
    """Where ada is known."""
    async with speaking("jean", server, "/v1") as remote:
        await remote.send(upserting(fields={"age": 32}), None)
        yield remote


async def test_an_append_arrives_as_the_contract_has_it(jean: Remote, server: JeanContract) -> None:
    sent = await jean.send(appending(source="chat"), None)
    assert server.seen[-1].json == {
        "user_id": "ada",
        "domain": "coding",
        "content": LONG,
        "occurred_at": "2026-03-01T12:00:00Z",
        "source": "chat",
    }
    assert sent.remote_id == "ctx_0000"
    assert sent.fields_updated == ("interests", "values_text")
    assert sent.embeddings_refreshed
    assert sent.note is None


async def test_a_source_that_jean_doesnt_know_is_left_out_and_told(
    jean: Remote, server: JeanContract
) -> None:
    sent = await jean.send(appending(source="git_hook"), None)
    assert "source" not in server.seen[-1].json
    assert sent.note is not None
    assert "git_hook" in sent.note


async def test_the_same_append_twice_is_taken_once(jean: Remote, server: JeanContract) -> None:
    assert "append" in jean.repeats
    first = await jean.send(appending(), None)
    again = await jean.send(appending(), None)
    assert again.remote_id == first.remote_id
    assert again.fields_updated == ()
    assert len(server.contexts) == 1


async def test_an_append_about_nobody_is_not_found(jean: Remote) -> None:
    nobody = appending().model_copy(update={"user_id": "nobody"})
    with pytest.raises(Refused) as caught:
        await jean.send(nobody, None)
    assert (caught.value.answered, caught.value.code) == (404, ErrorCode.NOT_FOUND)


async def test_an_upsert_sends_only_what_was_said(jean: Remote, server: JeanContract) -> None:
    sent = await jean.send(upserting(fields={"age": 33}, memory_ref="jeanmemory://a/b"), None)
    assert server.seen[-1].json == {
        "user_id": "ada",
        "domain": "coding",
        "fields": {"age": 33},
        "memory_ref": "jeanmemory://a/b",
    }
    assert sent.user is not None
    assert sent.user.fields == {"age": 33}
    assert sent.user.derived == {"attachment_style": "secure"}
    assert sent.user.embeddings["coding"].dim == 1024
    assert sent.user.schema_version == "coding.v3"


async def test_an_update_of_the_text_is_added_and_told(jean: Remote, server: JeanContract) -> None:
    changed = updating(content="Deployments moved to Paris, on Mondays, without any tests at all.")
    assert jean.sends(changed)
    sent = await jean.send(changed, "ctx_0000")
    assert server.seen[-1].path == "/context"
    assert sent.note == "Jean can't change a context: the new text was added to the old."


async def test_an_update_of_anything_else_stays_in_the_ledger(jean: Remote) -> None:
    assert not jean.sends(updating(title="Deployments", tags=("ops",)))
    assert not jean.sends(updating(ttl_seconds=None))
    assert not jean.sends(deleting("ctx_0000"))
    assert jean.sends(appending())


async def test_an_outcome_is_feedback(jean: Remote, server: JeanContract) -> None:
    await jean.send(judging("grace"), None)
    item = {"seeker_id": "ada", "candidate_id": "grace", "outcome": "accepted", "weight": 2.0}
    assert server.outcomes == [item]


async def test_a_user_is_asked_for_by_name_whatever_it_holds(
    jean: Remote, server: JeanContract
) -> None:
    for user_id in ("ada", "a/b c%2F?", "..", "日本", "lineal:x"):
        scope = ADA.model_copy(update={"user_id": user_id})
        upsert = upserting(fields={"name": user_id}).model_copy(update={"user_id": user_id})
        await jean.send(upsert, None)
        assert (await jean.user(scope)).fields == {"name": user_id}
    with pytest.raises(Refused) as caught:
        await jean.user(ADA.model_copy(update={"user_id": "nobody"}))
    assert caught.value.answered == 404


async def test_a_schema_is_told_in_our_words(jean: Remote) -> None:
    schema = await jean.schema("dating")
    assert schema.schema_version == "dating.v3"
    told = {name: (spec.kind, spec.type, spec.priority) for name, spec in schema.fields.items()}
    assert told == {
        "age": ("hard", "integer", 2),
        "interests": ("soft", "string", 1),
        "attachment_style": ("derived", "enum", 0),
    }
    assert schema.fields["age"].required


async def test_a_schema_of_types_that_nobody_knows_is_text(
    jean: Remote, server: JeanContract
) -> None:
    fields = [{"name": "a", "kind": "odd", "type": "geo"}, {"name": "b", "type": "array"}, 7]
    server.faults.add("GET", "/schema", answering(200, {"version": None, "fields": fields}))
    schema = await jean.schema("odd")
    assert schema.version == 0
    kinds = {name: (spec.kind, spec.type) for name, spec in schema.fields.items()}
    assert kinds == {"a": ("soft", "string"), "b": ("soft", "list")}


async def test_who_stands_behind_another_wall_is_never_a_match(jean: Remote) -> None:
    for tenant, user_id in (("home", "grace"), ("other", "eve"), ("other", "ada")):
        upsert = upserting(fields={})
        await jean.send(upsert.model_copy(update={"tenant": tenant, "user_id": user_id}), None)
    home = await jean.match(ADA, MatchUsers())
    assert [one.user_id for one in home.candidates] == ["grace"]
    assert (home.considered, home.filtered, home.more) == (1, 0, 0)
    assert home.candidates[0].reasons == ("Both hike.",)
    assert home.candidates[0].stages == {"retrieval": 0.8}
    other = await jean.match(ADA.model_copy(update={"tenant": "other"}), MatchUsers())
    assert [one.user_id for one in other.candidates] == ["eve"]


async def test_a_description_is_not_matched(jean: Remote) -> None:
    with pytest.raises(LinealError) as caught:
        await jean.match(ADA, MatchUsers(description="Somebody who hikes."))
    assert caught.value.code is ErrorCode.INVALID_REQUEST


async def test_what_the_contract_hasnt_is_refused_by_its_name(jean: Remote) -> None:
    with pytest.raises(Unsupported):
        await jean.get("ctx_0000")
    with pytest.raises(Unsupported):
        await jean.search(ADA, SearchContext(query="x"), 10)
    with pytest.raises(Unsupported):
        await jean.sent_before(appending())
    with pytest.raises(Unsupported):
        await jean.send(deleting("ctx_0000"), None)
    assert set(jean.capabilities) == set(Capability)
    assert jean.capabilities[Capability.REPLACE_ALL] == "refused"


@pytest.mark.parametrize("name", AWAY)
async def test_what_may_be_taken_later_says_whether_it_arrived(
    name: str, server: JeanContract, caplog: pytest.LogCaptureFixture
) -> None:
    left = AWAY[name]
    caplog.set_level("INFO")
    server.faults.add("POST", "/context", left.fault)
    async with speaking("jean", server, "/v1", timeout_s=0.3) as jean:
        with pytest.raises(Away) as caught:
            await jean.send(appending(), None)
    away = caught.value
    assert (away.arrived, away.wait_s, away.code) == (left.arrived, left.wait_s, left.code)
    assert away.answered == left.answered
    assert server.count("POST", "/context") == 1  # it retries nothing
    assert silent(caplog, away, away.__context__, away.details)


@pytest.mark.parametrize("name", REFUSED)
async def test_what_wont_be_taken_says_why_in_one_line(
    name: str, server: JeanContract, caplog: pytest.LogCaptureFixture
) -> None:
    turned = REFUSED[name]
    caplog.set_level("INFO")
    server.faults.add("POST", "/context", turned.fault)
    async with speaking("jean", server, "/v1") as jean:
        with pytest.raises(Refused) as caught:
            await jean.send(appending(), None)
    refused = caught.value
    assert (refused.code, refused.answered, refused.key) == (
        turned.code,
        turned.answered,
        turned.key,
    )
    if turned.details is not None:
        assert refused.details == turned.details
    assert "\n" not in refused.message
    assert silent(caplog, refused, refused.__context__, refused.details)


async def test_a_wrong_key_is_the_keys_fault(server: JeanContract) -> None:
    async with speaking("jean", server, "/v1", key="another-key") as jean:
        with pytest.raises(Refused) as caught:
            await jean.send(appending(), None)
    assert caught.value.key
    assert "LINEAL_REMOTE_KEY" in caught.value.message


async def test_nobody_at_the_address_is_surely_not_arrived(server: JeanContract) -> None:
    async with speaking("jean", server, "/v1") as jean:
        pass
    with pytest.raises(Away) as caught:
        await jean.send(appending(), None)
    assert caught.value.arrived is False
    await jean.close()


async def test_foreign_words_are_bounded_and_visible(server: JeanContract) -> None:
    hidden = "\u202eno\u200b\x1b[31m" + f" {CANARY[:6]}\u200b{CANARY[6:]} " + "z" * 5_000
    body = {"error": {"code": "invalid_request", "message": hidden, "details": {"key": CANARY}}}
    server.faults.add("POST", "/context", answering(400, body))
    async with speaking("jean", server, "/v1") as jean:
        with pytest.raises(Refused) as caught:
            await jean.send(appending(), None)
    told = caught.value
    assert len(told.message) < 400
    assert told.message.isprintable()
    assert CANARY not in str(told.body())
    assert told.details == {"key": "[key]"}


async def test_a_letter_of_another_tenant_goes_by_another_name(
    jean: Remote, server: JeanContract
) -> None:
    theirs = upserting(fields={}).model_copy(update={"tenant": "acme/x"})
    await jean.send(theirs, None)
    assert server.seen[-1].json["user_id"] == "lineal:acme%2Fx:ada"
