"""JSON that is the same for the same value, its hash, and its reading, without the time that
importing `json` takes: that costs half a start of Python, and a hook starts at every tool use.
"""

from __future__ import annotations

try:
    # The C half of `json`, without its regular expressions.
    from _json import encode_basestring, make_encoder, make_scanner
except ImportError:  # another interpreter than CPython
    make_scanner = None  # type: ignore[assignment,misc]
try:
    from _blake2 import blake2b  # what hashlib offers under this name, without OpenSSL's start
except ImportError:
    from hashlib import blake2b

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["canonical", "digest", "hash_of", "parsed"]

# SystemError: up to Python 3.11 the C scanner can't find the exception to raise unless
# `json.decoder` has been imported.
_UNREADABLE = (ValueError, StopIteration, SystemError, RecursionError)


class _Scan:
    """What the C scanner asks of a decoder: strict JSON into plain values."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int

    @staticmethod
    def parse_constant(name: str) -> float:
        raise ValueError(name)


def parsed(text: str) -> Any:
    """The JSON value of a text; None where it isn't JSON."""
    text = text.strip("\ufeff \t\r\n")
    try:
        if make_scanner is None:
            import json

            return json.loads(text)
        value, end = make_scanner(_Scan)(text, 0)  # type: ignore[arg-type]
    except _UNREADABLE:
        return None
    return value if end == len(text) else None


def canonical(value: Any) -> str:
    """JSON with sorted keys and without white space; what JSON can't hold stands as its str().
    Raises RecursionError for a value nested too deep."""
    if make_scanner is None:
        import json

        return json.dumps(
            value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str
        )
    encode = make_encoder(None, str, encode_basestring, None, ":", ",", True, False, True)
    return "".join(encode(value, 0))


def digest(text: str) -> str:
    """32 hex digits of a text: BLAKE2b of 128 bits."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def hash_of(value: Any) -> str:
    """32 hex digits of a JSON value, the same whoever computes them."""
    return digest(canonical(value))
