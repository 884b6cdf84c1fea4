"""Vectors from an OpenAI-compatible endpoint: a service, or a server of one's own.

What such servers do differently, and is dealt with here: text-embeddings-inference takes 32 texts a
request; llama.cpp (500), Ollama and vLLM (400) refuse a text that is longer than the model's
window; vLLM refuses `dimensions` for a model that wasn't trained for them; Gemini leaves out an
`index` of 0.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import anyio
import httpx

from lineal.embedders.address import address_of, key_of
from lineal.embedders.reply import Unfit, Vector, vectors_of
from lineal.errors import LinealError

__all__ = ["EndpointEmbedder"]

TEXTS_MAX = 32
"""Of one request."""

CHARS_MAX = 8_000
"""Of one text; some 2,000 tokens of English. What follows is not read."""

CHARS_OF_A_REQUEST = 32_000

SHORTER = (2_000, 500)
"""Characters that are tried when a longer text is refused: nearly always less than 512 tokens, the
smallest window there is, in English and in any script."""

CONNECT_TIMEOUT_S = 5.0
IDLE_S = 60.0
"""How long a connection is kept that nobody uses."""

CONNECTIONS_MAX = 4

RETRIES = 2
RETRY_WAIT_S = 0.5
"""Before the first retry, when the endpoint doesn't say how long; before each next one twice that
of the one before."""

ANSWER_BYTES_MAX = 16 * 2**20
"""Of a whole answer: 32 vectors of 8,192 numbers take less than half."""

BUSY = (429, 503)
"""Statuses after which the same request may be answered."""

NOT_UNDERSTOOD = (400, 422)
"""Statuses of an endpoint that doesn't know a parameter, among other things."""

REFUSED = (400, 413, 422, 500)
"""Statuses of what is too long, too much or not understood."""

_ADVICE = {
    400: "did not take the texts; check LINEAL_EMBED_MODEL",
    401: "refused the key; check LINEAL_EMBED_KEY",
    403: "refused the key; check LINEAL_EMBED_KEY",
    404: "has no such address or model; check LINEAL_EMBED_URL and LINEAL_EMBED_MODEL",
    413: "did not take so much text",
    422: "did not take the texts; check LINEAL_EMBED_MODEL",
    429: "has no room for more texts now",
    503: "is overloaded or away",
}

_LASTING = (400, 401, 403, 404, 413, 422)
"""Statuses that the same request will meet again."""


class _Answer(NamedTuple):
    """An HTTP answer; the body of a 200 only. wait_s: what Retry-After says, in seconds."""

    status: int
    wait_s: float | None = None
    body: bytes = b""


