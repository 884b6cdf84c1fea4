"""Requests to others, over real sockets: what goes out, what comes back, and what went wrong."""

from __future__ import annotations

import asyncio
import gc
import gzip
import json
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from lineal.clock import ManualClock
from lineal.errors import ErrorCode, LinealError
from lineal.outbound.address import Address, address_of, bearer_of, key_of, place_of
from lineal.outbound.advice import advice_of
from lineal.outbound.caller import Caller, Lost, Reply
from lineal.outbound.faults import Away
from lineal.outbound.retrying import retried
from lineal.outbound.waiting import WAIT_S_MAX, wait_s_of

from .stand_in_http import Act, StandIn, drip, hang, http, hung_up, listening, raw

pytestmark = pytest.mark.anyio

KEY = "sk-canary-0123456789"
NOW = datetime(2026, 5, 17, 22, tzinfo=UTC)
KEPT = http(200, "{}", connection="keep-alive")


def base_of(url: str, *, keyed: bool = False) -> httpx.URL:
    example = "https://api.example.com"
    return address_of(url, "OUR_URL", key_setting="OUR_KEY", example=example, keyed=keyed)


@asynccontextmanager
async def calling(place: StandIn | str, **more: Any) -> AsyncIterator[Caller]:
    headers = {**bearer_of(SecretStr(KEY)), "x-api-key": KEY}
    url = place if isinstance(place, str) else place.url
    caller = Caller(base_of(url), headers, **{"timeout_s": 10.0, **more})
    try:
        yield caller
    finally:
        await caller.close()


async def answered(*acts: Act, **more: Any) -> Reply:
    async with listening(*acts) as stand_in, calling(stand_in, **more) as caller:
        return await caller.call("POST", "things", json={})


async def away(
    caller: Caller, method: str = "POST", path: str = "secret-path", **more: Any
) -> Away:
    """What is said when there is no answer: the host, and neither key nor path."""
    with pytest.raises(Away) as caught:
        await caller.call(method, path, **{"params": {"q": "secret-query"}, **more})
    told = f"{caught.value!r} {caught.value.body()} {caught.value.__cause__} {vars(caught.value)}"
    assert "at http" in caught.value.message
    assert not any(word in told for word in (KEY, "secret-path", "secret-query", "/v1"))
    return caught.value


async def away_from(*acts: Act, **more: Any) -> Away:
    async with listening(*acts) as stand_in, calling(stand_in, **more) as caller:
        return await away(caller)


# The address and the key.


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("https://api.example.com", "https://api.example.com"),
        (" https://API.example.com:443/ ", "https://api.example.com"),
        ("http://localhost:11434/v1/", "http://localhost:11434/v1"),
        ("http://[::1]:8080/a%2Fb//", "http://[::1]:8080/a%2Fb"),
        ("https://example.com/?", "https://example.com"),
    ],
)
def test_an_address_is_kept_without_a_slash_at_its_end(url: str, base: str) -> None:
    assert str(base_of(url)).rstrip("/") == base


@pytest.mark.parametrize(
    "url",
    [
        "",
        "api.example.com/v1",
        "ftp://example.com",
        "http://",
        "https://example.com:port",
        "https://example.com:65536",
        "https://a..b/",
        f"https://{'x' * 64}.example.com",
        "https://xn--/",
        "https://example.com/\x00",
        "https://example.com/\ud800",
        "http://[::1/v1",
        f"https://u:{KEY}@example.com/v1",
        f"https://{KEY}@example.com/v1",
        f"https://example.com/v1?key={KEY}",
        f"https://example.com/v1#{KEY}",
    ],
)
def test_an_address_that_is_none_or_holds_a_secret_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(LinealError, match="OUR_URL") as refusal:
        base_of(url)
    assert refusal.value.code is ErrorCode.INVALID_REQUEST
    assert refusal.value.details == {"field": "OUR_URL"}
    assert KEY not in str(refusal.value.body())


