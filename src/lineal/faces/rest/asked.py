"""One request, as an operation sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from lineal.errors import LinealError
from lineal.models.base import Model
from lineal.models.changes import Call
from lineal.models.parse import parse
from lineal.service import Service

__all__ = ["Asked", "CallOf"]

M = TypeVar("M", bound=Model)

CallOf = Callable[[str], Call]
"""A verb of the service to the call of it."""


@dataclass(frozen=True)
class Asked:
    """Who asks, and what was sent: JSON of the body, words of the query and of the path.

    key: the idempotency key, of the header or of the body.
    """

    service: Service
    caller: CallOf
    body: Mapping[str, Any]
    query: Mapping[str, str]
    path: Mapping[str, str]
    key: str | None = None

    def call(self, tool: str) -> Call:
        """The call of one verb of the service."""
        return self.caller(tool)

    def named(self, name: str) -> str:
        """A part of the path."""
        return self.path[name]

    def body_as(self, model: type[M], **further: str) -> M:
        """The body as a request. further: what the path says. Raises invalid_request."""
        for name in further:
            if name in self.body:
                raise LinealError.invalid(name, f"Field '{name}' is not known here.")
        key = {} if self.key is None else {"idempotency_key": self.key}
        return parse(model, {**self.body, **key, **further})

    def query_as(self, model: type[M]) -> M:
        """The query as a request. Raises invalid_request."""
        return parse(model, self.query)
