"""The real wire, hooks and transcript of Claude Code 2.1.330, replayed against the real server."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from threading import Timer
from typing import Any

import pytest

from .claude_code import hook, stored
from .clients import DOMAIN, LONG, USER, Lines, lines, server_environment

CAPTURES = Path(__file__).parents[2].parent / "shared/evidence"
CAPTURE = CAPTURES / "claude_code_2.1.330_mcp_wire.jsonl"
HOOKS = CAPTURES / "claude_code_2.1.330_hooks_interactive.jsonl"
TRANSCRIPT = CAPTURES / "claude_code_2.1.330_transcript.jsonl"
PLUGIN_HOOKS = Path(__file__).parents[2] / "src/lineal/plugins/claude-code/hooks/hooks.json"
CANARIES = {
    "ANTHROPIC_API_KEY": "canary-sk-ant-0d5a",
    "CLAUDE_CODE_MESSAGING_TOKEN": "canary-token-77b1",
    "CLAUDE_CODE_MESSAGING_SOCKET": "/run/cc/canary.sock",
    "AWS_SECRET_ACCESS_KEY": "canary-aws-19ce",
}
SESSION = "754238ae-ad89-4676-8080-bbcee1172751"
TOOL_USE = "toolu_01F1795284143239465991"
BASH_USE = "toolu_01BASH1795284141497281797"
PROMPT = "7df12918-0fab-4ca3-be3c-b0efb2152766"
MODEL = "claude-sonnet-5"
CALLS = [f"Bash:{BASH_USE}", f"append_context:{TOOL_USE}"]

pytestmark = pytest.mark.skipif(not CAPTURE.exists(), reason="the capture is not beside the house")


@cache
def captured(kind: str) -> list[Any]:
    """What the capture holds of a kind, in order."""
    read = (json.loads(line) for line in CAPTURE.read_text("utf-8").splitlines())
    return [entry["v"] for entry in read if entry["kind"] == kind]


def requests() -> list[dict[str, Any]]:
    """The client's lines as it wrote them."""
    return [
        {"jsonrpc": "2.0", **{key: sent[key] for key in ("id", "method", "params")}}
        for sent in captured("in")
    ]


def tool_call(**arguments: Any) -> dict[str, Any]:
    """The captured tools/call with our arguments in place of the recording tool's."""
    (call,) = (sent for sent in requests() if sent["method"] == "tools/call")
    return {**call, "params": {**call["params"], "arguments": arguments}}


@pytest.fixture
def claude(tmp_path: Path) -> Iterator[Lines]:
    """The server as that client started it: its environment, with canaries for its secrets."""
    (start,) = captured("start")
    environment = {**start["env"], **CANARIES, **server_environment(tmp_path)}
    with lines(tmp_path, environment=environment) as client:
        yield client


def say(client: Lines, message: dict[str, Any]) -> None:
    client.say(json.dumps(message).encode())


def test_every_request_is_answered_as_the_protocol_asks(claude: Lines) -> None:
    sent = requests()
    for message in sent:
        say(claude, message)
    ends = [message["id"] for message in sent if message["method"] != "subscriptions/listen"]
    answers: dict[Any, dict[str, Any]] = {}
    acknowledged: list[dict[str, Any]] = []
    while len(answers) < len(ends):
        came = claude.next()
        if "method" in came:
            acknowledged.append(came)
            continue
        assert came["id"] not in answers, "answered twice"
        answers[came["id"]] = came
    assert answers.keys() == set(ends)
    methods = {message["id"]: message["method"] for message in sent}
    for request_id, answer in answers.items():
        result = answer["result"]
        assert result["resultType"] == "complete"
        assert_shape(methods[request_id], result)
    (listening,) = acknowledged or [claude.next()]
    assert listening["method"] == "notifications/subscriptions/acknowledged"
    subscription = listening["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"]
    assert subscription == "listen:0"
    assert claude.leave() == 0


def assert_shape(method: str, result: dict[str, Any]) -> None:
    """What this client looks for in each result, by what it was answered then."""
    if method == "server/discover":
        (then, *_) = (out["r"] for out in captured("out") if out["method"] == method)
        assert result.keys() >= then.keys()
        assert result["supportedVersions"] == then["supportedVersions"]
        assert result["capabilities"].keys() >= then["capabilities"].keys()
    elif method == "tools/call":
        # The recording tool took `text`; ours says what it wants instead.
        assert result["isError"] is True
        assert result["structuredContent"]["error"]["details"]["field"] == "content"
    else:
        listed = {"tools/list": "tools", "prompts/list": "prompts", "resources/list": "resources"}
        assert result[listed[method]]
        assert {"ttlMs", "cacheScope"} <= result.keys()


