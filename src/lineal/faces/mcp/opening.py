"""What a client says before all else, and what the snapshot can say back to it. No effects.

Standard library only, and little of it, as in front.py.
"""

from __future__ import annotations

import os

from lineal import __version__

try:
    # The C half of `json`, without the regular expressions whose import costs half a start.
    from _json import encode_basestring, make_scanner
except ImportError:  # another interpreter than CPython
    make_scanner = None  # type: ignore[assignment,misc]
    from json.encoder import encode_basestring

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = [
    "ANSWERED",
    "NOTED",
    "NOTE_EVENT",
    "TOOL_USE_ID",
    "UNANSWERED",
    "Opening",
    "from_snapshot",
    "shipped",
]

NOTE_EVENT = "note_event"
"""The tool that a client's hooks call. It is in no list, so that no model sees it; a call of it
that bears a model's call id isn't a hook's."""

TOOL_USE_ID = "claudecode/toolUseId"
"""Where Claude Code puts its own id of a model's call, in `_meta`."""

NOTED = "tools/call " + NOTE_EVENT
"""A hook's event is the one call answered here: its answer is always the same, and the client waits
for it before it asks its model anything. The event itself is kept for the SDK's side."""

UNANSWERED, ANSWERED = "unanswered", "answered"
"""What a kept line is kept as: for the SDK to serve, or to replay into it in silence."""

_SMALL_LINE_BYTES = 65_536  # an opening is small; whatever is larger is for the SDK
_BRACKETS_MAX = 100  # the SDK's parser refuses depth 200; fewer brackets can't be that deep
_SAFE_INTEGER = 2**53  # beyond it parsers disagree

# The scanner's ways to say no. SystemError: up to Python 3.11 its C code can't find the exception
# to raise unless `json.decoder` has been imported.
_UNREADABLE = (ValueError, StopIteration, SystemError)

_RESERVED = "io.modelcontextprotocol/"
_VERSION_KEY = _RESERVED + "protocolVersion"
_ENVELOPE_KEYS = {_VERSION_KEY, _RESERVED + "clientInfo", _RESERVED + "clientCapabilities"}

# Shapes are a narrow part of what the SDK's models take; None is allowed where a key is optional.
_ICON = ({"src": str}, {"mimeType": str, "sizes": [str], "theme": {"light", "dark"}})
_CLIENT_INFO = (
    {"name": str, "version": str},
    {"title": str, "description": str, "websiteUrl": str, "icons": [_ICON]},
)
_CAPABILITIES: Any = (
    {},
    {
        "roots": ({}, {"listChanged": bool}),
        "sampling": ({}, {"context": dict, "tools": dict}),
        "elicitation": ({}, {"form": dict, "url": dict}),
        "experimental": {"*": dict},
        "extensions": {"*": dict},
        "tasks": (
            {},
            {
                "list": dict,
                "cancel": dict,
                "requests": (
                    {},
                    {
                        "sampling": ({}, {"createMessage": dict}),
                        "elicitation": ({}, {"create": dict}),
                    },
                ),
            },
        ),
    },
)
_INITIALIZE: Any = (
    {"protocolVersion": str, "capabilities": _CAPABILITIES, "clientInfo": _CLIENT_INFO},
    {},
)
_ENVELOPE = (
    {_VERSION_KEY: str, _RESERVED + "clientCapabilities": _CAPABILITIES},
    {_RESERVED + "clientInfo": _CLIENT_INFO},
)


class Opening:
    """Follows the client's opening as the SDK would and answers what the snapshot holds.

    answers: protocol version → method → the result as JSON text; fallback: the version that the SDK
    settles on when a handshake asks for one it doesn't know.
    """

    def __init__(self, answers: dict[str, dict[str, bytes]], fallback: str) -> None:
        self._answers = answers
        self._fallback = fallback
        self._modern: bool | None = None  # decided by the first request, once
        self._version: str | None = None  # settled by the handshake
        self._lost = not answers
        self.listed = False

    def hear(self, line: bytes) -> tuple[bytes | None, str | None, bool]:
        """One line → what to say back, what to keep the line as, whether an answer is still owed.

        The first line that the SDK might read otherwise than we do ends our part: from there on
        every line is kept.
        """
        if not line or line.isspace():
            return None, None, False
        message = None if self._lost else _message(line)
        if message is None:
            self._lost = True
            return None, UNANSWERED, True
        if "id" not in message:
            return None, UNANSWERED, False
        method, params = message["method"], message.get("params", {})
        first = self._modern is None
        if first:
            self._modern = _VERSION_KEY in _meta(params)
        result = self._result(method, params)
        if result is None:
            self._lost = method == "initialize"
            return None, UNANSWERED, True
        self.listed |= method == "tools/list"
        reply = b'{"jsonrpc":"2.0","id":%b,"result":%b}\n' % (_id_json(message["id"]), result)
        again = first or method in ("initialize", "tools/call")
        return reply, ANSWERED if again else None, False

    def _result(self, method: str, params: dict[str, Any]) -> bytes | None:
        if self._modern:
            return self._modern_result(method, params)
        if any(key.startswith(_RESERVED) for key in _meta(params)) or not _is_plain_meta(params):
            return None
        if method == "initialize":
            return self._greeting(params)
        if params.keys() - {"_meta"} or (method != "ping" and self._version is None):
            return None
        return self._answers[self._version or self._fallback].get(method)

    def _modern_result(self, method: str, params: dict[str, Any]) -> bytes | None:
        meta = _meta(params)
        if method == "tools/call" and _is_note(params):
            method, params = NOTED, {"_meta": meta}
        if params.keys() != {"_meta"} or not _is_plain_meta(params) or not _fits(meta, _ENVELOPE):
            return None
        known = self._answers.get(meta[_VERSION_KEY], {})
        return None if "initialize" in known else known.get(method)

    def _greeting(self, params: dict[str, Any]) -> bytes | None:
        if self._version is not None or not _fits(params, _INITIALIZE):
            return None
        asked = params["protocolVersion"]
        self._version = asked if "initialize" in self._answers.get(asked, {}) else self._fallback
        return self._answers[self._version]["initialize"]


