"""The two stages of `lineal serve`, over real processes and bare lines.

The server behind the front is the tests' own (stand_in.py), so that no store is needed; what the
front answers early is the shipped snapshot.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import anyio
import pytest
from mcp_types import JSONRPCNotification, JSONRPCRequest

from lineal.faces.mcp.front import LINE_MAX_BYTES
from lineal.faces.mcp.opening import UNANSWERED, shipped
from lineal.faces.mcp.wire import Requests

STAND_IN = [sys.executable, str(Path(__file__).with_name("stand_in.py"))]
WITHIN_S = 20.0  # a cold import on a busy machine, with room
EXIT_WITHIN_S = 2.5  # hosts wait two seconds; the half is the test's own

CLIENT = {"name": "front-tests", "version": "1"}
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": CLIENT,
    "io.modelcontextprotocol/clientCapabilities": {},
}

# How Claude Code 2.1.330 opens, as recorded.
CLAUDE_CODE = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {
        "name": "claude-code",
        "title": "Claude Code",
        "version": "2.1.330",
        "description": "Anthropic's agentic coding tool",
        "websiteUrl": "https://claude.com/claude-code",
    },
    "io.modelcontextprotocol/clientCapabilities": {
        "roots": {"listChanged": True},
        "elicitation": {"form": {}, "url": {}},
        "extensions": {"io.modelcontextprotocol/tasks": {}},
    },
}
CLAUDE_CODE_ASKS = {
    "server-discover-probe-1": "server/discover",
    1: "server/discover",
    "listen:0": "subscriptions/listen",
    2: "server/discover",
    3: "prompts/list",
    4: "resources/list",
    5: "tools/list",
}


class Peer:
    """A client that writes bytes and collects every line that comes back."""

    def __init__(self, *faults: str, env: dict[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [*STAND_IN, *faults],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(env or {})},
        )
        self.lines: SimpleQueue[bytes] = SimpleQueue()
        self.noise = b""
        self._listeners = [
            threading.Thread(target=self._listen, daemon=True),
            threading.Thread(target=self._overhear, daemon=True),
        ]

    def listen(self) -> Peer:
        for listener in self._listeners:
            listener.start()
        return self

    def send(self, *lines: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"".join(line + b"\n" for line in lines))
        self.process.stdin.flush()

    def ask(self, request_id: Any, method: str, params: dict[str, Any] | None = None) -> None:
        self.send(request(request_id, method, params))

    def hear(self) -> dict[str, Any]:
        """The next line; pytest fails when none comes."""
        try:
            line = self.lines.get(timeout=WITHIN_S)
        except Empty:
            pytest.fail("no answer")
        if not line:
            self.wait()
            pytest.fail(f"the server ended: {self.noise.decode()}")
        message: dict[str, Any] = json.loads(line)
        return message

    def greet(self) -> None:
        """The handshake, and its answer read."""
        self.send(*HANDSHAKE)
        assert self.hear()["id"] == "hello"

    def call(self, request_id: Any, **arguments: Any) -> None:
        self.ask(request_id, "tools/call", {"name": "do", "arguments": arguments})

    def awaken(self) -> None:
        """Wait until the SDK serves."""
        self.call("awake", text="up")
        assert self.hear()["id"] == "awake"

    def leave(self) -> list[dict[str, Any]]:
        """Close stdin and wait: what still came, once the process ended well."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        assert self.wait() == 0, self.noise.decode()
        return self.rest()

    def wait(self) -> int:
        code = self.process.wait(timeout=WITHIN_S)
        for listener in self._listeners:
            if listener.is_alive():
                listener.join(timeout=5)
        return code

    def rest(self) -> list[dict[str, Any]]:
        lines = [self.lines.get() for _ in range(self.lines.qsize())]
        return [json.loads(line) for line in lines if line]

    def peak_mb(self) -> int:
        """The most memory that the process ever had; 0 where the system does not tell."""
        status = Path(f"/proc/{self.process.pid}/status")
        return (
            int(status.read_text().split("VmHWM:")[1].split()[0]) // 1000 if status.exists() else 0
        )

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(b"")  # the end

    def _overhear(self) -> None:
        assert self.process.stderr is not None
        self.noise = self.process.stderr.read()