def test_the_path_of_a_call_is_left_out_of_an_address() -> None:
    for url in ("http://h/v1", "http://h/v1/chat/it/", "http://h/v1/", "http://h/v1/chat/it"):
        base = address_of(url, "U", key_setting="K", example="e", below="chat/it")
        assert str(base) == "http://h/v1"


@pytest.mark.parametrize("host", ["localhost", "db.localhost", "127.0.0.1", "127.9.9.9", "[::1]"])
def test_a_key_may_go_over_plain_http_to_this_machine(host: str) -> None:
    assert base_of(f"http://{host}:8080/v1", keyed=True).port == 8080


@pytest.mark.parametrize("host", ["example.com", "10.0.0.1", "localhost.example.com"])
def test_a_key_goes_to_another_machine_only_encrypted(host: str) -> None:
    assert base_of(f"https://{host}", keyed=True).scheme == "https"
    assert base_of(f"http://{host}").scheme == "http"
    with pytest.raises(LinealError, match="OUR_KEY would go there in clear") as refusal:
        base_of(f"http://{host}", keyed=True)
    assert refusal.value.code is ErrorCode.INVALID_REQUEST


@pytest.mark.parametrize("key", [f"{KEY}\nx", f"{KEY} x", f"{KEY}é", f"{KEY}\x00"])
def test_a_key_that_no_header_can_hold_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(LinealError, match="OUR_KEY") as refusal:
        key_of(key, "OUR_KEY")
    assert KEY not in str(refusal.value.body())


def test_an_empty_key_is_none_and_spaces_around_one_are_left_out() -> None:
    assert key_of(None, "K") is key_of(" \n", "K") is None
    assert bearer_of(key_of(f" {KEY}\n", "K")) == {"authorization": f"Bearer {KEY}"}
    assert bearer_of(None) == {}


def test_a_place_is_scheme_host_and_port() -> None:
    assert place_of(httpx.URL(f"https://u:{KEY}@example.com:8443/{KEY}?{KEY}")) == (
        "https://example.com:8443"
    )


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (301, "points to another address; set OUR_URL to the final one"),
        (401, "refused the key; check OUR_KEY"),
        (404, "has no such thing"),
        (418, "answered with status 418"),
        (503, "is overloaded or away"),
    ],
)
def test_a_status_says_what_to_do(status: int, says: str) -> None:
    at = Address(base_of("https://example.com"), "OUR_URL", "OUR_KEY")
    assert advice_of(status, at, {404: "has no such thing"}) == says


# How long to wait.

SOON = NOW + timedelta(seconds=90)


@pytest.mark.parametrize(
    ("text", "wait_s"),
    [
        ("90", 90),
        ("0.5", 0.5),
        ("-5", 0),
        ("1e9", WAIT_S_MAX),
        ("inf", WAIT_S_MAX),
        (format_datetime(SOON, usegmt=True), 90),
        (SOON.strftime("%a %b %d %H:%M:%S %Y"), 90),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
        ("nan", None),
        ("٣", None),
        ("soon", None),
        ("", None),
    ],
)
def test_a_retry_after_is_seconds_or_a_date(text: str, wait_s: float | None) -> None:
    assert wait_s_of({"retry-after": text}, NOW) == wait_s


@pytest.mark.parametrize(
    ("text", "wait_s"),
    [
        ("30", 30),
        ("0", 0),
        (str(int(SOON.timestamp())), 90),
        ("1000000000", 0),
        ("9999999999999", WAIT_S_MAX),
        ("2026-05-17T22:01:30Z", 90),
        ("2026-05-18T00:01:30.5+02:00", 90.5),
        (format_datetime(SOON, usegmt=True), 90),
        ("2026-05-17T22:01:30", None),
        ("2026-05-17", None),
        ("soon", None),
    ],
)
def test_a_reset_is_seconds_from_now_or_since_1970_or_a_time(
    text: str, wait_s: float | None
) -> None:
    assert wait_s_of({"x-ratelimit-reset": text}, NOW) == wait_s


