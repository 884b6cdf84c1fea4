"""A language model behind an OpenAI-compatible chat endpoint."""

from __future__ import annotations

import ssl
from functools import cached_property
from typing import Annotated, Any, Literal

import anyio
import httpx
from pydantic import ConfigDict, Field, SecretStr, ValidationError

from lineal.errors import LinealError
from lineal.extractors.llm.prompt import Structured
from lineal.models.asking import Question, Said
from lineal.models.base import Model

__all__ = ["Endpoint"]

CONNECT_TIMEOUT_S = 5.0
RETRY_WAIT_S = 0.5
"""Before the one retry, when the endpoint doesn't say how long."""

ANSWER_BYTES_MAX = 262_144
"""Of a whole answer: sixteen times what was asked for."""

BUSY = (429, 503)
"""Statuses after which the same question may be answered."""

NOT_UNDERSTOOD = (400, 422)
"""Statuses of an endpoint that doesn't know a parameter."""

Form = Literal["json_schema", "json_object", "bare"]
FORMS: tuple[Form, ...] = ("json_schema", "json_object", "bare")
"""How a question is put, best first. bare: the messages only, which every endpoint takes."""

_ADVICE = {
    400: "did not take the question; check LINEAL_LLM_MODEL",
    401: "refused the key; check LINEAL_LLM_KEY",
    403: "refused the key; check LINEAL_LLM_KEY",
    404: "has no such address or model; check LINEAL_LLM_URL and LINEAL_LLM_MODEL",
    429: "has no room for more questions now",
    503: "is overloaded or away",
}


class _Lenient(Model):
    """Part of an answer; endpoints add keys of their own."""

    model_config = ConfigDict(extra="ignore")


class _Message(_Lenient):
    content: str | None = None


class _Choice(_Lenient):
    message: _Message


class _Reply(_Lenient):
    choices: Annotated[list[_Choice], Field(min_length=1)]
    model: str | None = None


class _Answer(Model):
    """An HTTP answer; the body of a 200 only. wait_s: what Retry-After says, in seconds."""

    status: int
    wait_s: float = RETRY_WAIT_S
    body: bytes = b""


