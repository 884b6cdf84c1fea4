"""What an embeddings endpoint answers, checked and brought to length 1."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import ConfigDict, Field, ValidationError

from lineal.models.base import Model

__all__ = ["Unfit", "Vector", "vectors_of"]

Vector = tuple[float, ...]

LENGTH_MIN = 1e-12
"""Of a vector that points somewhere."""


class Unfit(ValueError):
    """An answer that can't be used. Its words go on after "The endpoint ..." and hold nothing of
    the answer but numbers of ours."""


class _Lenient(Model):
    """Part of an answer; endpoints add keys of their own."""

    model_config = ConfigDict(extra="ignore", strict=True)


class _Item(_Lenient):
    embedding: Annotated[list[float], Field(min_length=1)]
    index: int | None = None


class _Reply(_Lenient):
    data: list[_Item]


def vectors_of(body: bytes, number: int, dim: int) -> list[Vector]:
    """(number, dim), each of length 1, in the order of the texts. dim: 0 takes any, the same for
    all. Raises Unfit."""
    items = _items(body)
    if len(items) != number:
        raise Unfit(f"gave {len(items)} vectors for {number} texts")
    # Some leave out an index of 0, some leave out all: the place says the same.
    by_place = {at if item.index is None else item.index: item for at, item in enumerate(items)}
    if by_place.keys() != set(range(number)):
        raise Unfit("numbers its vectors so that it can't be told whose they are")
    wanted = dim or len(items[0].embedding)
    return [_unit(by_place[place].embedding, wanted) for place in range(number)]


def _items(body: bytes) -> list[_Item]:
    try:
        return _Reply.model_validate_json(body).data
    except ValidationError:  # its words would hold the body's
        pass
    raise Unfit(
        "answers something else than an embeddings endpoint; check LINEAL_EMBED_URL, which mostly "
        "ends in /v1"
    )


def _unit(numbers: list[float], dim: int) -> Vector:
    if len(numbers) != dim:
        raise Unfit(
            f"gave a vector of {len(numbers)} numbers instead of {dim}; check LINEAL_EMBED_DIM and "
            "whether the model is still the same"
        )
    if not all(map(math.isfinite, numbers)):
        raise Unfit("gave a vector with a number that is none (NaN or infinite)")
    length = math.hypot(*numbers)
    if not LENGTH_MIN < length < math.inf:
        raise Unfit("gave a vector of no length, or of too much")
    return tuple(value / length for value in numbers)