class EndpointEmbedder:
    """url: up to and without /embeddings. dim: how many numbers a vector shall have; None: as many
    as the model gives, which the first answer tells. timeout_s: of a request in all, retries and
    waiting included; a long list of texts takes several.

    It goes to this address only: no redirect is followed, no proxy or .netrc of the environment
    used. The key is in no error, log or repr. Connections are kept for the next request.
    """

    def __init__(
        self,
        url: str,
        model: str,
        key: str | None = None,
        *,
        dim: int | None = None,
        timeout_s: float = 20.0,
    ) -> None:
        """Raises invalid_request for a URL or a key that can't be one."""
        self._url = address_of(url)
        self._model = model
        self._key = key_of(key)
        self._sends_dim = bool(dim)
        self._timeout_s = timeout_s
        self._client: httpx.AsyncClient | None = None
        self.dim = dim or 0
        """0 until an answer has told, unless it was given."""
        self.version = f"endpoint:{model}" + (f"/{dim}" if dim else "")

    @property
    def ready(self) -> bool:
        """Whether `dim` is known; there is nothing to load."""
        return self.dim > 0

    async def warm_up(self) -> None:
        """Ask for one vector: afterwards `dim` is known, and a local server has its model loaded.
        Raises unavailable."""
        await self._asked(["warm"])

    async def embed(self, texts: Sequence[str]) -> list[tuple[float, ...]]:
        """texts: (n,) → (n, dim), of length 1, or all zeros for a text without a letter or digit,
        which isn't sent. Raises unavailable, with what to do, when there is no good answer in time.

        A text is read up to CHARS_MAX, or as far as the endpoint takes it.
        """
        asked = [(at, text) for at, text in enumerate(map(_sent, texts)) if _says(text)]
        if texts and not asked and not self.dim:
            await self.warm_up()
        found: dict[int, Vector] = {}
        for batch in _batches(asked):
            vectors = await self._asked([text for _, text in batch])
            found.update(zip((at for at, _ in batch), vectors, strict=True))
        zero = (0.0,) * self.dim
        return [found.get(at, zero) for at in range(len(texts))]

    def reads(self, text: str) -> float:
        """Nobody says which languages the model knows."""
        return 1.0

    async def free_if_idle(self) -> bool:
        """It holds no model; an idle connection ends by itself."""
        return False

    async def close(self) -> None:
        """Close all connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _asked(self, texts: list[str]) -> list[Vector]:
        """Of one request; when that is refused, of one for each text, ever shorter."""
        answer = await self._in_time(texts)
        if answer.status in NOT_UNDERSTOOD and self._sends_dim:
            # If it is the parameter that isn't known, the model may give as many by itself.
            bare = await self._in_time(texts, sized=False)
            if bare.status == 200:
                vectors = self._read(bare, len(texts))
                self._sends_dim = False
                return vectors
        if answer.status == 200:
            return self._read(answer, len(texts))
        if answer.status in REFUSED and len(texts) > 1:
            return [vector for text in texts for vector in await self._asked([text])]
        shorter = next((chars for chars in SHORTER if chars < len(texts[0])), None)
        if answer.status in REFUSED and shorter:
            return await self._asked([texts[0][:shorter]])
        raise self._refused(answer.status)

    def _read(self, answer: _Answer, number: int) -> list[Vector]:
        try:
            vectors = vectors_of(answer.body, number, self.dim)
        except Unfit as unfit:
            raise self._failed(str(unfit), lasting=True) from None
        self.dim = len(vectors[0])
        return vectors

    async def _in_time(self, texts: list[str], *, sized: bool = True) -> _Answer:
        """sized: with `dimensions`, if they were given and are understood."""
        body: dict[str, Any] = {"model": self._model, "input": texts, "encoding_format": "float"}
        if sized and self._sends_dim:
            body["dimensions"] = self.dim
        with anyio.move_on_after(self._timeout_s):
            try:
                return await self._retried(body)
            except httpx.HTTPError as error:
                raise self._failed(f"can't be reached ({type(error).__name__})") from error
        raise self._failed(f"did not answer within {self._timeout_s:g} s")

    async def _retried(self, body: dict[str, Any]) -> _Answer:
        """Some more tries after a full house or a lost connection, if there is time for them."""
        for retry in range(RETRIES):
            answer = await self._kept(body)
            if answer.status not in BUSY:
                return answer
            wait_s = RETRY_WAIT_S * 2**retry if answer.wait_s is None else answer.wait_s
            if anyio.current_time() + wait_s >= anyio.current_effective_deadline():
                return answer
            await anyio.sleep(wait_s)
        return await self._posted(body)

    async def _kept(self, body: dict[str, Any]) -> _Answer:
        """A kept connection may have ended meanwhile: that is no answer either."""
        try:
            return await self._posted(body)
        except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError):
            return _Answer(status=503, wait_s=0.0)

    async def _posted(self, body: dict[str, Any]) -> _Answer:
        if self._client is None:
            self._client = self._opened()
        async with self._client.stream("POST", self._url, json=body) as response:
            if response.status_code != 200:
                wait_s = _seconds(response.headers.get("retry-after", ""))
                return _Answer(status=response.status_code, wait_s=wait_s)
            return _Answer(status=200, body=await self._bounded(response))

    async def _bounded(self, response: httpx.Response) -> bytes:
        """The body, unless there is too much of it. Raw: a packed one could unpack to anything."""
        if response.headers.get("content-encoding", "identity") != "identity":
            raise self._failed("sends a compressed answer, which was not asked for")
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > ANSWER_BYTES_MAX:
                raise self._failed(f"sends more than {ANSWER_BYTES_MAX} bytes")
        return bytes(body)

    def _opened(self) -> httpx.AsyncClient:
        headers = {"accept-encoding": "identity"}
        if self._key is not None:
            headers["authorization"] = f"Bearer {self._key.get_secret_value()}"
        return httpx.AsyncClient(
            headers=headers,
            timeout=httpx.Timeout(self._timeout_s, connect=min(CONNECT_TIMEOUT_S, self._timeout_s)),
            limits=httpx.Limits(max_connections=CONNECTIONS_MAX, keepalive_expiry=IDLE_S),
            verify=self._tls,
            trust_env=False,
            follow_redirects=False,
        )

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Costs some 30 ms to make."""
        return httpx.create_ssl_context(trust_env=False)

    def _refused(self, status: int) -> LinealError:
        if 300 <= status < 400:
            what = "points to another address; set LINEAL_EMBED_URL to the final one"
            return self._failed(what, lasting=True)
        what = _ADVICE.get(status, f"answered with status {status}")
        return self._failed(what, lasting=status in _LASTING)

    def _failed(self, what: str, *, lasting: bool = False) -> LinealError:
        place = f"{self._url.scheme}://{self._url.netloc.decode('ascii')}"
        message = f"The embeddings endpoint at {place} {what}."
        return LinealError.unavailable(message, retryable=not lasting)


def _batches(asked: Sequence[tuple[int, str]]) -> Iterator[list[tuple[int, str]]]:
    """asked: (place, text). Those of one request each, within TEXTS_MAX and CHARS_OF_A_REQUEST."""
    batch: list[tuple[int, str]] = []
    chars = 0
    for one in asked:
        chars += len(one[1])
        if batch and (len(batch) == TEXTS_MAX or chars > CHARS_OF_A_REQUEST):
            yield batch
            batch, chars = [], len(one[1])
        batch.append(one)
    if batch:
        yield batch


def _sent(text: str) -> str:
    """As far as it is read. Half a pair of surrogates can't be sent."""
    return text[:CHARS_MAX].encode("utf-8", "replace").decode("utf-8")


def _says(text: str) -> bool:
    return any(map(str.isalnum, text))


def _seconds(retry_after: str) -> float | None:
    """Of a Retry-After; None for one that names a time of day, which is not worth a clock."""
    try:
        return max(0.0, float(retry_after)) if retry_after.isascii() else None
    except ValueError:
        return None
