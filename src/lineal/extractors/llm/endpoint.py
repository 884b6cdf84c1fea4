"""A language model behind an OpenAI-compatible chat endpoint."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import anyio
from pydantic import ConfigDict, Field, SecretStr, ValidationError

from lineal.errors import LinealError
from lineal.extractors.llm.prompt import Structured
from lineal.models.asking import Question, Said
from lineal.models.base import Model
from lineal.outbound.address import Address, address_of, bearer_of, key_of
from lineal.outbound.advice import advice_of
from lineal.outbound.caller import Caller, Reply
from lineal.outbound.faults import Away
from lineal.outbound.retrying import retried

__all__ = ["Endpoint"]

NAME = "The language model"
PATH = "chat/completions"

ANSWER_BYTES_MAX = 262_144
"""Of a whole answer: sixteen times what was asked for."""

NOT_UNDERSTOOD = (400, 422)
"""Statuses of an endpoint that doesn't know a parameter."""

Form = Literal["json_schema", "json_object", "bare"]
FORMS: tuple[Form, ...] = ("json_schema", "json_object", "bare")
"""How a question is put, best first. bare: the messages only, which every endpoint takes."""

_ADVICE = {
    400: "did not take the question; check LINEAL_LLM_MODEL",
    404: "has no such address or model; check LINEAL_LLM_URL and LINEAL_LLM_MODEL",
    429: "has no room for more questions now",
}


class _Lenient(Model):
    """Part of an answer; endpoints add keys of their own."""

    model_config = ConfigDict(extra="ignore")


class _Message(_Lenient):
    content: str | None = None


class _Choice(_Lenient):
    message: _Message


class _Completion(_Lenient):
    choices: Annotated[list[_Choice], Field(min_length=1)]
    model: str | None = None


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
        self._at = _address(url)
        self._model = model
        self._key = key_of(key.get_secret_value() if key else None, self._at.key_setting)
        self._timeout_s = timeout_s
        self._form: Form = FORMS[0]

    async def __call__(self, question: Question) -> Said:
        """The model's answer. Raises unavailable, with what to do, when there is none in time."""
        caller = self._caller()
        with anyio.move_on_after(self._timeout_s):
            try:
                return await self._put(caller, question)
            except Away as away:  # a question may be asked again, whether or not it arrived
                raise LinealError.unavailable(away.message) from None
            finally:
                await caller.close()
        raise self._failed(f"did not answer within {self._timeout_s:g} s")

    async def _put(self, caller: Caller, question: Question) -> Said:
        """In the best form that the endpoint understands, which is kept for the next time."""
        for form in FORMS[FORMS.index(self._form) :]:
            reply = await self._retried(caller, self._body(question, form))
            if reply.status not in NOT_UNDERSTOOD:
                break
        if reply.status != 200:
            raise self._failed(advice_of(reply.status, self._at, _ADVICE))
        self._form = form
        return self._said(reply.body)

    async def _retried(self, caller: Caller, body: dict[str, Any]) -> Reply:
        return await retried(lambda: caller.call("POST", PATH, json=body), retries=1, unheard=True)

    def _said(self, body: bytes) -> Said:
        try:
            completion = _Completion.model_validate_json(body)
        except ValidationError:  # its words would hold the body's
            completion = None
        if completion is None:
            raise self._failed("answers something else than a chat endpoint; check LINEAL_LLM_URL")
        text = completion.choices[0].message.content
        if not text:
            raise self._failed("gave an empty answer or refused")
        return Said(text=text, model=completion.model or self._model)

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

    def _caller(self) -> Caller:
        """One for each question: they are rare, and an idle connection would be nobody's to
        close."""
        return Caller(
            self._at.url,
            bearer_of(self._key),
            timeout_s=self._timeout_s,
            bytes_max=ANSWER_BYTES_MAX,
            name=NAME,
        )

    def _failed(self, what: str) -> LinealError:
        return LinealError.unavailable(f"{NAME} at {self._at.place} {what}.")


def _address(url: str) -> Address:
    """Where questions go; the name of the call itself may be there or not."""
    setting, key_setting = "LINEAL_LLM_URL", "LINEAL_LLM_KEY"
    base = address_of(
        url, setting, key_setting=key_setting, example="https://api.example.com/v1", below=PATH
    )
    return Address(base, setting, key_setting)


def _format(question: Structured, form: Form) -> dict[str, Any]:
    if form == "json_object":
        return {"type": "json_object"}
    return {
        "type": "json_schema",
        "json_schema": {"name": "values", "strict": True, "schema": question.answer},
    }
