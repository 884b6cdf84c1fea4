"""Vectors from an OpenAI-compatible endpoint, good and bad, over a real socket."""

from __future__ import annotations

import asyncio
import json
import math
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from lineal.embedders.endpoint import CHARS_MAX, CHARS_OF_A_REQUEST, TEXTS_MAX, EndpointEmbedder
from lineal.errors import ErrorCode, LinealError
from lineal.ports.embedder import Embedder

from .stand_in_llm import Act, StandIn, drip, hang, http, hung_up, listening

pytestmark = pytest.mark.anyio

KEY = "sk-embed-0123456789"
TEXT = "Mara drinks green tea."

Body = dict[str, Any]
Item = dict[str, Any]


class Server:
    """An embeddings server whose vectors tell a text's length and its last letter.

    window: characters of the longest text it takes; longer ones get `refusal`. sizes: how many
    numbers it can give; a request for another gets 400. arranged: what it does with its items.
    """

    def __init__(
        self,
        *,
        window: int = 1_000_000,
        refusal: int = 400,
        sizes: tuple[int, ...] = (),
        arranged: Callable[[list[Item]], list[Item]] = list,
    ) -> None:
        self.window, self.refusal, self.sizes, self.arranged = window, refusal, sizes, arranged
        self.asked: list[Body] = []
        self.headers: list[dict[str, str]] = []
        self.clients: set[Any] = set()
        self.url = ""

    @property
    def texts(self) -> list[list[str]]:
        return [body["input"] for body in self.asked]

    async def answer(self, request: Request) -> Response:
        body: Body = await request.json()
        self.asked.append(body)
        self.headers.append(dict(request.headers))
        self.clients.add(request.client)
        if "dimensions" in body and body["dimensions"] not in self.sizes:
            return Response(status_code=400)
        if max(map(len, body["input"])) > self.window:
            return JSONResponse({"error": {"message": f"too long: {body}"}}, self.refusal)
        dim = body.get("dimensions", 4)
        items = [
            {"object": "embedding", "index": at, "embedding": vector(text, dim)}
            for at, text in enumerate(body["input"])
        ]
        return JSONResponse({"object": "list", "data": self.arranged(items), "model": "m"})


def vector(text: str, dim: int = 4) -> list[float]:
    return [len(text), ord(text[-1]), *[2.0] * (dim - 2)]


def unit(text: str, dim: int = 4) -> Any:
    numbers = vector(text, dim)
    return pytest.approx(tuple(number / math.hypot(*numbers) for number in numbers))


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[Server]:
    """The server at a free port of this machine."""
    app = Starlette(routes=[Route("/v1/embeddings", server.answer, methods=["POST"])])
    config = uvicorn.Config(
        app, log_level="critical", lifespan="off", ws="none", timeout_graceful_shutdown=1
    )
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        bound.listen()
        server.url = f"http://127.0.0.1:{bound.getsockname()[1]}/v1"
        runner = uvicorn.Server(config)
        running = asyncio.create_task(runner.serve([bound]))
        try:
            yield server
        finally:
            runner.should_exit = True
            await running


@asynccontextmanager
async def asking(server: Server | StandIn, **more: Any) -> AsyncIterator[EndpointEmbedder]:
    embedder = EndpointEmbedder(server.url, "nomic", KEY, **{"timeout_s": 10.0, **more})
    try:
        yield embedder
    finally:
        await embedder.close()


async def refused(*acts: Act, texts: tuple[str, ...] = (TEXT,), **more: Any) -> LinealError:
    """What is said when the endpoint acts so."""
    async with listening(*acts) as stand_in, asking(stand_in, **more) as embedder:
        with pytest.raises(LinealError) as caught:
            await embedder.embed(texts)
    assert caught.value.code is ErrorCode.UNAVAILABLE
    assert caught.value.message.startswith("The embeddings endpoint at http://127.0.0.1:")
    said = json.dumps(caught.value.body()) + repr(embedder)
    assert KEY not in said
    assert TEXT not in said
    return caught.value


def vectors(*given: object) -> Act:
    items = [{"index": at, "embedding": one} for at, one in enumerate(given)]
    return http(200, json.dumps({"data": items}))


