"""Taking in the records of an archive: as they were, and indexed as if they had been written here.

Inside one write transaction that has the whole tenant to itself, each kind in its turn, in the
order in which they came out."""

from __future__ import annotations

__all__ = ["load", "tenant_among"]