def shipped(*, read_only: bool) -> Opening:
    """The opening from the shipped snapshot; without one that fits, the SDK answers everything."""
    path = os.path.join(os.path.dirname(__file__), "snapshot.json")
    try:
        with open(path, "rb") as file:
            return from_snapshot(file.read(), read_only=read_only)
    except OSError:
        return Opening({}, "")


def from_snapshot(data: bytes, *, read_only: bool) -> Opening:
    """The opening that a snapshot tells; an empty one if it is of another version, or cut off.

    Its first line is the index, then comes one result a line (see snapshot.py).
    """
    try:
        head, *results, tail, _ = data.split(b"\n")
        index, _ = _scan(head.decode() + "]}", 0)
        if tail != b"]}" or index["lineal"] != __version__:
            return Opening({}, "")
        answers = {
            version: {method: results[at].rstrip(b",") for method, at in methods.items()}
            for version, methods in index["read_only" if read_only else "read_write"].items()
        }
        return Opening(answers, index["fallback"])
    except (*_UNREADABLE, LookupError):
        return Opening({}, "")


def _message(line: bytes) -> dict[str, Any] | None:
    """The line as a request or notification; None unless the SDK surely reads the same in it."""
    # Lone surrogates are where parsers part, so no escaped surrogate is looked at.
    if len(line) > _SMALL_LINE_BYTES or b"\\ud" in line or b"\\uD" in line:
        return None
    if line.count(b"{") + line.count(b"[") > _BRACKETS_MAX:
        return None
    try:
        text = line.decode().strip(" \t\r\n")
        message, end = _scan(text, 0)
    except _UNREADABLE:
        return None
    if end != len(text) or type(message) is not dict or message.get("jsonrpc") != "2.0":
        return None
    if message.keys() - {"jsonrpc", "id", "method", "params"}:
        return None
    if type(message.get("method")) is not str or type(message.get("params", {})) is not dict:
        return None
    return message if "id" not in message or _is_id(message["id"]) else None


def _is_id(value: Any) -> bool:
    return type(value) is str or (type(value) is int and abs(value) < _SAFE_INTEGER)


def _id_json(value: str | int) -> bytes:
    return encode_basestring(value).encode() if isinstance(value, str) else b"%d" % value


def _meta(params: dict[str, Any]) -> dict[str, Any]:
    """`_meta` where it is an object, else nothing: how the SDK looks for the era's mark."""
    meta = params.get("_meta")
    return meta if type(meta) is dict else {}


def _is_note(params: dict[str, Any]) -> bool:
    """Whether a call is a hook's word, and nothing besides."""
    given = params.get("arguments")
    return (
        params.keys() == {"name", "arguments", "_meta"}
        and params["name"] == NOTE_EVENT
        and type(given) is dict
        and all(type(value) is str for value in given.values())
        and TOOL_USE_ID not in _meta(params)
    )


def _is_plain_meta(params: dict[str, Any]) -> bool:
    """Whether `_meta` is absent or holds only the envelope, a progress token and prefixed keys."""
    if "_meta" not in params:
        return True
    meta = params["_meta"]
    return type(meta) is dict and all(
        _is_id(value) if key == "progressToken" else _is_plain_key(key)
        for key, value in meta.items()
    )


def _is_plain_key(key: str) -> bool:
    return key in _ENVELOPE_KEYS or ("/" in key and not key.startswith(_RESERVED))


def _fits(value: Any, shape: Any) -> bool:
    """Whether a JSON value has this shape.

    A type: exactly it. {…} of words: one of them. [shape]: a list of it. {"*": shape}: any keys.
    (required, optional): an object with these keys; others are ignored, as the SDK does.
    """
    if isinstance(shape, type):
        return type(value) is shape
    if isinstance(shape, set):
        return type(value) is str and value in shape
    if isinstance(shape, list):
        return type(value) is list and all(_fits(item, shape[0]) for item in value)
    if type(value) is not dict:
        return False
    if isinstance(shape, dict):
        return all(_fits(item, shape["*"]) for item in value.values())
    required, optional = shape
    return all(key in value and _fits(value[key], part) for key, part in required.items()) and all(
        value.get(key) is None or _fits(value[key], part) for key, part in optional.items()
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice")
    return made


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


class _Reading:
    """What `make_scanner` looks up: JSON to the letter, no key twice."""

    strict = True
    object_hook = None
    object_pairs_hook = staticmethod(_object)
    parse_float = float
    parse_int = int
    parse_constant = staticmethod(_constant)


def _scanner() -> Any:
    if make_scanner is not None:
        return make_scanner(_Reading)  # type: ignore[arg-type]
    from json import JSONDecoder

    decoder: Any = JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)
    return decoder.scan_once


_scan: Callable[[str, int], tuple[Any, int]] = _scanner()