# An endpoint that behaves.


async def test_texts_are_sent_as_the_protocol_has_it_and_come_back_at_length_1() -> None:
    async with serving(Server()) as server, asking(server) as embedder:
        port: Embedder = embedder
        found = await port.embed(["green tea", "coffee"])
    assert found == [unit("green tea"), unit("coffee")]
    assert all(math.isclose(math.hypot(*one), 1.0) for one in found)
    sent = {"model": "nomic", "input": ["green tea", "coffee"], "encoding_format": "float"}
    assert server.asked == [sent]
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"


async def test_without_a_key_none_is_sent() -> None:
    async with serving(Server()) as server:
        embedder = EndpointEmbedder(f"{server.url}/embeddings/", "nomic", " ")
        await embedder.embed(["tea"])
        await embedder.close()
    assert "authorization" not in server.headers[0]


async def test_the_first_answer_tells_the_dimension() -> None:
    async with serving(Server()) as server, asking(server) as embedder:
        assert (embedder.version, embedder.dim, embedder.ready) == ("endpoint:nomic", 0, False)
        await embedder.warm_up()
        assert (embedder.version, embedder.dim, embedder.ready) == ("endpoint:nomic", 4, True)


async def test_a_dimension_that_is_given_is_asked_for_and_part_of_the_version() -> None:
    async with serving(Server(sizes=(2, 3))) as server, asking(server, dim=3) as embedder:
        assert (embedder.version, embedder.dim, embedder.ready) == ("endpoint:nomic/3", 3, True)
        assert await embedder.embed(["tea"]) == [unit("tea", 3)]
    assert server.asked[0]["dimensions"] == 3


async def test_a_server_that_gives_the_dimension_unasked_is_asked_without_it_from_then_on() -> None:
    async with serving(Server(sizes=())) as server, asking(server, dim=4) as embedder:
        assert await embedder.embed(["tea"]) == [unit("tea")]
        await embedder.embed(["tea"])
    assert ["dimensions" in body for body in server.asked] == [True, False, False]


async def test_a_server_that_can_give_another_dimension_only_is_refused() -> None:
    async with serving(Server(sizes=())) as server, asking(server, dim=3) as embedder:
        for _ in range(2):
            with pytest.raises(LinealError, match="vector of 4 numbers instead of 3"):
                await embedder.embed(["tea"])


@pytest.mark.parametrize(
    "arranged",
    [
        lambda items: items[::-1],
        lambda items: [{k: v for k, v in item.items() if v != 0} for item in items],
        lambda items: [{"embedding": item["embedding"]} for item in items],
    ],
    ids=["backwards", "no index of 0", "no index"],
)
async def test_each_text_gets_its_own_vector(arranged: Callable[[list[Item]], list[Item]]) -> None:
    texts = ["a", "bb", "ccc"]
    async with serving(Server(arranged=arranged)) as server, asking(server) as embedder:
        assert await embedder.embed(texts) == [unit(text) for text in texts]


async def test_a_long_list_goes_in_requests_of_a_bounded_size_over_one_connection() -> None:
    texts = [f"{'x' * (at % 9)}{at}" for at in range(2 * TEXTS_MAX + 1)]
    async with serving(Server()) as server, asking(server) as embedder:
        assert await embedder.embed(texts) == [unit(text) for text in texts]
        assert await embedder.embed(["x" * CHARS_MAX] * 6) == [unit("x" * CHARS_MAX)] * 6
    assert [len(sent) for sent in server.texts] == [TEXTS_MAX, TEXTS_MAX, 1, 4, 2]
    assert all(sum(map(len, sent)) <= CHARS_OF_A_REQUEST for sent in server.texts)
    assert len(server.clients) == 1


async def test_a_text_is_read_up_to_a_bound() -> None:
    async with serving(Server()) as server, asking(server) as embedder:
        await embedder.embed(["tea " * CHARS_MAX, "\ud83d half"])
    assert [list(map(len, sent)) for sent in server.texts] == [[CHARS_MAX, 6]]


