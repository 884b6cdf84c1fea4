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

from lineal.faces.mcp.opening import UNANSWERED, Opening, shipped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["END", "LINE_MAX_BYTES", "TOO_LONG", "Front", "run", "write_all"]

LINE_MAX_BYTES = 10_000_000
"""The longest line that is read; the rest of a longer one is thrown away as it comes in."""

TOO_LONG, END = "too long", "end"
"""What stage two is handed beside lines: that one was thrown away, that no more will come."""

_QUEUE_MAX_BYTES = 2 * LINE_MAX_BYTES  # what may wait for stage two before reading pauses
_ITEM_BYTES = 100  # what a waiting line costs beside its own bytes
_CHUNK_BYTES = 65_536  # what a pipe holds on Linux

_OPENING_QUIET_S = 0.05  # silence after which a client is taken to be busy elsewhere
_LISTED_QUIET_S = 0.003  # the same once it has its tools, or waits for what only the SDK can say
_LISTED_PATIENCE_S = 0.05  # an endless talker can't put the import off for longer
_IMPORT_SWITCH_S = 0.0005  # the reader gets its turn 10 times sooner than by default


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
        try:
            for kind, line in _lines(self.stdin):
                self._pass_on(kind, line)
        except Exception:  # a defect of ours; without a reader the client would wait for ever
            import traceback

            traceback.print_exc()
            os._exit(1)

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

    def _pass_on(self, kind: str, line: bytes) -> None:
        with self._lock:
            self._take_in(kind, line)
            full = self._queued_bytes > _QUEUE_MAX_BYTES
            if full:
                self._room.acquire(False)
        if self._stirred.locked():
            self._stirred.release()
        if full:
            self._room.acquire()

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


def run(*, read_only: bool = False) -> int:
    """Serve MCP over stdin and stdout until the client leaves; returns the exit code."""
    try:
        stdin, stdout = _claim_stdin(), _claim_stdout()
    except OSError as error:
        sys.stderr.write(
            f"lineal: `serve` speaks over stdin and stdout, and one is closed: {error}\n"
        )
        return 1
    front = Front(shipped(read_only=read_only), stdin, stdout)
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
        from lineal.app import run_stdio
        from lineal.faces.mcp import serve, server  # noqa: F401
    except ImportError:
        # Anything else ends the process with its traceback and status 1, as an uncaught error does.
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
    """Every line without its newline, then END. Memory stays within the longest line allowed."""
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
