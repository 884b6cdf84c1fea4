"""What a transcript tells of a session's calls, however odd it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.capture.joining import joined, reads_since
from lineal.capture.seen import CallSeen, ReadSeen, Seen
from lineal.capture.transcript import START_BYTES, Transcript

ALL = 100_000_000
SONNET = "claude-sonnet-5"


class Written:
    """A transcript in the making."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = 0

    def line(self, **told: Any) -> None:
        self.number += 1
        at = f"2026-11-21T18:{self.number // 60 % 60:02}:{self.number % 60:02}.000Z"
        whole = {"uuid": f"l{self.number}", "timestamp": at, "sessionId": "s1", **told}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(whole) + "\n")

    def raw(self, line: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(line + b"\n")

    def user(self, content: Any = "please", **told: Any) -> None:
        self.line(type="user", message={"role": "user", "content": content}, **told)

    def prompt(self, name: str, **told: Any) -> None:
        self.user(promptId=name, turnOrigin="human", **told)

    def calls(self, *uses: str, model: str | None = SONNET, message: str = "", **told: Any) -> None:
        """One message: a line for each of its blocks."""
        for use in uses:
            block = {"type": "tool_use", "id": use, "name": "T", "input": {"a": use}}
            named = {"id": message} if message else {}
            body = {"role": "assistant", "model": model, "content": [block], **named}
            self.line(type="assistant", message=body, **told)

    def result(self, use: str, **told: Any) -> None:
        self.user([{"type": "tool_result", "tool_use_id": use, "content": "canary"}], **told)


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return Written(tmp_path / "t.jsonl")


def read(written: Written) -> Seen:
    transcript = Transcript(written.path)
    while not transcript.read(ALL):
        pass
    transcript.close()
    return transcript.seen


def before(seen: Seen, use: str) -> list[str]:
    return [call.use for call in seen.until(use)[:-1]]


def test_each_call_has_its_model_its_prompt_and_what_went_before(written: Written) -> None:
    written.prompt("p1")
    written.calls("a", "b")
    written.result("a", promptId="p1")
    written.result("b", promptId="p1")
    written.calls("c", model="claude-opus-5")
    written.prompt("p2")
    written.calls("d")
    seen = read(written)
    assert [(c.use, c.model, c.prompt) for c in seen.calls.values()] == [
        ("a", SONNET, "p1"),
        ("b", SONNET, "p1"),
        ("c", "claude-opus-5", "p1"),
        ("d", SONNET, "p2"),
    ]
    assert before(seen, "c") == ["a", "b"]
    assert before(seen, "d") == []


NOT_PROMPTS: list[dict[str, Any]] = [
    {"content": "<local-command-caveat>x", "isMeta": True, "promptId": "l1"},
    {"content": "<command-name>/model</command-name>", "promptId": "l2"},
    {"content": "<local-command-stdout>x", "promptId": "l3"},
    {"content": "This session is continued", "isCompactSummary": True, "turnPosition": {"a": 1}},
    {"content": [{"type": "text", "text": "expanded"}], "isMeta": True, "promptId": "p1"},
    {"content": [{"type": "text", "text": "[Request interrupted by user]"}], "promptId": "p1"},
]


@pytest.mark.parametrize("told", NOT_PROMPTS, ids=lambda told: str(told["content"])[:24])
def test_what_the_client_says_itself_begins_no_prompt(
    written: Written, told: dict[str, Any]
) -> None:
    written.prompt("p1")
    written.calls("a")
    written.line(type="queue-operation", operation="enqueue", content="and tea")
    written.line(type="attachment", attachment={"type": "queued_command", "prompt": "user"})
    written.line(type="system", subtype="compact_boundary", content="user")
    written.user(**told)
    written.calls("b")
    assert before(read(written), "b") == ["a"]


def test_older_versions_that_name_no_turns_are_understood(written: Written) -> None:
    """A prompt is named by its line; what the client notes of its own commands is none."""
    written.user("first")
    written.calls("a")
    written.result("a")
    written.user("<command-name>/clear</command-name>")
    written.calls("b")
    written.user("second")
    written.calls("c")
    seen = read(written)
    assert before(seen, "b") == ["a"]
    assert before(seen, "c") == []
    hook = Seen()
    hook.note(CallSeen("c", prompt="the hook's own name of it"))
    account = joined("c", seen, hook)
    assert account is not None
    assert account.model == SONNET


def test_a_copy_that_a_fork_made_is_nobodys_call(written: Written) -> None:
    told: dict[str, Any] = {"forkedFrom": {"sessionId": "s0", "messageUuid": "m"}}
    written.prompt("p1", **told)
    written.calls("a", **told)
    written.result("a", promptId="p1", **told)
    written.prompt("p2")
    written.calls("b")
    assert [*read(written).calls] == ["b"]


def test_copies_that_bear_the_forks_prompt_are_not_of_it(written: Written) -> None:
    """`-p --fork-session` gives every copied line the new prompt's name."""
    for use in ("a", "b"):
        written.prompt("new")
        written.calls(use)
        written.result(use, promptId="new")
    written.prompt("new")
    written.calls("c", "d")
    seen = read(written)
    assert before(seen, "d") == ["c"]
    assert before(seen, "b") == []


def test_where_a_hook_names_another_prompt_a_copy_is_not_believed(written: Written) -> None:
    written.prompt("fork's")
    written.calls("a", model="claude-opus-5")
    told = Seen()
    told.note(CallSeen("a", session="s0", prompt="true"))
    account = joined("a", read(written), told)
    assert account is not None
    assert (account.call.prompt, account.call.session, account.model) == ("true", "s0", None)


def test_an_id_used_anew_is_the_new_prompts_call(written: Written) -> None:
    for prompt, model in (("p1", SONNET), ("p2", "claude-opus-5")):
        written.prompt(prompt)
        written.calls("call_0", "call_1", model=model)
        written.result("call_0", promptId=prompt)
    seen = read(written)
    assert [(c.prompt, c.model) for c in seen.calls.values()] == [("p2", "claude-opus-5")] * 2
    assert before(seen, "call_1") == ["call_0"]


def test_what_the_client_put_in_the_models_mouth_has_no_model(written: Written) -> None:
    written.prompt("p1")
    written.calls("a", model="<synthetic>")
    written.calls("b", model=None)
    assert [call.model for call in read(written).calls.values()] == [None, None]


def test_a_sub_agents_calls_are_its_own(written: Written) -> None:
    written.user("look around", agentId="x", isSidechain=True, promptId="p1", parentUuid=None)
    written.calls("a", agentId="x", isSidechain=True, attributionAgent="Explore")
    written.user("a reminder", agentId="x", isMeta=True, promptId="p1", parentUuid="l1")
    written.user("more of the same", agentId="x", promptId="p1", parentUuid="l2")
    written.calls("b", agentId="x", isSidechain=True, attributionAgent="Explore")
    written.user("its next task", agentId="x", promptId="p2", parentUuid="l3")
    written.calls("c", agentId="x", isSidechain=True)
    seen = read(written)
    assert before(seen, "b") == ["a"]
    assert before(seen, "c") == []
    assert (seen.calls["b"].agent, seen.calls["b"].agent_type) == ("x", "Explore")


def test_a_long_transcript_is_read_from_near_its_end(written: Written) -> None:
    """The prompt that is going on is known by the results that bear its name."""
    written.prompt("old")
    written.calls("lost")
    written.raw(b'{"type":"system","content":"' + b"x" * START_BYTES + b'"}')
    written.calls("a")
    written.result("a", promptId="p1")
    written.calls("b")
    seen = read(written)
    assert [*seen.calls] == ["a", "b"]
    assert (seen.calls["b"].prompt, before(seen, "b")) == ("p1", ["a"])


def test_a_transcript_in_anothers_place_tells_only_of_itself(written: Written) -> None:
    written.prompt("p1")
    written.calls("a", "b")
    transcript = Transcript(written.path)
    transcript.read(ALL)
    other = Written(written.path.with_name("other"))
    other.prompt("p1")
    other.calls("a", "c")
    other.path.replace(written.path)
    while not transcript.read(ALL):
        pass
    assert before(transcript.seen, "c") == ["a"]
    assert [*transcript.seen.calls] == ["a", "c"]
    transcript.close()


def test_what_a_message_itself_asked_to_read_is_no_source_of_it(written: Written) -> None:
    """The model writes all of a message's calls before it sees what comes of any."""
    written.prompt("p1")
    written.calls("early", message="m1")
    written.calls("beside", "write", message="m2")
    reads = [ReadSeen("early", 1, ("ctx_a",), None), ReadSeen("beside", 2, ("ctx_b",), None)]
    account = joined("write", read(written), Seen())
    assert reads_since(reads, account) == ("ctx_a",)
    assert account is not None
    assert [call.use for call in account.before] == ["early", "beside"]


def test_reads_of_other_prompts_and_agents_are_no_sources(written: Written) -> None:
    written.prompt("p0")
    written.calls("before")
    written.prompt("p1")
    written.calls("mine", "write")
    written.user("task", agentId="x", promptId="p1", parentUuid=None)
    written.calls("agent's", agentId="x")
    names = ("before", "mine", "agent's", "another session's")
    reads = [ReadSeen(name, n, (f"ctx_{n}",), None) for n, name in enumerate(names)]
    assert reads_since(reads, joined("write", read(written), Seen())) == ("ctx_1",)


ODD = [
    b"",
    b"assistant",
    b'{"type":"assistant"',
    b'{"type":"assistant"}',
    b'{"type":"assistant","message":[]}',
    b'{"type":"assistant","message":{"content":"user"}}',
    b'{"type":"assistant","message":{"content":[7,null,{"type":"tool_use"}]}}',
    b'{"type":"assistant","message":{"content":[{"type":"tool_use","id":{"a":1}}]}}',
    b'{"type":["assistant"],"message":{}}',
    b'{"type":"user","message":{"content":[{"type":"tool_result","tool_use_id":["a"]}]}}',
    b'{"type":"user","message":{"content":null},"promptId":7,"uuid":[],"agentId":{}}',
    b'{"type":"novelty","message":{"role":"user"}}',
    b'"assistant"',
    b'["user"]',
    b"\xff\xfe\x00 user",
    b'{"type":"user","a":' + b"[" * 5_000,
    b'{"type":"assistant","n":' + b"1" * 6_000 + b"}",
]


def test_an_odd_line_is_passed_over(written: Written) -> None:
    written.prompt("p1")
    for line in ODD:
        written.raw(line)
    for at in ("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59Z", "yesterday", 7, None, "2026"):
        written.calls(f"at {at}", timestamp=at)
    written.calls("good")
    seen = read(written)
    assert seen.calls["good"].prompt == "p1"
    assert all(c.at_ms is None or 0 <= c.at_ms < 5e12 for c in seen.calls.values())


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMES = ("message", "promptId", "uuid", "agentId", "timestamp", "isSidechain", "turnOrigin")
PARTS = ("content", "model", "id")


@given(
    st.sampled_from(["user", "assistant"]),
    st.dictionaries(st.sampled_from(NAMES), JSON),
    st.dictionaries(st.sampled_from(PARTS), JSON),
)
def test_no_line_whatever_fails(kind: str, told: dict[str, Any], message: dict[str, Any]) -> None:
    transcript = Transcript(Path("unused"))
    line = {**told, "type": kind, "message": told.get("message") or message}
    for _ in range(2):
        transcript._take(json.dumps(line).encode())


def test_a_prompt_of_a_hundred_thousand_calls_costs_little(written: Written) -> None:
    """The latest are known, and to ask for the last takes no longer than for another."""
    lines = ['{"type":"user","turnOrigin":"human","promptId":"p","message":{"content":"x"}}']
    block = (
        '{"type":"assistant","message":{"model":"m","content":[{"type":"tool_use","id":"u%d"}]}}'
    )
    lines += [block % number for number in range(100_000)]
    transcript = Transcript(written.path)
    for line in lines:
        transcript._take(line.encode())
    account = joined("u99999", transcript.seen, Seen())
    assert account is not None
    assert account.model == "m"
    assert len(account.before) == 4_095
    assert account.before[-1].use == "u99998"


def test_nothing_that_was_said_is_kept(written: Written) -> None:
    written.prompt("p1", cwd="/home/canary", gitBranch="canary")
    written.calls("a")
    written.result("a", toolUseResult={"stdout": "canary"})
    assert "canary" not in repr(vars(read(written)))