def test_a_retry_after_goes_before_a_reset_if_it_says_anything() -> None:
    assert wait_s_of({"retry-after": "1", "x-ratelimit-reset": "2"}, NOW) == 1
    assert wait_s_of({"retry-after": "soon", "x-ratelimit-reset": "2"}, NOW) == 2
    assert wait_s_of(httpx.Headers({"Retry-After": "3"}), NOW) == 3
    assert wait_s_of({}, NOW) is None


@pytest.mark.parametrize("text", [format_datetime(SOON, usegmt=True), "1779055290"])
def test_without_a_clock_only_seconds_from_now_are_understood(text: str) -> None:
    assert wait_s_of({"x-ratelimit-reset": text}, None) is None
    assert wait_s_of({"x-ratelimit-reset": "90"}, None) == 90


@given(text=st.text() | st.from_regex(r"[-+\d:TZ., a-zA-Z]{1,40}", fullmatch=True))
def test_whatever_a_service_says_the_wait_is_bounded(text: str) -> None:
    for name in ("retry-after", "x-ratelimit-reset"):
        wait_s = wait_s_of({name: text}, NOW)
        assert wait_s is None or 0 <= wait_s <= WAIT_S_MAX


# What goes out.


async def test_a_request_goes_below_the_base_with_its_headers_and_its_json() -> None:
    async with listening(http(201, '{"id": 1}')) as stand_in, calling(stand_in) as caller:
        params: dict[str, str | int | bool] = {"limit": 5, "deep": True, "q": "a&b é"}
        reply = await caller.call("PUT", "/users/a%2Fb/x", json={"é": [1, None]}, params=params)
        await caller.call("GET", "things")
    assert (reply.status, reply.body, reply.wait_s) == (201, b'{"id": 1}', None)
    assert reply.headers["Content-Type"] == "application/json"
    put, get = stand_in.asked
    assert (put.method, put.body) == ("PUT", {"é": [1, None]})
    assert put.path == "/v1/users/a%2Fb/x?limit=5&deep=true&q=a%26b+%C3%A9"
    assert put.headers["authorization"] == f"Bearer {KEY}"
    assert put.headers["accept-encoding"] == "identity"
    assert put.headers["content-type"] == "application/json"
    assert (get.method, get.path, get.headers.get("content-length")) == ("GET", "/v1/things", None)


async def test_half_a_pair_of_surrogates_is_sent_as_the_replacement_character() -> None:
    async with listening(http(200)) as stand_in, calling(stand_in) as caller:
        await caller.call("POST", "x", json={"a\ud83d": "\ud83d half"}, params={"q": "\udc00"})
        await caller.call("POST", "x", json={"pair": "\ud83d\ude00 \ude00", "whole": "😀"})
    assert stand_in.asked[0].body == {"a\ufffd": "\ufffd half"}
    assert stand_in.asked[0].path == "/v1/x?q=%EF%BF%BD"
    assert stand_in.asked[1].body == {"pair": "😀 \ufffd", "whole": "😀"}


@pytest.mark.parametrize("path", ["a/../../admin", "..", "./a", "a/."])
async def test_a_path_leads_nowhere_else(path: str) -> None:
    async with listening(http(200)) as stand_in, calling(stand_in) as caller:
        with pytest.raises(LinealError, match="leads elsewhere"):
            await caller.call("GET", path)
    assert stand_in.asked == []


async def test_a_path_holds_no_query_and_no_other_host() -> None:
    async with listening(http(200)) as stand_in, calling(stand_in) as caller:
        for path in ("a?b=c#d", "//example.com/x", "http://example.com/x", "é\ud800"):
            await caller.call("GET", path)
    assert [asked.path for asked in stand_in.asked] == [
        "/v1/a%3Fb=c%23d",
        "/v1/example.com/x",
        "/v1/http://example.com/x",
        "/v1/%C3%A9%3F",
    ]


async def test_what_makes_no_address_is_refused() -> None:
    async with listening(http(200)) as stand_in, calling(stand_in) as caller:
        with pytest.raises(LinealError, match="makes no address") as refusal:
            await caller.call("GET", "x" * 70_000)
    assert refusal.value.code is ErrorCode.INVALID_REQUEST
    assert stand_in.asked == []


