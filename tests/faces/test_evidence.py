"""The real wire of Claude Code 2.1.330, replayed against the real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from .clients import DOMAIN, LONG, USER, Lines, lines, server_environment

CAPTURE = Path(__file__).parents[2].parent / "shared/evidence/claude_code_2.1.330_mcp_wire.jsonl"
CANARIES = {
    "ANTHROPIC_API_KEY": "canary-sk-ant-0d5a",
    "CLAUDE_CODE_MESSAGING_TOKEN": "canary-token-77b1",
    "CLAUDE_CODE_MESSAGING_SOCKET": "/run/cc/canary.sock",
    "AWS_SECRET_ACCESS_KEY": "canary-aws-19ce",
}
SESSION = "754238ae-ad89-4676-8080-bbcee1172751"
TOOL_USE = "toolu_01F1795284143239465991"

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
