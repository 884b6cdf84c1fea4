"""A vector in 8-bit numbers: a quarter of the room, and the same order but for what is as near."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

__all__ = ["in_bytes"]


def in_bytes(vector: Sequence[float]) -> tuple[float, np.ndarray[Any, Any]]:
    """(scale, (dim,) whole numbers in [-127, 127]): their product is the vector, within 1/254 of
    its largest number."""
    import numpy as np

    numbers = np.asarray(vector, np.float32)
    scale = float(np.abs(numbers).max()) / 127 or 1.0
    return scale, np.rint(numbers / scale).astype(np.int8)
