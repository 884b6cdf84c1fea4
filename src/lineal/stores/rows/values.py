"""What a column holds, and what a row is."""

from __future__ import annotations

from typing import Any

__all__ = ["Row", "Value"]

Value = str | int | bytes | float | None
"""What a column holds."""

Row = tuple[Any, ...]
"""A row as an engine gives it: nothing in it is believed before its digest is checked."""