def test_the_call_the_agent_and_the_session_stand_in_the_lineage(claude: Lines) -> None:
    """L1, L2: observed, without the model having to say it."""
    for message in requests()[:-1]:
        say(claude, message)
    say(claude, tool_call(content="user likes tea", memory_type="fact"))
    lineage = answered(claude, 6)["structuredContent"]["lineage"]
    call = f"append_context:{TOOL_USE}"
    assert lineage["tool_calls"] == [call]
    assert lineage["agent_source"] == "claude-code/2.1.330"
    assert lineage["model_version"] is None, "not known yet, so not guessed (L3)"
    assert lineage["observed"] == {
        "agent_source": "claude-code/2.1.330",
        "tool_calls": [call],
        "session_id": SESSION,
        "entrypoint": "cli",
    }
    assert "declared" not in lineage


def answered(client: Lines, request_id: int | str) -> dict[str, Any]:
    """The result with this id, whatever else comes before it."""
    while True:
        came = client.next()
        if came.get("id") == request_id and "method" not in came:
            result = came["result"]
            assert isinstance(result, dict)
            return result


def test_what_the_model_declares_stands_beside_what_was_seen(claude: Lines) -> None:
    """L2: on conflict the observed wins and both are kept."""
    said = {"tool_calls": ["web:1"], "model_version": "a-model", "confidence": 0.4}
    say(claude, tool_call(content="user likes tea", memory_type="fact", lineage=said))
    lineage = answered(claude, 6)["structuredContent"]["lineage"]
    assert lineage["tool_calls"] == [f"append_context:{TOOL_USE}", "web:1"]
    assert lineage["declared"] == said
    assert lineage["observed"]["tool_calls"] == [f"append_context:{TOOL_USE}"]


ODD = [7, None, "", ["x"], {"a": 1}, "x" * 300, "a\u0000b", "a\nb", "\u202eb"]


def test_an_odd_id_of_a_call_never_fails_it_and_is_not_kept(claude: Lines) -> None:
    kept = {}
    for number, odd in enumerate(ODD):
        call = {**tool_call(content=f"{LONG} {number}"), "id": number}
        call["params"]["_meta"]["claudecode/toolUseId"] = odd
        say(claude, call)
        result = answered(claude, number)
        assert result["isError"] is False, odd
        kept[repr(odd)] = result["structuredContent"]["lineage"]["tool_calls"]
    assert kept == {repr(odd): ["append_context"] for odd in ODD}


def test_no_secret_of_the_environment_is_said_or_written(claude: Lines, tmp_path: Path) -> None:
    """E3: not when all is well and not in an error."""
    for message in requests():
        say(claude, message)
    answered(claude, 6)
    assert claude.call("append_context", content=LONG, user_id=USER, domain=DOMAIN)
    assert claude.call("get_user", user_id="nobody", domain=DOMAIN)["isError"]
    claude.ask("resources/read", uri=f"lineal://user/{DOMAIN}/{USER}")
    claude.say(b"{broken")
    claude.next()
    assert claude.leave() == 0
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.suffix == ".db" for path in written)
    said = {path.name: path.read_bytes() for path in written} | {"stdout": claude.heard}
    for canary in CANARIES.values():
        assert [name for name, text in said.items() if canary.encode() in text] == []


def test_everything_is_written_below_the_data_directory(claude: Lines, tmp_path: Path) -> None:
    say(claude, tool_call(content=LONG))
    answered(claude, 6)
    assert claude.leave() == 0
    written = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob("*")}
    assert written == {"lineal", "stderr.txt"}


@dataclass(frozen=True)
class When:
    """What comes when. hooks: first | late (about our call: after it) | none; by: sink (as the
    plugin hands them on) | command (a process for each). line_ms: from our call to its line of the
    transcript, None: there is no transcript."""

    hooks: str = "first"
    by: str = "sink"
    line_ms: int | None = 50


