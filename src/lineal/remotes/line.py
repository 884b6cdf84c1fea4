"""A line to one remote: a request goes out, its answer comes back as a model or as a fault."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import anyio
from pydantic import BaseModel, SecretStr, ValidationError

from lineal.errors import LinealError
from lineal.outbound.caller import Caller, Reply
from lineal.outbound.faults import Away
from lineal.remotes.errors import fault_of, unreadable

__all__ = ["Line", "Params"]

Params = Mapping[str, str | int | bool]

SLACK_S = 1.0
"""More than one request's time for a verb of several, so that one that ends by itself says why."""

M = TypeVar("M", bound=BaseModel)


class Line:
    """name: of the service; place: scheme and host; both for messages. timeout_s: of one request.
    key: what the caller sends as its key, so that no answer that repeats it is passed on with it.
    """

    def __init__(
        self,
        caller: Caller,
        name: str,
        place: str,
        *,
        timeout_s: float,
        key: SecretStr | None = None,
    ) -> None:
        self._caller = caller
        self._who = f"{name} at {place}"
        self._timeout_s = timeout_s
        self._key = key
        self.place = place

    async def close(self) -> None:
        await self._caller.close()

    async def ask(
        self,
        model: type[M],
        what: str,
        method: str,
        path: str,
        *,
        json: object | None = None,
        params: Params | None = None,
        safe: bool = False,
    ) -> M:
        """The answer of a 2xx. what: the verb, for messages; safe: a POST that changes nothing.
        Raises Refused or Away, also for an answer that isn't the contract's."""
        reply = await self._caller.call(method, path, json=json, params=params, safe=safe)
        return self.read(model, reply, what)

    async def reply(self, method: str, path: str, *, json: object | None = None) -> Reply:
        """An answer of any status. Raises Away where there is none."""
        return await self._caller.call(method, path, json=json)

    def read(self, model: type[M], reply: Reply, what: str) -> M:
        """Of a 2xx; else raises what the answer says."""
        self.check(reply, what)
        try:
            return model.model_validate_json(reply.body)
        except ValidationError:  # its words would hold the body's
            pass
        raise self.unreadable(reply, what)

    def check(self, reply: Reply, what: str) -> None:
        """Raises what an answer says that isn't 2xx."""
        if not 200 <= reply.status < 300:
            raise self.fault(reply, what)

    def fault(self, reply: Reply, what: str) -> LinealError:
        return fault_of(reply, self._who, what, key=self._key)

    def unreadable(self, reply: Reply, what: str) -> Away:
        """To be raised for a 2xx that isn't the contract's."""
        return unreadable(reply, self._who, what)

    @contextmanager
    def in_time(self, what: str) -> Iterator[None]:
        """A verb of several requests takes no longer than one may. Raises Away."""
        with anyio.move_on_after(self._timeout_s + SLACK_S) as scope:
            yield
        if scope.cancelled_caught:
            message = f"{self._who} did not do '{what}' within {self._timeout_s:g} s."
            raise Away(f"{message} It may have been done all the same.", arrived=None)
