"""Token vectors of MiniLM: which pieces say nothing, and 384 numbers of a piece as 128."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

from lineal.analysis.stopwords import STOP_WORDS
from lineal.embedders.wordpiece import WordPiece, vocabulary

__all__ = ["TOKEN_DIM", "TOKEN_VERSION", "projection", "stop_pieces"]

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


@cache
def projection() -> Any:
    """A numpy array (384, 128) of 32-bit floats with columns of length 1, square to each other.

    Each block of 128 numbers gets random signs and a Hadamard transform, and the blocks are added
    (the fast Johnson-Lindenstrauss transform; Ailon & Chazelle 2009). All entries are plus or minus
    one number, so it is the same everywhere. Principal axes of the model's own vocabulary kept
    angles a little better when it was measured, and found no more of what was asked for.
    """
    import numpy as np

    hadamard = np.ones((1, 1))
    while len(hadamard) < TOKEN_DIM:
        hadamard = np.block([[hadamard, hadamard], [hadamard, -hadamard]])
    rows = np.tile(hadamard, (BLOCKS, 1)) * _signs()[:, None]
    return (rows / np.sqrt(len(rows))).astype(np.float32)


def _signs() -> Any:
    """(384,), each 1 or -1."""
    import numpy as np

    data = b"".join(hashlib.sha256(SIGNS + b"%d" % number).digest() for number in range(2))
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little")
    return bits[: BLOCKS * TOKEN_DIM].astype(float) * 2 - 1


@cache
def stop_pieces() -> frozenset[int]:
    """The numbers of English stop words and of pieces without a letter or digit."""
    pieces = WordPiece(vocabulary())
    return pieces.wordless | pieces.numbers((*STOP_WORDS["english"], *_CLIPPED))