@pytest.fixture
def start() -> Iterator[Any]:
    peers: list[Peer] = []

    def started(*faults: str, listening: bool = True, env: dict[str, str] | None = None) -> Peer:
        peers.append(Peer(*faults, env=env))
        return peers[-1].listen() if listening else peers[-1]

    yield started
    for peer in peers:
        peer.process.kill()
        peer.process.wait()
        for stream in (peer.process.stdin, peer.process.stdout, peer.process.stderr):
            assert stream is not None
            try:
                stream.close()
            except BrokenPipeError:
                continue


def request(request_id: Any, method: str, params: dict[str, Any] | None = None) -> bytes:
    message = {"jsonrpc": "2.0", "id": request_id, "method": method}
    return json.dumps(message if params is None else {**message, "params": params}).encode()


def initialize(request_id: Any, version: str = "2025-11-25") -> bytes:
    params = {"protocolVersion": version, "capabilities": {}, "clientInfo": CLIENT}
    return request(request_id, "initialize", params)


INITIALIZED = b'{"jsonrpc":"2.0","method":"notifications/initialized"}'
HANDSHAKE = (initialize("hello"), INITIALIZED)
LIST = request("list", "tools/list", {})


# --- what is answered, and that it is answered once ---


def test_the_lists_are_answered_without_the_sdk(start: Any) -> None:
    peer = start("broken")
    peer.send(*HANDSHAKE, LIST)
    assert [peer.hear()["id"], peer.hear()["id"]] == ["hello", "list"]


def test_the_front_imports_hardly_anything() -> None:
    code = "import sys; had = set(sys.modules); import lineal.faces.mcp.front as f; "
    code += "print(*sorted(set(sys.modules) - had))"
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    ours = {"lineal", "lineal.faces", "lineal.faces.mcp"}
    ours |= {"lineal.faces.mcp.front", "lineal.faces.mcp.opening"}
    assert set(found) - ours <= {"__future__", "_json", "gc", "time", "_thread"}


def test_every_request_of_both_stages_is_answered_exactly_once(start: Any) -> None:
    peer = start()
    peer.send(*HANDSHAKE, LIST)
    peer.call(1, text="before the SDK")
    peer.ask(2, "prompts/list", {})
    peer.call("1", text="the same number as a word")
    peer.ask("hello", "ping")
    answers = [peer.hear() for _ in range(6)]
    peer.call(3, text="after")
    answers += [peer.hear(), *peer.leave()]
    ids = [answer["id"] for answer in answers]
    assert sorted(map(repr, ids)) == sorted(map(repr, ["hello", "list", 1, 2, "1", "hello", 3]))


def test_a_modern_client_is_answered_exactly_once(start: Any) -> None:
    peer = start()
    peer.ask(1, "server/discover", {"_meta": ENVELOPE})
    peer.ask(2, "tools/list", {"_meta": ENVELOPE})
    peer.ask(3, "tools/call", {"name": "do", "arguments": {"text": "hi"}, "_meta": ENVELOPE})
    answers = [peer.hear() for _ in range(3)]
    assert [answer["id"] for answer in answers] == [1, 2, 3]
    assert answers[2]["result"]["content"][0]["text"] == "hi"
    assert peer.leave() == []


def test_the_era_of_an_early_answer_holds_in_the_second_stage(start: Any) -> None:
    modern, legacy = start(), start()
    modern.ask(1, "server/discover", {"_meta": ENVELOPE})
    modern.send(initialize(2))
    legacy.greet()
    legacy.ask(2, "tools/list", {"_meta": ENVELOPE})
    assert "result" in modern.hear()
    assert modern.hear()["error"]["code"] == -32022
    assert legacy.hear()["error"]["code"] == -32600


