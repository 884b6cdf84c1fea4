"""When two texts say the same."""

from __future__ import annotations

import hashlib
import re
import unicodedata

__all__ = ["content_key"]

_RUNS = re.compile(r"[\W_]+")


def content_key(text: str) -> str:
    """32 hex digits, equal for texts that are equal after NFKC, casefold, and collapsing white
    space and punctuation (A7)."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    words = _RUNS.sub(" ", folded).strip() or folded
    return hashlib.blake2b(words.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