async def test_a_text_without_words_isnt_sent_and_is_all_zeros() -> None:
    async with serving(Server()) as server, asking(server) as embedder:
        assert await embedder.embed([]) == []
        assert server.asked == []
        assert await embedder.embed(["", " !? 😀"]) == [(0.0,) * 4] * 2
        assert await embedder.embed(["", "tea", "?"]) == [(0.0,) * 4, unit("tea"), (0.0,) * 4]
    assert server.texts == [["warm"], ["tea"]]


@pytest.mark.parametrize("refusal", [400, 413, 500])
async def test_a_text_beyond_the_models_window_is_cut_and_the_others_are_not(refusal: int) -> None:
    long, short = "a" * 5_000, "b" * 900
    async with serving(Server(window=1_000, refusal=refusal)) as server, asking(server) as embedder:
        assert await embedder.embed([long, short]) == [unit(long[:500]), unit(short)]
    sizes = [list(map(len, sent)) for sent in server.texts]
    assert sizes == [[5_000, 900], [5_000], [2_000], [500], [900]]


async def test_a_closed_embedder_opens_anew_when_it_is_used_again() -> None:
    async with serving(Server()) as server, asking(server) as embedder:
        await embedder.embed(["tea"])
        await embedder.close()
        await embedder.close()
        assert not await embedder.free_if_idle()
        assert await embedder.embed(["tea"]) == [unit("tea")]
    assert len(server.clients) == 2


# An endpoint that doesn't.


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("[0.1, NaN, 0.2]", "number that is none"),
        ("[0.1, Infinity]", "number that is none"),
        ("[0.1, 1e999]", "number that is none"),
        ("[0, 0.0, 0]", "of no length"),
        ("[1e308, 1e308, 1e308, 1e308]", "or of too much"),
        ("[]", "something else"),
        ("[[0.1, 0.2]]", "something else"),
        ('["0.1"]', "something else"),
        ('"8zNzPg=="', "something else"),
        ("null", "something else"),
    ],
)
async def test_a_vector_that_is_none_is_refused_and_why_is_said(answer: str, said: str) -> None:
    act = http(200, f'{{"data": [{{"index": 0, "embedding": {answer}}}]}}')
    assert said in (await refused(act)).message


@pytest.mark.parametrize("body", ["", "tea", "[]", "{}", '{"error": {"message": "sk-embed"}}'])
async def test_something_else_than_an_answer_is_not_repeated_in_the_error(body: str) -> None:
    error = await refused(http(200, body))
    assert "something else than an embeddings endpoint" in error.message
    assert "LINEAL_EMBED_URL" in error.message
    assert not error.retryable


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (([1.0, 2.0],), "gave 1 vectors for 2 texts"),
        (([1.0, 2.0],) * 3, "gave 3 vectors for 2 texts"),
        (([1.0, 2.0], [1.0]), "a vector of 1 numbers instead of 2"),
    ],
)
async def test_another_number_of_vectors_or_of_their_numbers_is_refused(
    given: tuple[list[float], ...], said: str
) -> None:
    assert said in (await refused(vectors(*given), texts=("tea", "coffee"))).message


@pytest.mark.parametrize("indexes", [(0, 0), (1, 2), (-1, 0)])
async def test_vectors_that_cant_be_told_apart_are_refused(indexes: tuple[int, int]) -> None:
    items = [{"index": index, "embedding": [1.0]} for index in indexes]
    act = http(200, json.dumps({"data": items}))
    assert "whose they are" in (await refused(act, texts=("tea", "coffee"))).message


async def test_a_model_that_was_exchanged_for_one_of_another_dimension_is_noticed() -> None:
    async with listening(vectors([1.0, 2.0]), vectors([1.0])) as stand_in, asking(stand_in) as one:
        await one.warm_up()
        with pytest.raises(LinealError, match="1 numbers instead of 2"):
            await one.embed(["tea"])
        assert one.dim == 2


@pytest.mark.parametrize(
    ("status", "said", "retryable"),
    [
        (301, "points to another address", False),
        (400, "check LINEAL_EMBED_MODEL", False),
        (401, "refused the key", False),
        (404, "no such address or model", False),
        (418, "status 418", True),
        (500, "status 500", True),
        (429, "no room", True),
    ],
)
async def test_a_refusal_says_what_to_do(status: int, said: str, retryable: bool) -> None:
    act = http(status, KEY, location="http://127.0.0.1:9/", retry_after="0")
    error = await refused(act)
    assert said in error.message
    assert error.retryable is retryable


