"""Letters as the outbox hands them out, and a remote that is spoken to over a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic import SecretStr

from lineal.clock import ManualClock
from lineal.models.base import Model
from lineal.models.context import UpdateContext
from lineal.models.forwarding import Letter, LetterVerb
from lineal.models.letters import (
    AppendLetter,
    DeleteLetter,
    OutcomeLetter,
    UpdateLetter,
    UpsertLetter,
)
from lineal.models.matching import RecordOutcome
from lineal.models.user import UpsertUser
from lineal.ports.remote import Remote
from lineal.remotes.known import remote_of
from lineal.testing.contracts.server import Contract, serving
from lineal.testing.samples import START, a_context

CANARY = "canary-key-7f3a91"
LONG = "Deployments go to Frankfurt on Thursdays, after the smoke tests are green."
CLOCK = ManualClock(START)


def letter(verb: LetterVerb, body: Model, context_id: str = "", **values: Any) -> Letter:
    """ada's, in coding, of the home tenant."""
    base: dict[str, Any] = {
        "letter_id": "let_1",
        "tenant": "home",
        "user_id": "ada",
        "domain": "coding",
        "verb": verb,
        "context_id": context_id,
        "body": body.model_dump_json(exclude_unset=True),
        "posted_at": START,
        "due_at": START,
    }
    return Letter(**{**base, **values})


def appending(context_id: str = "ctx_1", **values: Any) -> Letter:
    context = a_context(context_id, **{"content": LONG, **values})
    return letter("append", AppendLetter(context=context), context_id)


def updating(kept: dict[str, Any] | None = None, **sent: Any) -> Letter:
    """sent: what the caller changed; kept: what the context holds besides."""
    request = UpdateContext(context_id="ctx_1", **sent)
    values = {name: value for name, value in sent.items() if name != "ttl_seconds"}
    plain = request.model_dump(mode="json", include=set(values), exclude_unset=True)
    plain = {name: value for name, value in plain.items() if value is not None}
    plain.pop("lineage", None)
    context = a_context("ctx_1", **{"content": LONG, **plain, **(kept or {})})
    return letter("update", UpdateLetter(request=request, context=context), "ctx_1")


def deleting(remote_id: str) -> Letter:
    return letter("delete", DeleteLetter(remote_id=remote_id), "ctx_1")


def upserting(**sent: Any) -> Letter:
    return letter("upsert", UpsertLetter(request=UpsertUser(**sent)))


def judging(candidate_id: str) -> Letter:
    request = RecordOutcome(candidate_id=candidate_id, outcome="accepted", weight=2.0)
    return letter("outcome", OutcomeLetter(request=request))


@asynccontextmanager
async def speaking(
    scheme: str, server: Contract, base: str = "", *, key: str = CANARY, timeout_s: float = 5.0
) -> AsyncIterator[Remote]:
    async with serving(server) as address:
        remote = remote_of(
            scheme,
            address + base,
            SecretStr(key),
            home_tenant="home",
            timeout_s=timeout_s,
            clock=CLOCK,
        )
        try:
            yield remote
        finally:
            await remote.close()


def silent(caplog: pytest.LogCaptureFixture, *said: object) -> bool:
    """Whether the key stands in none of these, and in no log."""
    texts = [caplog.text, *(f"{one!r} {one}" for one in said)]
    return not any(CANARY in text for text in texts)
