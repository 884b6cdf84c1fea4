"""Vectors from an OpenAI-compatible endpoint: a service, or a server of one's own.

What such servers do differently, and is dealt with here: text-embeddings-inference takes 32 texts a
request; llama.cpp (500), Ollama and vLLM (400) refuse a text that is longer than the model's
window; vLLM refuses `dimensions` for a model that wasn't trained for them; Gemini leaves out an
`index` of 0.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import anyio

from lineal.embedders.reply import Unfit, Vector, vectors_of
from lineal.errors import LinealError
from lineal.outbound.address import Address, address_of, bearer_of, key_of
from lineal.outbound.advice import advice_of
from lineal.outbound.caller import Caller, Reply
from lineal.outbound.faults import Away
from lineal.outbound.retrying import retried

__all__ = ["EndpointEmbedder"]

NAME = "The embeddings endpoint"
PATH = "embeddings"

TEXTS_MAX = 32
"""Of one request."""

CHARS_MAX = 8_000
"""Of one text; some 2,000 tokens of English. What follows is not read."""

CHARS_OF_A_REQUEST = 32_000

SHORTER = (2_000, 500)
"""Characters that are tried when a longer text is refused: nearly always less than 512 tokens, the
smallest window there is, in English and in any script."""

CONNECTIONS_MAX = 4
RETRIES = 2

NOT_UNDERSTOOD = (400, 422)
"""Statuses of an endpoint that doesn't know a parameter, among other things."""

REFUSED = (400, 413, 422, 500)
"""Statuses of what is too long, too much or not understood."""

_ADVICE = {
    400: "did not take the texts; check LINEAL_EMBED_MODEL",
    404: "has no such address or model; check LINEAL_EMBED_URL and LINEAL_EMBED_MODEL",
    413: "did not take so much text",
    422: "did not take the texts; check LINEAL_EMBED_MODEL",
    429: "has no room for more texts now",
}

_LASTING = (400, 401, 403, 404, 413, 422)
"""Statuses that the same request will meet again."""


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
        self._at = _address(url)
        self._model = model
        self._caller = Caller(
            self._at.url,
            bearer_of(key_of(key, self._at.key_setting)),
            timeout_s=timeout_s,
            connections_max=CONNECTIONS_MAX,
            name=NAME,
        )
        self._sends_dim = bool(dim)
        self._timeout_s = timeout_s
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
        cut = (text[:CHARS_MAX] for text in texts)
        asked = [(at, text) for at, text in enumerate(cut) if _says(text)]
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
        await self._caller.close()

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

    def _read(self, reply: Reply, number: int) -> list[Vector]:
        try:
            vectors = vectors_of(reply.body, number, self.dim)
        except Unfit as unfit:
            raise self._failed(str(unfit), lasting=True) from None
        self.dim = len(vectors[0])
        return vectors

    async def _in_time(self, texts: list[str], *, sized: bool = True) -> Reply:
        """sized: with `dimensions`, if they were given and are understood."""
        body: dict[str, Any] = {"model": self._model, "input": texts, "encoding_format": "float"}
        if sized and self._sends_dim:
            body["dimensions"] = self.dim
        with anyio.move_on_after(self._timeout_s):
            try:
                return await retried(lambda: self._posted(body), retries=RETRIES)
            except Away as away:  # vectors may be asked for again, whether or not it arrived
                raise LinealError.unavailable(away.message) from None
        raise self._failed(f"did not answer within {self._timeout_s:g} s")

    async def _posted(self, body: dict[str, Any]) -> Reply:
        return await self._caller.call("POST", PATH, json=body, safe=True)

    def _refused(self, status: int) -> LinealError:
        lasting = status in _LASTING or 300 <= status < 400
        return self._failed(advice_of(status, self._at, _ADVICE), lasting=lasting)

    def _failed(self, what: str, *, lasting: bool = False) -> LinealError:
        message = f"{NAME} at {self._at.place} {what}."
        return LinealError.unavailable(message, retryable=not lasting)


def _address(url: str) -> Address:
    """Where texts go; the name of the call itself may be there or not."""
    setting, key_setting = "LINEAL_EMBED_URL", "LINEAL_EMBED_KEY"
    base = address_of(
        url, setting, key_setting=key_setting, example="http://localhost:11434/v1", below=PATH
    )
    return Address(base, setting, key_setting)


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


def _says(text: str) -> bool:
    return any(map(str.isalnum, text))
