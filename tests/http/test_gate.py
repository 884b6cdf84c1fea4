"""What comes before everything: names, pages, tokens, rates, bodies. Nothing runs for a request
that is refused."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from starlette.types import Message, Receive, Scope, Send
from tests.http.serving import Seconds, Sent, ask, bearer, manual, new_token, tokens_in

from lineal.clock import ManualClock
from lineal.errors import LinealError
from lineal.faces.http.addresses import Addresses, is_loopback
from lineal.faces.http.bodies import Bodies
from lineal.faces.http.callers import Callers
from lineal.faces.http.gate import Gate, Rules
from lineal.faces.http.metrics import Metrics
from lineal.faces.http.rates import Rates
from lineal.faces.http.tokens import TOKENS_NAME, TokenFile
from lineal.faces.rest.access import PRINCIPAL, Principal

HERE = ("host", "localhost:8765")
PAGE = "https://notes.example"


@dataclass
class Behind:
    """The gate, and what it let through."""

    home: Path
    elapsed: Seconds = field(default_factory=Seconds)
    clock: ManualClock = field(default_factory=manual)
    open_to: str | None = "local"
    rates: Rates | None = None
    body_bytes: int = 1_000
    within_s: float = 30.0
    all_bytes: int = 10_000
    bound: str = "127.0.0.1"
    ran: list[Scope] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    metrics: Metrics = field(default_factory=Metrics)
    answer: Callable[[Send], Awaitable[None]] | None = None

    def __post_init__(self) -> None:
        tokens = TokenFile(self.home / TOKENS_NAME, self.elapsed)
        rules = Rules(
            addresses=Addresses(self.bound, ["memory.example", "other.example:99"], [PAGE]),
            callers=Callers(tokens, self.clock, issuer=None, open_to=self.open_to),
            rates=self.rates,
            bodies=Bodies(self.body_bytes, within_s=self.within_s, all_max=self.all_bytes),
            public={"/healthz"},
            metadata=lambda path: None,
            elapsed_s=self.elapsed,
        )
        self.gate = Gate(self._app, rules, self.metrics)

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.ran.append(scope)
        message = await receive()
        self.bodies.append(message.get("body", b""))
        if self.answer is not None:
            await self.answer(send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"ran"})

    async def ask(self, method: str = "GET", *headers: tuple[str, str], **more: Any) -> Sent:
        return await ask(self.gate, method, headers=[HERE, *headers], **more)

    async def as_(self, secret: str, **more: Any) -> Sent:
        return await self.ask("GET", *bearer(secret).items(), **more)

    async def notice(self) -> None:
        """Let the time pass after which a change of the tokens is seen."""
        self.elapsed.now_s += 1.0


@pytest.fixture
def behind(tmp_path: Path) -> Behind:
    return Behind(tmp_path)


# --- names ---


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "localhost:8765", "LOCALHOST:1", "127.0.0.1:8765", "127.0.0.9", "[::1]:80"),
        *("memory.example", "memory.example:443", "other.example:99"),
    ],
)
async def test_it_answers_to_its_own_names(behind: Behind, host: str) -> None:
    assert (await ask(behind.gate, headers=[("host", host)])).status == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:8765", "localhost.evil.example", "127.0.0.1.evil.example"),
        *("", " ", "localhost@evil.example", "evil.example#localhost", "localhost:8765:1"),
        *("other.example", "other.example:98", "0.0.0.0", "::1", "[::1", "2130706433", "*"),  # noqa: S104
        *("memory.example.", "localhost\t", "local\xadhost"),
    ],
)
async def test_another_name_gets_nothing_to_run(behind: Behind, host: str) -> None:
    sent = await ask(behind.gate, headers=[("host", host)])
    assert sent.status == 403
    assert sent.error["code"] == "forbidden"
    assert behind.ran == []


@pytest.mark.parametrize("headers", [[], [HERE, HERE], [HERE, ("host", "evil.example")]])
async def test_no_name_or_two_get_nothing_to_run(
    behind: Behind, headers: Sequence[tuple[str, str]]
) -> None:
    assert (await ask(behind.gate, headers=headers)).status == 403
    assert behind.ran == []


async def test_the_health_of_it_is_not_told_to_another_name(behind: Behind) -> None:
    sent = await ask(behind.gate, path="/healthz", headers=[("host", "evil.example")])
    assert sent.status == 403


def test_an_address_that_is_everywhere_is_no_name() -> None:
    assert not Addresses("0.0.0.0").may_be_called("0.0.0.0:8765")  # noqa: S104
    assert Addresses("192.168.1.5").may_be_called("192.168.1.5:8765")
    assert Addresses("fd00::5").may_be_called("[fd00::5]:8765")


@pytest.mark.parametrize("name", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "LocalHost"])
def test_this_machine_is_known_by_its_names(name: str) -> None:
    assert is_loopback(name)


@pytest.mark.parametrize("name", ["0.0.0.0", "::", "localhost.example", "10.0.0.1", "127.1", ""])  # noqa: S104
def test_other_machines_are_not_this_one(name: str) -> None:
    assert not is_loopback(name)


@pytest.mark.parametrize("hosts", [["*"], ["http://memory.example"], ["a b"], [""]])
def test_a_list_of_names_holds_names_only(hosts: list[str]) -> None:
    with pytest.raises(LinealError, match="LINEAL_HTTP_HOSTS"):
        Addresses("127.0.0.1", hosts)


@pytest.mark.parametrize("pages", [["*"], ["null"], ["notes.example"], ["https://a.example/path"]])
def test_a_list_of_pages_holds_origins_only(pages: list[str]) -> None:
    with pytest.raises(LinealError, match="LINEAL_HTTP_ORIGINS"):
        Addresses("127.0.0.1", (), pages)


# --- pages ---


@pytest.mark.parametrize(
    "origin",
    [PAGE, PAGE.upper(), "http://localhost:8765", "http://127.0.0.1:8765", "https://[::1]:8765"],
)
async def test_a_page_of_its_own_or_a_named_one_may_call(behind: Behind, origin: str) -> None:
    assert (await behind.ask("POST", ("origin", origin))).status == 200


@pytest.mark.parametrize(
    "origin",
    [
        *("null", "", "https://evil.example", "http://localhost:3000", "http://localhost"),
        *("https://notes.example.evil.example", "https://notes.example:444", "notes.example"),
        *("http://notes.example", "file://", "https://localhost@evil.example", "*"),
        *("http://localhost:8765/", "chrome-extension://abc"),
    ],
)
async def test_any_other_page_gets_nothing_to_run(behind: Behind, origin: str) -> None:
    sent = await behind.ask("POST", ("origin", origin))
    assert sent.status == 403
    assert "access-control-allow-origin" not in sent.headers
    assert behind.ran == []


async def test_two_origins_are_none(behind: Behind) -> None:
    sent = await behind.ask("POST", ("origin", PAGE), ("origin", "https://evil.example"))
    assert sent.status == 403


async def test_a_named_page_is_told_that_it_may_call(behind: Behind) -> None:
    asks = ("access-control-request-method", "POST")
    sent = await behind.ask("OPTIONS", ("origin", PAGE), asks)
    assert sent.status == 204
    assert sent.headers["access-control-allow-origin"] == PAGE
    assert sent.headers["vary"] == "Origin"
    assert "authorization" in sent.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in sent.headers
    assert behind.ran == []


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost:8765", None])
async def test_no_other_page_is_told_that_it_may_call(behind: Behind, origin: str | None) -> None:
    headers = [("access-control-request-method", "POST")]
    headers += [("origin", origin)] if origin is not None else []
    sent = await behind.ask("OPTIONS", *headers)
    assert sent.status == 403
    assert not [name for name in sent.headers if name.startswith("access-control")]
    assert behind.ran == []


async def test_a_named_page_may_read_what_it_is_answered_refusals_too(tmp_path: Path) -> None:
    behind = Behind(tmp_path, open_to=None)
    sent = await behind.ask("GET", ("origin", PAGE))
    assert sent.status == 401
    assert sent.headers["access-control-allow-origin"] == PAGE
    assert "WWW-Authenticate" in sent.headers["access-control-expose-headers"]


async def test_who_is_no_page_hears_nothing_of_pages(behind: Behind) -> None:
    sent = await behind.ask("GET")
    assert not [name for name in sent.headers if name.startswith("access-control")]


# --- tokens ---


async def test_without_tokens_this_machine_is_let_in_whole(behind: Behind) -> None:
    assert (await behind.ask("GET")).status == 200
    wanted = Principal(tenant="local", scopes=frozenset(("read", "write", "erase")))
    assert behind.ran[0][PRINCIPAL] == wanted


async def test_once_there_is_a_token_everybody_needs_one(behind: Behind) -> None:
    assert (await behind.ask("GET")).status == 200
    made = new_token(behind.home, "acme", ("read",), name="ci", clock=behind.clock)
    await behind.notice()
    sent = await behind.ask("GET")
    assert sent.status == 401
    assert sent.error["code"] == "unauthorized"
    assert sent.headers["www-authenticate"] == 'Bearer realm="lineal"'
    assert (await behind.as_(made.secret)).status == 200
    wanted = Principal(tenant="acme", scopes=frozenset(("read",)), name="ci")
    assert behind.ran[-1][PRINCIPAL] == wanted
    assert len(behind.ran) == 2


async def test_the_door_stays_shut_when_the_last_token_or_its_file_goes(behind: Behind) -> None:
    made = new_token(behind.home, clock=behind.clock)
    tokens_in(behind.home).revoke(made.token.id)
    assert (await behind.ask("GET")).status == 401
    (behind.home / TOKENS_NAME).unlink()
    await behind.notice()
    assert (await behind.ask("GET")).status == 401
    assert behind.ran == []


@pytest.mark.parametrize(
    "sent",
    [
        *("Bearer lineal_wrong", "Bearer", "Bearer ", "bearer  ", "Basic bGluZWFsOnB3", "lineal_x"),
        *("Bearer " + "x" * 20_000, "Bearer a b", "Bearer \xff\xfe", "Token lineal_x"),
    ],
)
async def test_a_wrong_token_is_said_to_be_wrong(behind: Behind, sent: str) -> None:
    new_token(behind.home, clock=behind.clock)
    answer = await behind.ask("GET", ("authorization", sent))
    assert answer.status == 401
    assert answer.headers["www-authenticate"] == 'Bearer realm="lineal", error="invalid_token"'
    assert behind.ran == []


async def test_two_tokens_are_none(behind: Behind) -> None:
    made = new_token(behind.home, clock=behind.clock)
    (right,) = bearer(made.secret).items()
    answer = await behind.ask("GET", right, ("authorization", "Bearer lineal_wrong"))
    assert answer.status == 401


async def test_an_expired_token_stops_at_once(behind: Behind) -> None:
    made = new_token(behind.home, clock=behind.clock, days=1)
    assert (await behind.as_(made.secret)).status == 200
    behind.clock.advance(days=1)
    assert (await behind.as_(made.secret)).status == 401


async def test_a_revoked_token_stops_while_the_server_runs(behind: Behind) -> None:
    made = new_token(behind.home, clock=behind.clock)
    assert (await behind.as_(made.secret)).status == 200
    tokens_in(behind.home).revoke(made.token.id)
    await behind.notice()
    assert (await behind.as_(made.secret)).status == 401


async def test_a_stream_ends_when_its_token_is_revoked(tmp_path: Path) -> None:
    behind = Behind(tmp_path)
    made = new_token(tmp_path, clock=behind.clock)

    async def stream(send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one ", "more_body": True})
        tokens_in(tmp_path).revoke(made.token.id)
        await behind.notice()
        await send({"type": "http.response.body", "body": b"two ", "more_body": True})
        raise AssertionError("it went on")

    behind.answer = stream
    assert (await behind.as_(made.secret)).body == b"one "


async def test_a_stream_ends_when_the_tokens_are_damaged(tmp_path: Path) -> None:
    behind = Behind(tmp_path)
    made = new_token(tmp_path, clock=behind.clock)

    async def stream(send: Send) -> None:
        (tmp_path / TOKENS_NAME).write_bytes(b"{")
        await behind.notice()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"one ", "more_body": True})
        raise AssertionError("it went on")

    behind.answer = stream
    assert (await behind.as_(made.secret)).body == b""


async def test_health_is_told_to_everybody(tmp_path: Path) -> None:
    behind = Behind(tmp_path, open_to=None)
    assert (await behind.ask("GET", path="/healthz")).status == 200
    assert (await behind.ask("GET", path="/healthz/")).status == 401
    assert PRINCIPAL not in behind.ran[0]


async def test_damaged_tokens_let_nobody_in(behind: Behind) -> None:
    (behind.home / TOKENS_NAME).write_bytes(b"{")
    sent = await behind.ask("GET")
    assert sent.status == 503
    assert sent.error["code"] == "unavailable"
    assert behind.ran == []


async def test_a_wrong_token_leaves_a_line_without_the_token(
    behind: Behind, caplog: pytest.LogCaptureFixture
) -> None:
    new_token(behind.home, clock=behind.clock)
    with caplog.at_level(logging.WARNING, "lineal.audit"):
        await behind.as_("lineal_canary")
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "canary" not in caplog.text
    assert "127.0.0.1" in caplog.text


# --- rates ---


async def test_one_token_that_is_used_too_often_slows_no_other(tmp_path: Path) -> None:
    elapsed = Seconds()
    behind = Behind(tmp_path, elapsed=elapsed, rates=Rates(2, elapsed))
    one, other = (new_token(tmp_path, clock=behind.clock).secret for _ in range(2))
    first = [await behind.as_(one) for _ in range(5)]
    assert [sent.status for sent in first] == [200, 200, 200, 200, 429]
    assert [sent.headers["x-ratelimit-remaining"] for sent in first] == ["3", "2", "1", "0", "0"]
    assert first[0].headers["x-ratelimit-limit"] == "4"
    refused = first[-1]
    assert refused.error["code"] == "rate_limited"
    assert refused.error["retryable"] is True
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["x-ratelimit-reset"] == "2"
    assert [(await behind.as_(other)).status for _ in range(4)] == [200] * 4
    elapsed.now_s += 0.5
    assert [(await behind.as_(one)).status for _ in range(2)] == [200, 429]
    assert len(behind.ran) == 9


async def test_the_wait_that_is_told_is_long_enough(tmp_path: Path) -> None:
    elapsed = Seconds()
    behind = Behind(tmp_path, elapsed=elapsed, rates=Rates(0.1, elapsed))
    assert (await behind.ask("GET")).status == 200
    wait_s = int((await behind.ask("GET")).headers["retry-after"])
    assert wait_s == 10
    elapsed.now_s += wait_s
    assert (await behind.ask("GET")).status == 200


async def test_a_wrong_token_takes_nothing_from_a_right_one(tmp_path: Path) -> None:
    elapsed = Seconds()
    behind = Behind(tmp_path, elapsed=elapsed, rates=Rates(1, elapsed))
    made = new_token(tmp_path, clock=behind.clock)
    for _ in range(50):
        assert (await behind.as_(made.secret + "x")).status == 401
    assert (await behind.as_(made.secret)).status == 200


def test_the_buckets_of_callers_are_bounded() -> None:
    rates = Rates(1, Seconds())
    for number in range(12_000):
        rates.take(str(number))
    assert len(rates._buckets) == 10_000


# --- bodies ---


async def test_a_body_is_handed_on_whole(behind: Behind) -> None:
    sent = await behind.ask("POST", body=[b"a" * 400, b"b" * 600])
    assert sent.status == 200
    assert behind.bodies == [b"a" * 400 + b"b" * 600]


async def test_an_announced_body_that_is_too_long_is_not_even_read(behind: Behind) -> None:
    sent = await behind.ask("POST", ("content-length", "1001"), body=[b"a" * 1001])
    assert sent.status == 413
    assert sent.error["code"] == "invalid_request"
    assert behind.ran == []


async def test_a_body_in_chunks_is_counted_while_it_is_read(behind: Behind) -> None:
    sent = await behind.ask("POST", body=[b"a" * 999, b"bb", b"c"])
    assert sent.status == 413
    assert behind.ran == []


async def test_who_may_not_call_sends_no_body_either(tmp_path: Path) -> None:
    behind = Behind(tmp_path, open_to=None)
    sent = await behind.ask("POST", ("content-length", "1001"), body=[b"a" * 1001])
    assert sent.status == 401


async def test_a_body_that_drips_is_given_up(tmp_path: Path) -> None:
    behind = Behind(tmp_path, within_s=0.05)
    answered = Sent()

    async def dripping() -> Message:
        await anyio.sleep(0.02)
        return {"type": "http.request", "body": b"x", "more_body": True}

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/here",
        "headers": [(b"host", b"localhost"), (b"content-length", b"900")],
    }
    with anyio.fail_after(5):
        await behind.gate(scope, dripping, answered.send)
    assert answered.status == 408
    assert answered.headers["connection"] == "close"
    assert behind.ran == []


async def test_a_client_that_goes_away_is_answered_nothing(behind: Behind) -> None:
    sent = await behind.ask("POST", ("content-length", "9"))
    assert sent.status == 0
    assert behind.ran == []


async def test_all_bodies_together_are_bounded(tmp_path: Path) -> None:
    behind = Behind(tmp_path, all_bytes=2_500)
    held = anyio.Event()
    let_go = anyio.Event()

    async def holding(send: Send) -> None:
        if len(behind.ran) == 2:
            held.set()
        await let_go.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    behind.answer = holding
    async with anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(lambda: behind.ask("POST", body=[b"a" * 1000]))
        await held.wait()
        sent = await behind.ask("POST", body=[b"a" * 1000])
        assert sent.status == 503
        assert sent.headers["retry-after"] == "1"
        let_go.set()
    behind.answer = None
    assert (await behind.ask("POST", body=[b"a" * 1000])).status == 200


# --- what is counted ---


async def test_what_is_counted_names_nobody(tmp_path: Path) -> None:
    elapsed = Seconds()
    behind = Behind(tmp_path, elapsed=elapsed, rates=Rates(0.5, elapsed))
    secret_tenant = new_token(tmp_path, "acme-tenant", name="ci-name", clock=behind.clock)
    await behind.notice()
    for _ in range(2):
        await behind.as_(secret_tenant.secret, path="/v2/contexts/ctx_secret")
    await behind.ask("BREW", ("authorization", "Bearer lineal_wrong"), path="/v1/users/ada")
    told = behind.metrics.text().decode()
    assert "lineal_http_rate_limited_total 1.0" in told
    assert "lineal_http_auth_failures_total 1.0" in told
    assert 'lineal_http_requests_total{method="GET",route="none",status="200"} 1.0' in told
    assert 'method="other"' in told
    for word in ("acme-tenant", "ci-name", "ctx_secret", "ada", "BREW", secret_tenant.secret):
        assert word not in told


def test_a_time_that_is_told_is_a_time(tmp_path: Path) -> None:
    """A token's end is compared with the clock that was handed in, never with the machine's."""
    clock = manual()
    made = new_token(tmp_path, clock=clock, days=1)
    assert made.token.expires_at == clock.now() + timedelta(days=1)