class Endpoint:
    """An Ask. url: up to and without /chat/completions. timeout_s: of a question in all, retry
    and waiting included.

    It goes to this address only: no redirect is followed, no proxy or .netrc of the environment
    used. The key is in no error, log or repr.
    """

    def __init__(
        self, url: str, model: str, key: SecretStr | None = None, *, timeout_s: float = 20.0
    ) -> None:
        """Raises invalid_request for a URL or a key that can't be one."""
        self._url = _address(url)
        self._model = model
        self._key = _checked(key)
        self._timeout_s = timeout_s
        self._form: Form = FORMS[0]

    async def __call__(self, question: Question) -> Said:
        """The model's answer. Raises unavailable, with what to do, when there is none in time."""
        with anyio.move_on_after(self._timeout_s):
            try:
                async with self._client() as client:
                    return await self._put(client, question)
            except httpx.HTTPError as error:
                raise self._failed(f"can't be reached ({type(error).__name__})") from error
        raise self._failed(f"did not answer within {self._timeout_s:g} s")

    async def _put(self, client: httpx.AsyncClient, question: Question) -> Said:
        """In the best form that the endpoint understands, which is kept for the next time."""
        for form in FORMS[FORMS.index(self._form) :]:
            answer = await self._retried(client, self._body(question, form))
            if answer.status not in NOT_UNDERSTOOD:
                break
        if answer.status != 200:
            raise self._refused(answer.status)
        self._form = form
        return self._said(answer.body)

    async def _retried(self, client: httpx.AsyncClient, body: dict[str, Any]) -> _Answer:
        """One more try after a full house or a lost connection, if there is time for it."""
        try:
            answer = await self._sent(client, body)
        except (httpx.NetworkError, httpx.RemoteProtocolError):
            answer = _Answer(status=503)
        if answer.status not in BUSY:
            return answer
        if anyio.current_time() + answer.wait_s >= anyio.current_effective_deadline():
            raise self._refused(answer.status)
        await anyio.sleep(answer.wait_s)
        return await self._sent(client, body)

    async def _sent(self, client: httpx.AsyncClient, body: dict[str, Any]) -> _Answer:
        async with client.stream("POST", self._url, json=body) as response:
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

    def _said(self, body: bytes) -> Said:
        try:
            reply = _Reply.model_validate_json(body)
        except ValidationError:  # its words would hold the body's
            reply = None
        if reply is None:
            raise self._failed("answers something else than a chat endpoint; check LINEAL_LLM_URL")
        text = reply.choices[0].message.content
        if not text:
            raise self._failed("gave an empty answer or refused")
        return Said(text=text, model=reply.model or self._model)

    def _body(self, question: Question, form: Form) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [
                {"role": "system", "content": question.system},
                {"role": "user", "content": question.prompt},
            ],
        }
        if form != "bare":
            body |= {"temperature": 0, "max_tokens": question.max_tokens}
        if form != "bare" and isinstance(question, Structured):
            body["response_format"] = _format(question, form)
        return body

    def _client(self) -> httpx.AsyncClient:
        """One for each question: they are rare, and an idle connection would be nobody's to
        close."""
        headers = {"accept-encoding": "identity"}
        if self._key is not None:
            headers["authorization"] = f"Bearer {self._key.get_secret_value()}"
        timeout = httpx.Timeout(self._timeout_s, connect=min(CONNECT_TIMEOUT_S, self._timeout_s))
        return httpx.AsyncClient(
            headers=headers,
            timeout=timeout,
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
            return self._failed("points to another address; set LINEAL_LLM_URL to the final one")
        return self._failed(_ADVICE.get(status, f"answered with status {status}"))

    def _failed(self, what: str) -> LinealError:
        place = f"{self._url.scheme}://{self._url.netloc.decode('ascii')}"
        return LinealError.unavailable(f"The language model at {place} {what}.")


def _address(url: str) -> httpx.URL:
    """Where questions go. Raises invalid_request, without the URL: it may hold a secret."""
    try:
        base = httpx.URL(url.strip())
    except httpx.InvalidURL:
        base = httpx.URL()
    if base.scheme not in ("http", "https") or not base.host:
        raise LinealError.invalid(
            "LINEAL_LLM_URL",
            "LINEAL_LLM_URL is not an http or https address such as https://api.example.com/v1.",
        )
    if base.userinfo or base.query or base.fragment:
        raise LinealError.invalid(
            "LINEAL_LLM_URL",
            "LINEAL_LLM_URL holds a user, a query or a fragment. The address is all it takes; a "
            "key belongs into LINEAL_LLM_KEY.",
        )
    path = base.path.rstrip("/").removesuffix("/chat/completions")
    return base.copy_with(path=f"{path}/chat/completions")


def _checked(key: SecretStr | None) -> SecretStr | None:
    """A key that a header can hold. Raises invalid_request without it: HTTP's own error would
    show it."""
    value = key.get_secret_value().strip() if key else ""
    if not value:
        return None
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise LinealError.invalid(
            "LINEAL_LLM_KEY", "LINEAL_LLM_KEY holds characters that no key has. Copy it again."
        )
    return SecretStr(value)


def _format(question: Structured, form: Form) -> dict[str, Any]:
    if form == "json_object":
        return {"type": "json_object"}
    return {
        "type": "json_schema",
        "json_schema": {"name": "values", "strict": True, "schema": question.answer},
    }


def _seconds(retry_after: str) -> float:
    """Of a Retry-After; one that names a time of day is not worth a clock."""
    try:
        return max(0.0, float(retry_after)) if retry_after.isascii() else RETRY_WAIT_S
    except ValueError:
        return RETRY_WAIT_S
