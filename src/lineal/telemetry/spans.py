"""One span: current while its block runs, and honest about how the block ended."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import TypeAlias

from opentelemetry import context
from opentelemetry.trace import (
    Span,
    StatusCode,
    Tracer,
    TracerProvider,
    get_tracer,
    set_span_in_context,
)
from opentelemetry.util.types import AnyValue

from lineal import __version__
from lineal.errors import LinealError

__all__ = ["Attributes", "Current", "failed", "started", "tracer_of"]

Attributes: TypeAlias = Mapping[str, AnyValue]

ERROR_TYPE = "error.type"


def tracer_of(provider: TracerProvider | None) -> Tracer:
    """Our tracer, by name and version; of the process's provider where none is handed in, whether
    it is there already or comes later."""
    return get_tracer("lineal", __version__, provider)


def started(tracer: Tracer, name: str, attributes: Attributes) -> Span:
    """A span that begins now. It writes down no exception of its own: a message may hold content.

    kind: INTERNAL, since the memory runs in this process.
    """
    return tracer.start_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    )


def failed(span: Span, kind: str) -> None:
    """That the span's work ended in an error of this kind. No description: see `started`."""
    span.set_attribute(ERROR_TYPE, kind)
    span.set_status(StatusCode.ERROR)


class Current:
    """The span is the current one within the block, and ends with it.

    The API's own context manager does the same at more than twice the price, which every call
    would pay, traced or not.
    """

    __slots__ = ("_span", "_token")

    def __init__(self, span: Span) -> None:
        self._span = span

    def __enter__(self) -> Span:
        self._token = context.attach(set_span_in_context(self._span))
        return self._span

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        context.detach(self._token)
        if error is not None and self._span.is_recording():
            failed(self._span, kind_of(error))
        self._span.end()


def kind_of(error: BaseException) -> str:
    """Our code of an error, or what it is called: few different words, and none of a caller's."""
    return error.code.value if isinstance(error, LinealError) else type(error).__qualname__
