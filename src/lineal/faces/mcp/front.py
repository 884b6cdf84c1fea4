"""The first stage of `lineal serve`: answers a client's opening while the MCP SDK is imported.

Importing the SDK takes 60 times what Python itself takes to start. Until that is done this front
says from a snapshot, which the SDK server wrote at build time, what the SDK server would say, and
keeps every other line for it. Standard library only, and little of it: each start pays for it.
"""

from __future__ import annotations

import gc
import os
import sys
from _thread import allocate_lock, start_new_thread
from time import monotonic

from lineal import __version__

try:
    # The C half of `json`, without the regular expressions whose import costs half a start.
    from _json import encode_basestring, make_scanner
except ImportError:  # another interpreter than CPython
    make_scanner = None  # type: ignore[assignment,misc]
    from json.encoder import encode_basestring

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

__all__ = [
    "ANSWERED",
    "END",
    "LINE_MAX_BYTES",
    "TOO_LONG",
    "UNANSWERED",
    "Front",
    "Opening",
    "run",
    "write_all",
]

LINE_MAX_BYTES = 10_000_000
"""The longest line that is read; the rest of a longer one is thrown away as it comes in."""

UNANSWERED, ANSWERED, TOO_LONG, END = "unanswered", "answered", "too long", "end"
"""What stage two is handed: a line to serve, one to replay in silence, one thrown away, the end."""

_QUEUE_MAX_BYTES = 2 * LINE_MAX_BYTES  # what may wait for stage two before reading pauses
_ITEM_BYTES = 100  # what a waiting line costs beside its own bytes
_CHUNK_BYTES = 65_536  # what a pipe holds on Linux
_SMALL_LINE_BYTES = 65_536  # an opening is small; whatever is larger is for the SDK
_BRACKETS_MAX = 100  # the SDK's parser refuses depth 200; fewer brackets can't be that deep
_SAFE_INTEGER = 2**53  # beyond it parsers disagree

_OPENING_QUIET_S = 0.05  # silence after which a client is taken to be busy elsewhere
_LISTED_QUIET_S = (
    0.003  # the same once it has its tools, or waits for something only the SDK can say
)
_LISTED_PATIENCE_S = 0.05  # an endless talker can't put the import off for longer
_IMPORT_SWITCH_S = 0.0005  # the reader gets its turn 10 times sooner than by default


