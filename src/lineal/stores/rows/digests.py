"""Hashes of rows, and what one that doesn't fit means."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from hashlib import blake2b
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError

from lineal.clock import from_ms, to_ms
from lineal.errors import LinealError
from lineal.stores.rows.damage import damaged
from lineal.stores.rows.values import Value

__all__ = [
    "at_or_none",
    "body_of",
    "digest",
    "ms_or_none",
    "naming",
    "parsed",
    "require_digest",
]

Parsed = TypeVar("Parsed", bound=BaseModel)

_DIGEST_BYTES = 16


def digest(*values: Value) -> bytes:
    """16 bytes over the values in order and their types. Not a secret: it finds damage.

    ascii() of the tuple tells 1 from "1" and one text from two, in every version of Python.
    """
    return blake2b(ascii(values).encode("ascii"), digest_size=_DIGEST_BYTES).digest()


def require_digest(found: Value, values: Iterable[Value], what: str, **details: str) -> None:
    """Raises LinealError (damaged, naming `what`) unless the digest fits the values."""
    if digest(*values) != found:
        raise damaged(what, **details)


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Text that is no text any more is damage to the memory of that id."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise damaged(f"The memory '{name}'", context_id=name) from error


def ms_or_none(at: datetime | None) -> int | None:
    return None if at is None else to_ms(at)


def at_or_none(ms: int | None) -> datetime | None:
    return None if ms is None else from_ms(ms)


def body_of(model: BaseModel, *, sparse: bool = False) -> str:
    """The canonical JSON of a record. sparse: without what is as usual, which is a third of a short
    memory. Raises LinealError for text that no file can hold."""
    try:
        return model.model_dump_json(exclude_defaults=sparse)
    except (PydanticSerializationError, UnicodeEncodeError) as error:
        raise LinealError.invalid(
            "content", "The record holds text that isn't valid Unicode; remove lone surrogates."
        ) from error


def parsed(model: type[Parsed], body: str, what: str) -> Parsed:
    """A record from its JSON; its digest has been checked before."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise damaged(what) from error