def test_the_handshake_reaches_the_second_stage(start: Any) -> None:
    """Without the replayed `initialize` the SDK would refuse the call."""
    peer = start()
    peer.greet()
    peer.call(1, text="known")
    assert peer.hear()["result"]["content"][0]["text"] == "known"


def test_a_handshake_that_is_not_the_first_request_reaches_it_too(start: Any) -> None:
    peer = start()
    peer.ask("first", "ping")
    peer.send(initialize("hello"))
    peer.call(1, text="known")
    assert [peer.hear()["id"], peer.hear()["id"]] == ["first", "hello"]
    assert peer.hear()["result"]["content"][0]["text"] == "known"


def test_the_second_stage_answers_everything_once_it_serves(start: Any) -> None:
    peer = start()
    peer.greet()
    peer.awaken()
    peer.send(LIST)
    assert [tool["name"] for tool in peer.hear()["result"]["tools"]] == ["do"]


def test_a_silent_client_is_answered_during_the_import(start: Any) -> None:
    peer = start()
    time.sleep(0.12)  # past the quiet that starts the import, well within the import
    peer.send(*HANDSHAKE, LIST)
    assert [peer.hear()["id"], peer.hear()["id"]] == ["hello", "list"]
    peer.call(1, text="then")
    assert peer.hear()["id"] == 1


def test_claude_codes_opening_is_answered_past_its_subscription(start: Any) -> None:
    peer = start()
    peer.send(*(request(at, what, {"_meta": CLAUDE_CODE}) for at, what in CLAUDE_CODE_ASKS.items()))
    answers = [peer.hear() for _ in CLAUDE_CODE_ASKS]
    early = [at for at in CLAUDE_CODE_ASKS if at != "listen:0"]
    assert [answer["id"] for answer in answers] == [*early, "listen:0"]
    assert all(answer["result"]["resultType"] == "complete" for answer in answers[:-1])


def test_a_cancelled_call_of_the_backlog_is_not_answered(start: Any) -> None:
    peer = start()
    peer.send(*HANDSHAKE)
    peer.call(1, sleep_s=30)
    cancel = {"jsonrpc": "2.0", "method": "notifications/cancelled"}
    peer.send(json.dumps({**cancel, "params": {"requestId": "hello"}}).encode())
    peer.send(json.dumps({**cancel, "params": {"requestId": 1}}).encode())
    peer.call(2, text="next")
    assert [peer.hear()["id"], peer.hear()["id"]] == ["hello", 2]
    assert peer.leave() == []


# --- lines that are not messages ---