# --- what the client has said, and what the snapshot can say to it: no effects ---

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
_INITIALIZE = (
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
            self._modern = method != "initialize" and _VERSION_KEY in _meta(params)
        result = self._result(method, params)
        if result is None:
            self._lost = method == "initialize"
            return None, UNANSWERED, True
        self.listed |= method == "tools/list"
        reply = b'{"jsonrpc":"2.0","id":%b,"result":%b}\n' % (_id_json(message["id"]), result)
        return reply, ANSWERED if first or method == "initialize" else None, False

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
    except (ValueError, StopIteration):
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
    return encode_basestring(value).encode() if type(value) is str else b"%d" % value


def _meta(params: dict[str, Any]) -> dict[str, Any]:
    """`_meta` where it is an object, else nothing: how the SDK looks for the era's mark."""
    meta = params.get("_meta")
    return meta if type(meta) is dict else {}


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


def _scanner() -> Callable[[str, int], tuple[Any, int]]:
    if make_scanner is not None:
        return make_scanner(_Reading)  # type: ignore[arg-type]
    from json import JSONDecoder

    return JSONDecoder(object_pairs_hook=_object, parse_constant=_constant).scan_once


_scan = _scanner()


def _opening(*, read_only: bool) -> Opening:
    """The opening from the shipped snapshot; without one that fits, the SDK answers everything.

    The first line of the file is the index, then comes one result a line (see snapshot.py).
    """
    path = os.path.join(os.path.dirname(__file__), "snapshot.json")
    try:
        with open(path, "rb") as file:
            head, *results = file.read().split(b"\n")
        index, _ = _scan(head.decode() + "]}", 0)
    except (OSError, ValueError, StopIteration):
        return Opening({}, "")
    if index["lineal"] != __version__:
        return Opening({}, "")
    answers = {
        version: {method: results[at].rstrip(b",") for method, at in methods.items()}
        for version, methods in index["read_only" if read_only else "read_write"].items()
    }
    return Opening(answers, index["fallback"])


# --- the effects: two descriptors, one reading thread, one queue to stage two ---


class Front:
    """Holds the wire from the first moment on: reads it, answers early, then feeds stage two.

    stdin, stdout: private descriptors of the wire; nothing else in the process knows them.
    """

    def __init__(self, opening: Opening, stdin: int, stdout: int) -> None:
        self.stdin = stdin
        self.stdout = stdout
        self._opening: Opening | None = opening
        self._serving = False  # stage two has begun, so the process ends by its will alone
        self._owing = False  # something waits that only the SDK can answer
        self._lock = allocate_lock()  # answering, queueing and handing over exclude each other
        self._queue: list[tuple[str, bytes]] = []
        self._queued_bytes = 0
        self._wake: Callable[[], None] | None = None
        self._stirred = allocate_lock()  # held while nothing new has come
        self._stirred.acquire()
        self._room = allocate_lock()  # held while the queue is full

    def read(self) -> None:
        """Read the wire to its end; runs in its own thread, for as long as the process."""
        for kind, line in _lines(self.stdin):
            with self._lock:
                self._take_in(kind, line)
                full = self._queued_bytes > _QUEUE_MAX_BYTES
                if full:
                    self._room.acquire(False)
            if self._stirred.locked():
                self._stirred.release()
            if full:
                self._room.acquire()

    def await_quiet(self) -> None:
        """Return once the client has its lists or has fallen silent.

        The import that follows holds the interpreter, and would keep answers waiting for it.
        """
        deadline_s = None
        while self._stirred.acquire(
            timeout=_OPENING_QUIET_S if deadline_s is None else _LISTED_QUIET_S
        ):
            if deadline_s is None and self._has_lists():
                deadline_s = monotonic() + _LISTED_PATIENCE_S
            if deadline_s is not None and monotonic() > deadline_s:
                return

    def begin_serving(self) -> None:
        """From here on the end of the wire is stage two's to handle."""
        with self._lock:
            self._serving = True

    def hand_over(self, wake: Callable[[], None]) -> None:
        """Answer nothing any more; call `wake` from the reading thread when the queue fills."""
        with self._lock:
            self._opening = None
            self._wake = wake
            if self._queue:
                wake()

    def take(self) -> list[tuple[str, bytes]]:
        """Everything that waits for stage two, oldest first: (kind, line without its newline)."""
        with self._lock:
            taken, self._queue, self._queued_bytes = self._queue, [], 0
            if self._room.locked():
                self._room.release()
        return taken

    def end(self) -> None:
        """Queue the end of the wire: the client has closed its side of stdout."""
        with self._lock:
            self._put(END, b"")

    def _has_lists(self) -> bool:
        return self._owing or (self._opening is not None and self._opening.listed)

    def _take_in(self, kind: str, line: bytes) -> None:
        if kind is UNANSWERED and self._opening is not None:
            reply, kept, owing = self._opening.hear(line)
            self._owing |= owing
            if reply is not None and not self._say(reply):
                kept = END
            if kept is not None:
                self._put(kept, line)
        elif kind is END and not self._serving and not self._owing:
            os._exit(0)  # the client has left and nothing is open yet but an import
        else:
            self._owing = True
            self._put(kind, line)

    def _say(self, reply: bytes) -> bool:
        try:
            write_all(self.stdout, reply)
        except OSError:  # nobody reads us any more
            if not self._serving:
                os._exit(0)
            return False
        return True

    def _put(self, kind: str, line: bytes) -> None:
        self._queue.append((kind, line))
        self._queued_bytes += len(line) + _ITEM_BYTES
        if self._wake is not None and len(self._queue) == 1:
            self._wake()


def run(*, read_only: bool = False, opening: Opening | None = None) -> int:
    """Serve MCP over stdin and stdout until the client leaves; returns the exit code.

    opening: what may be answered early; by default what the shipped snapshot holds.
    """
    try:
        stdin, stdout = _claim_stdin(), _claim_stdout()
    except OSError as error:
        sys.stderr.write(
            f"lineal: `serve` speaks over stdin and stdout, and one is closed: {error}\n"
        )
        return 1
    front = Front(opening or _opening(read_only=read_only), stdin, stdout)
    start_new_thread(front.read, ())
    try:
        front.await_quiet()
        run_stdio = _stage_two()
        front.begin_serving()
        return run_stdio(front, read_only=read_only) if run_stdio is not None else 1
    except KeyboardInterrupt:
        return 130  # what a shell reports for SIGINT


def _stage_two() -> Callable[..., int] | None:
    """The SDK's side, imported; None, told on stderr, when it can't be."""
    switch_s = sys.getswitchinterval()
    sys.setswitchinterval(_IMPORT_SWITCH_S)
    gc.disable()  # an import makes little garbage, and looking for it costs a tenth of its time
    try:
        # The SDK and what is built on it, before an event loop or a store waits for them.
        import lineal.faces.mcp.serve
        import lineal.faces.mcp.server
        from lineal.app import run_stdio
    except Exception:
        import traceback

        sys.stderr.write("lineal: the server could not be loaded, so nothing is served.\n")
        traceback.print_exc()
        return None
    finally:
        gc.enable()
        gc.freeze()
        sys.setswitchinterval(switch_s)
    return run_stdio


def _claim_stdin() -> int:
    """A private stdin; descriptor 0 is left with the null device."""
    private = _above_std(0)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return private


def _claim_stdout() -> int:
    """A private stdout; descriptor 1 is left with stderr, so that stray prints miss the wire."""
    private = _above_std(1)
    try:
        os.dup2(2, 1)
    except OSError:  # stderr is closed
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
    return private


def _above_std(fd: int) -> int:
    """A duplicate that can't be taken for a standard descriptor."""
    copy = os.dup(fd)
    if copy > 2:
        return copy
    try:
        return _above_std(fd)
    finally:
        os.close(copy)


def _lines(fd: int) -> Iterator[tuple[str, bytes]]:
    """Every line of the wire without its newline, then END. Memory stays within one longest line."""
    partial, dropping = bytearray(), False
    while chunk := _read_some(fd):
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            partial += end
            if dropping or len(partial) > LINE_MAX_BYTES:
                yield TOO_LONG, b""
            else:
                yield UNANSWERED, bytes(partial)
            partial.clear()
            dropping = False
        if not dropping:
            partial += rest
        if len(partial) > LINE_MAX_BYTES:
            dropping = True
            partial.clear()
    if dropping:
        yield TOO_LONG, b""
    elif partial:
        yield UNANSWERED, bytes(partial)
    yield END, b""


def _read_some(fd: int) -> bytes:
    """What has come, at least a byte; nothing at the end of the wire or when it broke."""
    while True:
        try:
            return os.read(fd, _CHUNK_BYTES)
        except BlockingIOError:  # the client made it non-blocking
            _await_ready(fd, writing=False)
        except OSError:
            return b""


def write_all(fd: int, data: bytes) -> None:
    """Write the whole, waiting as long as it takes. Raises OSError when nobody reads."""
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(fd, rest) :]
        except BlockingIOError:
            _await_ready(fd, writing=True)


def _await_ready(fd: int, *, writing: bool) -> None:
    import select

    select.select([] if writing else [fd], [fd] if writing else [], [])
