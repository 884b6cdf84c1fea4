"""Token vectors of MiniLM: which pieces say nothing, and 384 numbers of a piece as 128."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

from lineal.analysis.stopwords import STOP_WORDS
from lineal.embedders.wordpiece import WordPiece, vocabulary

__all__ = ["TOKEN_DIM", "TOKEN_VERSION", "projected", "stop_pieces"]

TOKEN_DIM = 128
BLOCKS = 3
"""Of TOKEN_DIM numbers each: together the 384 of the model."""

TOKEN_VERSION = "minilm-l6-v2-int8.v1/128.v1"  # noqa: S105 - no secret
"""Changes with whatever changes the tokens: the model's own version, or the projection."""

SIGNS = b"lineal minilm tokens "
"""The signs are the bits of the SHA-256 of this with "0", "1" ... behind it, each byte's lowest bit
first; 1 is plus."""

_CLIPPED = ("s", "t", "ll", "re", "ve", "d", "m")
"""What an apostrophe leaves of a stop word."""


def projected(states: Any) -> Any:
    """states: a numpy array (..., 384) of floats → (..., 128), lengths and angles nearly kept.

    Each block of 128 numbers gets random signs, the blocks are added, and the sum goes through a
    Hadamard transform (the fast Johnson-Lindenstrauss transform; Ailon & Chazelle 2009): a product
    with a matrix (384, 128) of plus and minus 1 / √384, whose columns are square to each other. It
    is made of additions alone, so that no library's threads or order of summing come into it.
    Principal axes of the model's own vocabulary kept angles a little better when it was measured,
    and found no more of what was asked for.
    """
    import numpy as np

    signed = (states * _signs(states.dtype)).reshape(*states.shape[:-1], BLOCKS, TOKEN_DIM)
    sums = signed[..., 0, :] + signed[..., 1, :] + signed[..., 2, :]
    half = 1
    while half < TOKEN_DIM:
        pairs = sums.reshape(*states.shape[:-1], -1, 2, half)
        one, other = pairs[..., 0, :], pairs[..., 1, :]
        sums = np.stack((one + other, one - other), axis=-2)
        half *= 2
    return sums.reshape(*states.shape[:-1], TOKEN_DIM)


@cache
def _signs(dtype: Any) -> Any:
    """(384,), each plus or minus 1 / √384."""
    import numpy as np

    data = b"".join(hashlib.sha256(SIGNS + b"%d" % number).digest() for number in range(2))
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")[: BLOCKS * TOKEN_DIM]
    return ((bits.astype(float) * 2 - 1) / np.sqrt(len(bits))).astype(dtype)


@cache
def stop_pieces() -> frozenset[int]:
    """The numbers of English stop words and of pieces without a letter or digit."""
    pieces = WordPiece(vocabulary())
    return pieces.wordless | pieces.numbers((*STOP_WORDS["english"], *_CLIPPED))