async def test_nobody_is_followed_to_another_address() -> None:
    async with listening(http(200)) as other:
        for status in (301, 302, 303, 307, 308):
            reply = await answered(http(status, location=f"{other.url}/x"))
            assert reply.status == status
        assert other.asked == []


async def test_the_environments_proxies_and_passwords_are_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password mine\n")
    monkeypatch.setenv("NETRC", str(netrc))
    async with listening(http(200)) as stand_in:
        caller = Caller(base_of(stand_in.url), {}, timeout_s=5)
        assert (await caller.call("GET", "x")).status == 200
        await caller.close()
    assert "authorization" not in stand_in.asked[0].headers


async def test_no_cookie_is_kept() -> None:
    async with listening(http(200, set_cookie="a=b; Path=/")) as stand_in, calling(stand_in) as one:
        await one.call("GET", "x")
        await one.call("GET", "x")
    assert ["cookie" in asked.headers for asked in stand_in.asked] == [False, False]


# What comes back.


@pytest.mark.parametrize("status", [200, 201, 204, 302, 400, 401, 404, 409, 429, 500, 503])
async def test_an_answer_of_any_status_is_an_answer(status: int) -> None:
    body = b"" if status == 204 else b"<html>no JSON</html>"
    reply = await answered(http(status, body))
    assert (reply.status, reply.body) == (status, body)


async def test_an_answer_says_how_long_to_wait() -> None:
    at = format_datetime(SOON, usegmt=True)
    clock = ManualClock(NOW)
    assert (await answered(http(429, retry_after=at), clock=clock)).wait_s == 90
    assert (await answered(http(429, retry_after=at))).wait_s is None
    assert (await answered(http(503, retry_after="7"))).wait_s == 7