REFUSED = {
    "bad json": (b"{", -32700, None),
    "not utf-8": (b'{"jsonrpc":"2.0","id":1,"method":"\xff"}', -32700, None),
    "a lone surrogate": (b'{"jsonrpc":"2.0","id":1,"method":"\\ud800"}', -32700, 1),
    "10k deep": (b'{"a":' + b"[" * 10_000 + b"]" * 10_000 + b"}", -32700, None),
    "a batch": (b'[{"jsonrpc":"2.0","id":1,"method":"ping"}]', -32600, None),
    "a number": (b"7", -32600, None),
    "no method": (b'{"jsonrpc":"2.0","id":4}', -32600, None),
    "a method that is a number": (b'{"jsonrpc":"2.0","id":4,"method":4}', -32600, 4),
    "json-rpc 1.0": (b'{"jsonrpc":"1.0","id":"a","method":"ping"}', -32600, "a"),
    "params that are a list": (b'{"jsonrpc":"2.0","id":4,"method":"ping","params":[1]}', -32600, 4),
    "id null": (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600, None),
    "id true": (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', -32600, None),
    "id 1.5": (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600, None),
    "an answer that is a word": (b'{"jsonrpc":"2.0","id":4,"result":"x"}', -32600, None),
}


@pytest.mark.parametrize("late", [False, True], ids=["before the SDK", "after"])
def test_a_line_that_is_no_message_is_refused_and_the_next_one_works(
    start: Any, late: bool
) -> None:
    peer = start()
    peer.greet()
    if late:
        peer.awaken()
    for line, code, request_id in REFUSED.values():
        peer.send(line)
        answer = peer.hear()
        assert (answer["error"]["code"], answer["id"]) == (code, request_id), line[:60]
        peer.ask("next", "ping")
        assert peer.hear() == {"jsonrpc": "2.0", "id": "next", "result": {}}


NOT_SURE = {
    **{name: line for name, (line, _, _) in REFUSED.items()},
    "as deep as only we read": request(1, "ping", {"_meta": {"a/b": "D"}}).replace(
        b'"D"', b"[" * 250 + b"]" * 250
    ),
    "a key twice": b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}',
    "an unknown key": b'{"jsonrpc":"2.0","id":1,"method":"ping","more":1}',
    "an enormous id": b'{"jsonrpc":"2.0","id":%d,"method":"ping"}' % 2**64,
    "an escaped surrogate": b'{"jsonrpc":"2.0","id":"\\ud83d\\ude00","method":"ping"}',
    "a second handshake": initialize(2, "2024-11-05"),
    "a handshake with more": initialize(2).replace(b'"capabilities"', b'"more":1,"capabilities"'),
}


@pytest.mark.parametrize("name", NOT_SURE)
def test_a_line_that_might_be_read_otherwise_ends_the_early_answers(name: str) -> None:
    front = shipped(read_only=False)
    front.hear(initialize(0))
    assert front.hear(NOT_SURE[name]) == (None, UNANSWERED, True)
    assert front.hear(LIST) == (None, UNANSWERED, True)


OLD = ENVELOPE | {"io.modelcontextprotocol/protocolVersion": "2025-06-18"}
LEFT = {
    "a cursor": (initialize(0), request(1, "tools/list", {"cursor": "x"})),
    "a wrong cursor": (initialize(0), request(1, "tools/list", {"cursor": 5})),
    "a wrong _meta": (initialize(0), request(1, "tools/list", {"_meta": []})),
    "a wrong token": (initialize(0), request(1, "ping", {"_meta": {"progressToken": True}})),
    "the other era": (initialize(0), request(1, "tools/list", {"_meta": ENVELOPE})),
    "a call": (initialize(0), request(1, "tools/call", {"name": "do"})),
    "an unknown method": (initialize(0), request(1, "bogus")),
    "no handshake": (INITIALIZED, request(1, "tools/list")),
    "a modern cursor": (INITIALIZED, request(1, "tools/list", {"_meta": ENVELOPE, "cursor": "x"})),
    "an old envelope": (INITIALIZED, request(1, "tools/list", {"_meta": OLD})),
    "a modern ping": (INITIALIZED, request(1, "ping", {"_meta": ENVELOPE})),
}


@pytest.mark.parametrize("name", LEFT)
def test_what_is_not_plainly_an_opening_is_left_to_the_sdk(name: str) -> None:
    front = shipped(read_only=False)
    before, line = LEFT[name]
    front.hear(before)
    assert front.hear(line) == (None, UNANSWERED, True)


@pytest.mark.parametrize("late", [False, True], ids=["before the SDK", "after"])
def test_odd_but_readable_lines_are_served(start: Any, late: bool) -> None:
    peer = start()
    peer.greet()
    if late:
        peer.awaken()
    peer.send(b"", b" \t ", b"\xef\xbb\xbf" + request("bom", "ping"))
    peer.send(request("crlf", "ping") + b"\r", b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}')
    peer.send(b' { "jsonrpc" : "2.0" , "id" : "caf\\u00e9" , "method" : "ping" } ')
    assert sorted(str(peer.hear()["id"]) for _ in range(4)) == ["2", "bom", "café", "crlf"]
    assert peer.leave() == []