TIMES = {
    "hook first": When("first", "sink"),
    "hook first, by processes": When("first", "command"),
    "hook first, the line there": When("first", "sink", 0),
    "hook late": When("late", "sink"),
    "hook late, by processes": When("late", "command", 102),
    "line after 2 ms": When("first", "sink", 2),
    "line after 102 ms": When("first", "sink", 102),
    "line after 400 ms": When("first", "sink", 400),
    "no hooks, the line there": When("none", line_ms=0),
    "no hooks, line after 2 ms": When("none", line_ms=2),
    "no hooks, line after 50 ms": When("none", line_ms=50),
    "no hooks, line after 102 ms": When("none", line_ms=102),
    "no hooks, line after 400 ms": When("none", line_ms=400),
    "hooks by processes and no transcript": When("first", "command", None),
    "hooks and no transcript": When("first", "sink", None),
    "neither hooks nor transcript": When("none", line_ms=None),
}


class Replay:
    """The captured session on a server of its own, told below another home, perhaps under other
    names."""

    def __init__(self, client: Lines, home: Path, when: When, **renamed: str) -> None:
        self.client, self.when = client, when
        self._home = home
        self._renamed = renamed
        self._number = 100
        events = [json.loads(line)["in"] for line in self._lines(HOOKS)]
        ours = next(i for i, e in enumerate(events) if e.get("tool_use_id") == self.use)
        self.before, self.ours, self.after = events[:ours], events[ours], events[ours + 1 :]
        self.transcript = Path(self.ours["transcript_path"])
        self.written = self._lines(TRANSCRIPT)
        self.line = next(i for i, told in enumerate(self.written) if self.use in told)

    @property
    def use(self) -> str:
        return self._renamed.get(TOOL_USE, TOOL_USE)

    def begin(self) -> None:
        """All until our call."""
        if self.when.line_ms is not None:
            self._append(self.written[: self.line])
        for event in self.before:
            self._tell(event)
        if self.when.hooks == "first":
            self._tell(self.ours)

    def call(self, content: str) -> str:
        """Our call and what follows; the stored memory."""
        late_s = (self.when.line_ms or 0) / 1000
        timer = Timer(late_s, self._append, [self.written[self.line :]])
        if self.when.line_ms == 0:
            self._append(self.written[self.line :])
        elif self.when.line_ms is not None:
            timer.start()
        message = tool_call(content=content, memory_type="fact")
        message["params"]["_meta"]["claudecode/toolUseId"] = self.use
        say(self.client, message)
        answer = answered(self.client, 6)["structuredContent"]
        if self.when.hooks == "late":
            self._tell(self.ours)
        for event in self.after:
            self._tell(event)
        return str(answer["context_id"])

    def _append(self, written: list[str]) -> None:
        self.transcript.parent.mkdir(parents=True, exist_ok=True)
        with self.transcript.open("a", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in written)

    def _lines(self, capture: Path) -> list[str]:
        """The capture's lines with the recording machine's places and names replaced."""
        text = capture.read_text("utf-8")
        slug = re.sub(r"[^A-Za-z0-9]", "-", str(self._home / "proj"))
        text = text.replace("-home-dev-proj", slug).replace("/home/dev", str(self._home))
        text = text.replace("mcp__mem__", "mcp__plugin_lineal_lineal__")
        for old, new in self._renamed.items():
            text = text.replace(old, new)
        return text.splitlines()

    def _tell(self, event: dict[str, Any]) -> None:
        if self.when.hooks == "none":
            return
        if self.when.by == "command" or event["hook_event_name"] == "SessionStart":
            hook(self._home, event)
            return
        for arguments in plugin_says(event):
            self._number += 1
            (listed,) = (sent for sent in requests() if sent["method"] == "tools/list")
            meta = listed["params"]["_meta"]
            params = {"name": "note_event", "arguments": arguments, "_meta": meta}
            say(
                self.client,
                {**listed, "id": self._number, "method": "tools/call"} | {"params": params},
            )
            assert answered(self.client, self._number)["content"] == [
                {"type": "text", "text": "{}"}
            ]


def plugin_says(event: dict[str, Any]) -> Iterator[dict[str, str]]:
    """What the plugin's hooks hand on of an event; an absent value is an empty word."""
    groups = json.loads(PLUGIN_HOOKS.read_text("utf-8"))["hooks"].get(event["hook_event_name"], [])
    for group in groups:
        matcher = group.get("matcher", "*")
        if matcher not in ("", "*") and not re.search(matcher, event.get("tool_name", "")):
            continue
        for one in group["hooks"]:
            names = {key: said.strip("${}") for key, said in one.get("input", {}).items()}
            if one["type"] == "mcp_tool":
                yield {key: str(event.get(name, "")) for key, name in names.items()}