@pytest.mark.parametrize("bad", [http(429, retry_after="0"), http(503, retry_after="0"), hung_up])
async def test_a_full_house_or_a_lost_connection_is_tried_again(bad: Act) -> None:
    async with listening(bad, bad, vectors([3.0, 4.0])) as stand_in, asking(stand_in) as embedder:
        assert await embedder.embed(["tea"]) == [(0.6, 0.8)]
    assert len(stand_in.asked) == 3


async def test_a_full_house_that_stays_full_is_given_up() -> None:
    async with listening(http(503, retry_after="0")) as stand_in, asking(stand_in) as embedder:
        with pytest.raises(LinealError, match="overloaded or away"):
            await embedder.warm_up()
    assert len(stand_in.asked) == 3


async def test_nobody_waits_for_longer_than_there_is_time() -> None:
    async with listening(http(429, retry_after="3600")) as stand_in, asking(stand_in) as embedder:
        with anyio.fail_after(5), pytest.raises(LinealError, match="no room"):
            await embedder.embed(["tea"])
    assert len(stand_in.asked) == 1


@pytest.mark.parametrize("wait", ["Wed, 21 Oct 2026 07:28:00 GMT", "soon"])
async def test_a_strange_retry_after_is_a_short_wait(wait: str) -> None:
    bad = http(503, retry_after=wait)
    async with listening(bad, vectors([3.0, 4.0])) as stand_in, asking(stand_in) as embedder:
        assert await embedder.embed(["tea"]) == [(0.6, 0.8)]


@pytest.mark.parametrize("act", [hang, drip])
async def test_an_endpoint_that_takes_its_time_is_given_up(act: Act) -> None:
    assert "did not answer within 0.3 s" in (await refused(act, timeout_s=0.3)).message


async def test_an_endpoint_that_sends_without_end_is_given_up() -> None:
    error = await refused(http(200, b" " * (16 * 2**20 + 1)))
    assert "sends more than 16777216 bytes" in error.message


async def test_a_packed_answer_is_refused() -> None:
    error = await refused(http(200, b"\x1f\x8b", content_encoding="gzip"))
    assert "compressed" in error.message


async def test_an_endpoint_that_isnt_there_is_said_at_once() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    embedder = EndpointEmbedder(url, "nomic", KEY)
    with anyio.fail_after(5), pytest.raises(LinealError, match=r"can't be reached \(ConnectError"):
        await embedder.warm_up()
    assert embedder.dim == 0
    await embedder.close()


async def test_nobody_is_followed_to_another_address() -> None:
    async with serving(Server()) as server:
        await refused(http(307, location=f"{server.url}/embeddings"))
        assert server.asked == []


@pytest.mark.parametrize(
    ("url", "field"),
    [
        ("localhost:11434", "LINEAL_EMBED_URL"),
        ("ftp://host/v1", "LINEAL_EMBED_URL"),
        ("http://me:sk-embed-0123456789@host/v1", "LINEAL_EMBED_URL"),
        ("http://host/v1?key=sk-embed-0123456789", "LINEAL_EMBED_URL"),
        ("http://[::1/sk-embed-0123456789", "LINEAL_EMBED_URL"),
    ],
)
async def test_an_address_that_is_none_is_refused_without_being_repeated(
    url: str, field: str
) -> None:
    with pytest.raises(LinealError) as caught:
        EndpointEmbedder(url, "nomic")
    assert caught.value.details["field"] == field
    assert KEY not in str(caught.value)


@pytest.mark.parametrize("key", ["sk-embed 0123", "sk-embed\n0123", "sk-embéd"])
async def test_a_key_that_is_none_is_refused_without_being_repeated(key: str) -> None:
    with pytest.raises(LinealError, match="LINEAL_EMBED_KEY") as caught:
        EndpointEmbedder("http://host/v1", "nomic", key)
    assert key not in str(caught.value)