@pytest.mark.parametrize("late", [False, True], ids=["before the SDK", "after"])
def test_an_endless_line_is_thrown_away_in_little_memory(start: Any, late: bool) -> None:
    peer = start()
    peer.greet()
    if late:
        peer.awaken()
    chunk = b"x" * 1_000_000
    for _ in range(100):
        peer.process.stdin.write(chunk)
    peer.send(b"")
    answer = peer.hear()
    assert (answer["id"], answer["error"]["code"]) == (None, -32600)
    assert str(LINE_MAX_BYTES) in answer["error"]["message"]
    peer.awaken()
    assert peer.peak_mb() < 150


def test_a_flood_is_read_no_faster_than_it_is_served(start: Any) -> None:
    peer = start()
    peer.greet()
    for number in range(300):
        peer.ask(number, "ping", {"pad": "x" * 500_000})
    assert {peer.hear()["id"] for _ in range(300)} == set(range(300))
    assert peer.peak_mb() < 200


@pytest.mark.parametrize("over", [0, 1], ids=["as long as allowed", "a byte longer"])
def test_the_longest_line_is_served_and_a_longer_one_refused(start: Any, over: int) -> None:
    peer = start()
    peer.greet()
    line = request("long", "ping", {"pad": ""})
    pad = b"x" * (LINE_MAX_BYTES - len(line) + over)
    peer.send(line.replace(b'"pad": ""', b'"pad": "' + pad + b'"'))
    assert peer.hear()["id"] == (None if over else "long")


# --- stdout ---


def test_stray_prints_and_children_miss_the_wire(start: Any) -> None:
    peer = start("noisy")
    peer.send(*HANDSHAKE)
    peer.call(1, print="a handler's print", text="clean")
    peer.call(2, **{"raise": "on purpose"})
    ids = [peer.hear()["id"] for _ in range(3)]
    assert ids == ["hello", 1, 2]
    assert peer.leave() == []
    for stray in (b"a stray print", b"a stray write", b"a child's print", b"a handler's print"):
        assert stray in peer.noise


def test_large_answers_are_whole_lines(start: Any) -> None:
    peer = start()
    peer.greet()
    sizes = [10, 4_000, 70_000, 300_000] * 6
    for number, size in enumerate(sizes):
        peer.call(number, size=size)
    heard = {}
    for _ in sizes:
        answer = peer.hear()
        heard[answer["id"]] = len(answer["result"]["content"][0]["text"])
    assert heard == dict(enumerate(sizes))
    assert peer.leave() == []


def test_a_client_that_does_not_read_does_not_stall_the_server(start: Any, tmp_path: Path) -> None:
    peer = start(listening=False)
    peer.send(*HANDSHAKE)
    peer.call(1, size=1_000_000)
    peer.call(2, touch=str(tmp_path / "touched"))
    deadline_s = time.monotonic() + WITHIN_S
    while not (tmp_path / "touched").exists():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    peer.listen()
    assert [peer.hear()["id"] for _ in range(3)] == ["hello", 1, 2]


# --- the end ---


@pytest.mark.parametrize("lines", [(), HANDSHAKE, (*HANDSHAKE, LIST)], ids=len)
def test_a_client_that_leaves_early_is_not_kept_waiting(start: Any, lines: Any) -> None:
    """The process ends in the middle of the import: no event loop ever runs."""
    peer = start(env={"PYTHONPROFILEIMPORTTIME": "1"})
    peer.send(*lines)
    for line in lines:
        if b'"id"' in line:
            peer.hear()
    left_s = time.monotonic()
    assert peer.leave() == []
    assert time.monotonic() - left_s < EXIT_WITHIN_S
    assert b"lineal.faces.mcp.front" in peer.noise
    assert b"anyio._backends._asyncio" not in peer.noise