def serving(stack: ExitStack, home: Path, when: When, **renamed: str) -> Replay:
    """The captured session on the server that it started."""
    (start,) = captured("start")
    environment = {**start["env"], **server_environment(home)}
    environment["CLAUDE_PROJECT_DIR"] = str(home / "proj")
    environment["CLAUDE_CODE_SESSION_ID"] = renamed.get(SESSION, SESSION)
    client = stack.enter_context(lines(home, environment=environment))
    return Replay(client, home, when, **renamed)


def lineage_of(replay: Replay, context_id: str) -> dict[str, Any]:
    found = stored(replay.client, [context_id], within_s=2.0)[context_id]["lineage"]
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("name", TIMES)
def test_the_captured_session_is_told_rightly_whatever_comes_when(
    tmp_path: Path, name: str
) -> None:
    """L1-L3: the model, the prompt's calls, session and prompt; null where nothing was there."""
    when = TIMES[name]
    with ExitStack() as stack:
        replay = serving(stack, tmp_path, when)
        replay.begin()
        lineage = lineage_of(replay, replay.call("user likes tea"))
    observed = lineage["observed"]
    known = when.hooks != "none" or when.line_ms is not None
    assert observed["session_id"] == SESSION
    assert lineage["tool_calls"] == (CALLS if known else CALLS[-1:])
    assert lineage["model_version"] == (MODEL if known else None)
    assert observed.get("prompt_id") == (PROMPT if known else None)
    assert "agent_id" not in observed
    seen = "transcript" if when.line_ms is not None else "session_start"
    assert observed.get("model_seen") == (seen if known else None)


@pytest.mark.parametrize("name", ["hook first", "hook late", "no hooks, line after 102 ms"])
def test_two_captured_sessions_in_turns_are_not_mixed(tmp_path: Path, name: str) -> None:
    """L1, L3: one of them under other names, with another model, in the same project."""
    other = {
        SESSION: str(uuid.uuid4()),
        PROMPT: str(uuid.uuid4()),
        TOOL_USE: "toolu_other_append",
        BASH_USE: "toolu_other_bash",
        MODEL: "claude-haiku-5-5",
    }
    with ExitStack() as stack:
        pair = [serving(stack, tmp_path, TIMES[name], **names) for names in ({}, other)]
        for replay in pair:
            replay.begin()
        ids = [
            replay.call(f"user likes {tea}")
            for replay, tea in zip(pair, ("mate", "assam"), strict=True)
        ]
        told = [lineage_of(replay, i) for replay, i in zip(pair, ids, strict=True)]
    for lineage, names in zip(told, ({}, other), strict=True):
        renamed = {name: names.get(name, name) for name in (SESSION, PROMPT, MODEL)}
        assert lineage["model_version"] == renamed[MODEL]
        assert lineage["observed"]["session_id"] == renamed[SESSION]
        assert lineage["observed"]["prompt_id"] == renamed[PROMPT]
        bash, own = names.get(BASH_USE, BASH_USE), names.get(TOOL_USE, TOOL_USE)
        assert lineage["tool_calls"] == [f"Bash:{bash}", f"append_context:{own}"]


def test_where_capture_is_off_nothing_is_looked_at_or_kept(tmp_path: Path) -> None:
    """The request's own words stay: they were not captured."""
    (start,) = captured("start")
    environment = {**start["env"], **server_environment(tmp_path), "LINEAL_CAPTURE": "off"}
    environment["CLAUDE_PROJECT_DIR"] = str(tmp_path / "proj")
    with lines(tmp_path, environment=environment) as client:
        replay = Replay(client, tmp_path, When("first", "sink", 0))
        replay.before = replay.before[1:]
        replay.begin()
        lineage = lineage_of(replay, replay.call("user likes tea"))
    assert lineage["model_version"] is None
    assert lineage["tool_calls"] == CALLS[-1:]
    assert not (tmp_path / "lineal" / "sessions").exists()


def test_a_model_that_calls_the_hooks_tool_is_refused(claude: Lines, tmp_path: Path) -> None:
    """Such a call bears a call's id, which no hook's does; and it changes nothing."""
    forged = tool_call(event="SessionStart", session_id="forged-session", model="forged")
    forged["params"]["name"] = "note_event"
    say(claude, {**forged, "id": 90})
    came = claude.answer_to(90)
    assert "Unknown tool" in came["error"]["message"]
    say(claude, tool_call(content="user likes tea", memory_type="fact"))
    lineage = answered(claude, 6)["structuredContent"]["lineage"]
    assert lineage["observed"]["session_id"] == SESSION
    assert not (tmp_path / "lineal" / "sessions").exists()