@pytest.mark.parametrize(
    "act",
    [
        http(200, b"x" * 1_001),
        http(200, b"", content_length="1000000000"),
        raw(b"HTTP/1.1 200 X\r\n\r\n" + b"x" * 1_001),
        raw(b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n3e9\r\n" + b"x" * 1_001),
    ],
    ids=["long", "announced", "until its end", "in a chunk"],
)
async def test_an_answer_that_is_too_long_is_not_read(act: Act) -> None:
    with anyio.fail_after(5):
        error = await away_from(act, bytes_max=1_000)
    assert "sends more than 1000 bytes" in error.message
    assert (error.arrived, error.answered, error.retryable) == (None, 200, False)


async def test_an_answer_of_just_as_much_is_read() -> None:
    reply = await answered(http(200, b"x" * 1_000), bytes_max=1_000)
    assert len(reply.body) == 1_000


async def test_an_endless_answer_is_left_at_its_bound() -> None:
    """What it holds of it is no more than that."""

    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 X\r\n\r\n")
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()

    with anyio.fail_after(10):
        assert "more than 16777216 bytes" in (await away_from(endless)).message


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip"])
async def test_a_compressed_answer_is_not_unpacked(encoding: str) -> None:
    bomb = gzip.compress(b"x" * 10**7)
    error = await away_from(http(200, bomb, content_encoding=encoding))
    assert "compressed" in error.message
    assert (error.arrived, error.answered) == (None, 200)


@pytest.mark.parametrize(
    "act",
    [
        http(503, gzip.compress(b"x"), content_encoding="gzip", retry_after="3"),
        http(503, b"x" * 1_001, retry_after="3"),
    ],
)
async def test_an_errors_status_is_known_even_where_its_words_are_not(act: Act) -> None:
    reply = await answered(act, bytes_max=1_000)
    assert (reply.status, reply.body, reply.wait_s) == (503, b"", 3)


# What goes wrong.


def nowhere() -> str:
    """An address of this machine where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/v1"


async def test_a_request_without_a_connection_surely_did_not_arrive() -> None:
    async with calling(nowhere()) as caller:
        error = await away(caller)
    assert isinstance(error, Lost)
    assert "can't be reached (ConnectError)" in error.message
    assert (error.arrived, error.answered, error.retryable) == (False, None, True)


@pytest.mark.tries_outside
async def test_a_request_to_a_name_that_nobody_has_surely_did_not_arrive() -> None:
    async with calling("http://nobody.invalid/v1", timeout_s=5) as caller:
        assert (await away(caller)).arrived is False


@pytest.mark.parametrize(
    "act",
    [
        hung_up,
        raw(b""),
        raw(b"HTTP/1.1 20"),
        raw(b"HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\n{"),
        raw(b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab"),
        raw(b"HTTP/1.1 200 X\r\ncontent-length: " + b"9" * 5_000 + b"\r\n\r\n"),
        raw(b"HTTP/1.1 200 X\r\nx: " + b"x" * 10**6),
        raw(b"SSH-2.0-OpenSSH_9.9\r\n" * 3),
        raw(b"\x00" * 100),
    ],
    ids=["reset", "closed", "status", "body", "chunk", "length", "head", "another", "zeros"],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_request_whose_answer_breaks_off_may_have_arrived(act: Act, method: str) -> None:
    async with listening(act) as stand_in, calling(stand_in) as caller:
        error = await away(caller, method)
    assert isinstance(error, Lost)
    assert "can't be reached (" in error.message
    assert (error.arrived, error.retryable, len(stand_in.asked)) == (None, False, 1)


async def test_an_answer_that_breaks_off_tells_its_status() -> None:
    cut = raw(b"HTTP/1.1 201 X\r\ncontent-length: 9\r\n\r\n{")
    assert (await away_from(cut)).answered == 201


@pytest.mark.parametrize(("act", "answered"), [(hang, None), (drip, 200)])
async def test_a_request_ends_in_time_and_may_have_arrived(act: Act, answered: int | None) -> None:
    with anyio.fail_after(5):
        error = await away_from(act, timeout_s=0.2)
    assert "did not answer within 0.2 s" in error.message
    assert (error.arrived, error.answered) == (None, answered)


async def test_a_call_may_have_a_time_of_its_own() -> None:
    async with listening(hang) as stand_in, calling(stand_in) as caller:
        with anyio.fail_after(5):
            assert "within 0.1 s" in (await away(caller, timeout_s=0.1)).message


async def test_a_request_that_waits_for_a_connection_surely_did_not_arrive() -> None:
    taken = anyio.Event()

    async def take(writer: asyncio.StreamWriter) -> None:
        taken.set()
        await hang(writer)

    async with (
        listening(take) as one,
        calling(one, connections_max=1) as caller,
        anyio.create_task_group() as others,
    ):
        others.start_soon(caller.call, "GET", "x")
        await taken.wait()
        error = await away(caller, timeout_s=0.1)
        others.cancel_scope.cancel()
    assert "within 0.1 s" in error.message
    assert (error.arrived, len(one.asked)) == (False, 1)


@pytest.fixture
def broken_handshakes() -> Iterator[None]:
    """The library leaves the transport of a handshake that broke to the collector, whose word of
    it belongs to no other test."""
    yield
    gc.collect()


@pytest.mark.usefixtures("broken_handshakes")
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
async def test_a_service_that_never_greets_surely_did_not_get_the_request() -> None:
    """It takes the connection, and then its part of TLS doesn't come."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"https://127.0.0.1:{mute.getsockname()[1]}/v1"
        async with calling(url, timeout_s=0.2) as caller:
            assert (await away(caller)).arrived is False


@pytest.mark.usefixtures("broken_handshakes")
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
async def test_a_service_that_greets_otherwise_surely_did_not_get_the_request() -> None:
    def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.com ESMTP\r\n")
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        async with calling(url) as caller:
            error = await away(caller)
    assert isinstance(error, Lost)
    assert "(ConnectError)" in error.message
    assert error.arrived is False


@pytest.mark.usefixtures("broken_handshakes")
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    context = self_signed(tmp_path)
    async with listening(http(200), tls=context) as stand_in, calling(stand_in) as caller:
        error = await away(caller)
    assert "(ConnectError)" in error.message
    assert error.arrived is False
    assert stand_in.asked == []


def self_signed(directory: Path) -> ssl.SSLContext:
    """A server's side, for 127.0.0.1."""
    x509 = pytest.importorskip("cryptography.x509")
    hashes = pytest.importorskip("cryptography.hazmat.primitives.hashes")
    serialization = pytest.importorskip("cryptography.hazmat.primitives.serialization")
    ec = pytest.importorskip("cryptography.hazmat.primitives.asymmetric.ec")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    made = made.not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
    made = made.not_valid_after(datetime(2120, 1, 1, tzinfo=UTC))
    pem = serialization.Encoding.PEM
    form, bare = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    file = directory / "server.pem"
    file.write_bytes(
        key.private_bytes(pem, form, bare) + made.sign(key, hashes.SHA256()).public_bytes(pem)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


async def test_a_call_that_is_given_up_ends_at_once() -> None:
    """That is the caller's will, not the service's failure."""
    async with listening(hang) as stand_in, calling(stand_in) as caller:
        with anyio.move_on_after(0.1) as scope:
            await caller.call("POST", "x")
    assert scope.cancelled_caught


# Connections.


async def test_a_connection_is_kept_for_the_next_request() -> None:
    async with listening(KEPT) as stand_in, calling(stand_in) as caller:
        for _ in range(3):
            await caller.call("POST", "x")
    assert stand_in.connections == 1


async def test_no_more_connections_are_made_than_are_allowed() -> None:
    async with (
        listening(KEPT) as stand_in,
        calling(stand_in, connections_max=2) as caller,
        anyio.create_task_group() as tasks,
    ):
        for _ in range(8):
            tasks.start_soon(caller.call, "GET", "x")
    assert len(stand_in.asked) == 8
    assert stand_in.connections <= 2


async def test_a_closed_caller_opens_anew_when_it_is_used_again() -> None:
    async with listening(KEPT) as stand_in, calling(stand_in) as caller:
        await caller.call("GET", "x")
        await caller.close()
        await caller.close()
        assert (await caller.call("GET", "x")).status == 200
    assert stand_in.connections == 2


DEAD = pytest.mark.parametrize("dead", [hung_up, raw(b"")], ids=["reset", "closed"])


@DEAD
@pytest.mark.parametrize(
    ("method", "safe"),
    [("GET", False), ("HEAD", False), ("PUT", False), ("DELETE", False), ("POST", True)],
)
async def test_a_kept_connection_that_has_ended_is_no_reason_to_fail(
    dead: Act, method: str, safe: bool
) -> None:
    async with listening(KEPT, dead, http(202)) as stand_in, calling(stand_in) as caller:
        await caller.call("POST", "x")
        reply = await caller.call(method, "x", json={"n": 1}, safe=safe)
    assert reply.status == 202
    assert [asked.connection for asked in stand_in.asked] == [0, 0, 1]
    assert stand_in.asked[1].body == stand_in.asked[2].body == {"n": 1}


@DEAD
@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_what_may_not_arrive_twice_is_not_sent_twice(dead: Act, method: str) -> None:
    async with listening(KEPT, dead, http(200)) as stand_in, calling(stand_in) as caller:
        await caller.call("POST", "x")
        error = await away(caller, method)
    assert isinstance(error, Lost)
    assert error.arrived is None
    assert len(stand_in.asked) == 2


async def test_a_request_is_repeated_once_and_no_more() -> None:
    async with listening(KEPT, hung_up) as stand_in, calling(stand_in) as caller:
        await caller.call("GET", "x")
        assert (await away(caller, "GET")).arrived is None
    assert len(stand_in.asked) == 3


async def test_an_answer_that_has_begun_is_not_asked_for_again() -> None:
    cut = raw(b"HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\n{")
    async with listening(KEPT, cut) as stand_in, calling(stand_in) as caller:
        await caller.call("GET", "x")
        assert (await away(caller, "GET")).answered == 200
    assert len(stand_in.asked) == 2


async def test_a_request_that_cant_be_repeated_may_have_arrived_at_first() -> None:
    async with listening(KEPT, hung_up) as stand_in, calling(stand_in) as caller:
        await caller.call("GET", "x")
        stand_in.leave()
        error = await away(caller, "PUT")
    assert "(ConnectError)" in error.message
    assert (error.arrived, len(stand_in.asked)) == (None, 2)


async def test_a_repeated_request_has_no_more_time() -> None:
    async with listening(KEPT, hung_up, hang) as stand_in, calling(stand_in) as caller:
        await caller.call("GET", "x")
        with anyio.fail_after(5):
            assert "within 0.2 s" in (await away(caller, "GET", timeout_s=0.2)).message


# The same again.


@pytest.mark.parametrize(
    "bad",
    [http(429, retry_after="0"), http(503, retry_after="0"), hung_up],
    ids=["full", "away", "lost"],
)
async def test_a_full_house_or_a_lost_connection_is_tried_again(bad: Act) -> None:
    async with listening(bad, http(200)) as stand_in, calling(stand_in) as caller:
        reply = await retried(lambda: caller.call("POST", "x"), retries=1)
    assert (reply.status, len(stand_in.asked)) == (200, 2)


async def test_another_answer_is_not_tried_again() -> None:
    async with listening(http(500)) as stand_in, calling(stand_in) as caller:
        assert (await retried(lambda: caller.call("POST", "x"), retries=2)).status == 500
    assert len(stand_in.asked) == 1


async def test_a_wait_that_there_is_no_time_for_is_not_begun() -> None:
    full = http(429, retry_after="60")
    async with listening(full, hung_up) as stand_in, calling(stand_in) as caller:
        with anyio.fail_after(30):
            assert (await retried(lambda: caller.call("POST", "x"), retries=1)).status == 429
        with anyio.fail_after(0.5), pytest.raises(Lost):
            await retried(lambda: caller.call("POST", "x"), retries=1)
    assert len(stand_in.asked) == 2


@pytest.mark.parametrize(("unheard", "times"), [(False, 1), (True, 2)])
async def test_where_nobody_listens_it_is_tried_again_only_if_that_is_wanted(
    unheard: bool, times: int
) -> None:
    tried = 0
    async with calling(nowhere()) as caller:

        async def ask() -> Reply:
            nonlocal tried
            tried += 1
            return await caller.call("POST", "x")

        with pytest.raises(Lost):
            await retried(ask, retries=1, unheard=unheard)
    assert tried == times


# What is shown.


async def test_the_key_and_the_path_are_in_no_log_and_no_repr(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    acts = (http(401, KEY), KEPT, hung_up, http(200, b"x" * 99), hung_up)
    async with listening(*acts) as stand_in, calling(stand_in, bytes_max=64) as caller:
        await caller.call("POST", "secret-path", json={"key": KEY})
        await caller.call("GET", "secret-path", params={"q": "secret-query"})
        for _ in range(3):
            await away(caller, "POST")
        assert KEY not in f"{caller!r} {vars(caller)!r}"
    logging.getLogger("lineal.outbound").debug("heard")
    assert "heard" in caplog.text  # the ear is open
    assert not any(word in caplog.text for word in (KEY, "secret-path", "secret-query"))


def test_whoever_wants_the_clients_log_can_have_it() -> None:
    logger = logging.getLogger("httpx")
    before = logger.level
    try:
        for level, then in ((logging.NOTSET, logging.WARNING), (logging.INFO, logging.INFO)):
            logger.setLevel(level)
            Caller(base_of("https://example.com"), {}, timeout_s=1)
            assert logger.level == then
    finally:
        logger.setLevel(before)


def test_a_fault_shows_no_request_in_its_traceback() -> None:
    async def lost() -> None:
        async with calling(nowhere()) as caller:
            await caller.call("GET", "secret-path")

    with pytest.raises(Away) as caught:
        anyio.run(lost)
    assert caught.value.__suppress_context__
    assert json.dumps(caught.value.body())