def test_what_was_asked_before_the_end_is_answered(start: Any) -> None:
    peer = start()
    peer.send(*HANDSHAKE)
    peer.call(1, sleep_s=0.2, text="late")
    answers = peer.leave()
    assert [answer["id"] for answer in answers] == ["hello", 1]
    assert answers[1]["result"]["content"][0]["text"] == "late"


def test_a_last_line_without_newline_counts(start: Any) -> None:
    peer = start()
    peer.send(*HANDSHAKE)
    peer.process.stdin.write(request(1, "resources/list"))
    assert [answer["id"] for answer in peer.leave()] == ["hello", 1]


@pytest.mark.parametrize(
    "stuck", [{"sleep_s": 30}, {"block_s": 30}], ids=["waiting", "in a thread"]
)
def test_a_stuck_call_does_not_outlive_its_client(start: Any, stuck: dict[str, int]) -> None:
    peer = start()
    peer.greet()
    peer.awaken()
    peer.call(1, **stuck)
    time.sleep(0.1)
    left_s = time.monotonic()
    peer.leave()
    assert time.monotonic() - left_s < EXIT_WITHIN_S


CANCELLED = JSONRPCNotification(
    jsonrpc="2.0", method="notifications/cancelled", params={"requestId": 1}
)


@pytest.mark.parametrize(
    ("method", "then"),
    [("subscriptions/listen", []), ("tools/call", [CANCELLED])],
    ids=["a subscription", "a cancelled call"],
)
async def test_what_nobody_waits_for_does_not_delay_the_end(method: str, then: list[Any]) -> None:
    requests = Requests()
    for message in [JSONRPCRequest(jsonrpc="2.0", id=1, method=method), *then]:
        requests.came(message)
    with anyio.fail_after(5):
        await requests.settled(timeout_s=30)


@pytest.mark.parametrize("late", [False, True], ids=["before the SDK", "after"])
def test_a_client_that_stops_reading_ends_the_server_quietly(start: Any, late: bool) -> None:
    peer = start(listening=False)
    peer.send(*HANDSHAKE)
    peer.process.stdout.readline()
    if late:
        peer.call("awake")
        peer.process.stdout.readline()
    peer.process.stdout.close()
    peer.process.stdout = open(os.devnull, "rb")  # noqa: SIM115
    peer.ask(1, "tools/list" if not late else "ping", {})
    if not late:
        with suppress(BrokenPipeError):  # it may have left already
            peer.call(2)
    assert peer.process.wait(timeout=WITHIN_S) == 0
    assert peer.process.stderr.read() == b""


@pytest.mark.parametrize("late", [False, True], ids=["before the SDK", "after"])
def test_sigterm_ends_the_process_at_once(start: Any, late: bool) -> None:
    peer = start()
    peer.greet()
    if late:
        peer.awaken()
    peer.process.send_signal(signal.SIGTERM)
    assert peer.wait() == -signal.SIGTERM


@pytest.mark.parametrize("late", [False, True], ids=["before the SDK", "after"])
def test_an_interrupt_ends_the_process_without_a_traceback(start: Any, late: bool) -> None:
    peer = start()
    peer.greet()
    if late:
        peer.awaken()
    peer.process.send_signal(signal.SIGINT)
    assert peer.wait() == 130
    assert peer.noise == b""


def test_a_second_stage_that_cannot_be_imported_is_told_on_stderr(start: Any) -> None:
    peer = start("broken")
    peer.greet()
    peer.call(1)
    assert peer.wait() == 1
    assert peer.rest() == []
    first, *rest = peer.noise.decode().splitlines()
    assert first == "lineal: the server could not be loaded, so nothing is served."
    assert rest[-1].startswith("ImportError: cannot import name 'run_stdio'")


def test_a_closed_stdin_is_told_on_stderr() -> None:
    code = f"import os; os.close(0); os.execv({STAND_IN[0]!r}, {STAND_IN!r})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout == ""
    assert "speaks over stdin and stdout" in done.stderr
