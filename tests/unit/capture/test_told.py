"""What is kept of a hook's event: ids, names, times and hashes, and nothing that says more."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json

from lineal.canonical import canonical, hash_of, parsed
from lineal.capture.told import label_of, line_of, of_claude, of_cursor

from ..secret_corpus import cases

PROGRAM = "prog"
QUOTED = st.text(st.characters(exclude_characters="\x00"), max_size=40)
WORD = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=40)

SHELL = [
    "KEY={word} prog --go",
    'KEY="{quoted}" prog',
    "KEY='{quoted}' OTHER='{quoted}' prog",
    "prog --key {quoted}",
    "prog <<END\n{quoted}\nEND",
    "prog 'https://me:{word}@host/' {quoted}",
    "KEY=$(echo {quoted}) prog",
    "KEY=a\\ {quoted} prog",
]

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize("carrier", SHELL)
@given(word=WORD, quoted=QUOTED)
def test_of_a_command_only_its_program_is_told(carrier: str, word: str, quoted: str) -> None:
    """Never a variable's value, an argument, or a part of either."""
    command = carrier.replace("{word}", word).replace("{quoted}", quoted)
    assert label_of("Bash", {"command": command}) in (None, PROGRAM)


@given(word=WORD, quoted=QUOTED)
def test_of_an_address_only_its_host_is_told(word: str, quoted: str) -> None:
    for url in (f"https://me:{word}@host.example/", f"https://host.example/{quoted}?key={word}"):
        assert label_of("WebFetch", {"url": url}) in (None, "host.example")


@given(st.dictionaries(st.sampled_from(["content", "query", "prompt", "pattern", "old"]), QUOTED))
def test_what_is_written_or_asked_has_no_label(given_input: dict[str, str]) -> None:
    assert label_of("Write", given_input) is None


@given(st.dictionaries(st.sampled_from(["command", "file_path", "url", "subagent_type"]), VALUES))
def test_a_label_is_short_and_of_plain_signs(given_input: dict[str, Any]) -> None:
    label = label_of("X", given_input)
    assert label is None or (0 < len(label) <= 40 and not set(label) & set("@/\\ \n\"'=:"))
    assert label is None or sum(map(str.isdigit, label)) <= 6


def test_no_token_is_taken_for_a_program_a_file_or_a_host() -> None:
    """The made-up secrets that other tests look for, where a label could come from."""
    tried = 0
    for case in (*cases("tuning"), *cases("held")):
        word = case.secret
        mixed = any(map(str.isdigit, word)) and any(map(str.isalpha, word))
        if len(word) < 20 or not mixed or not word.isprintable() or " " in word:
            continue
        tried += 1
        named = {"command": word, "file_path": word.replace("/", "+"), "url": f"https://{word}"}
        for key, value in named.items():
            label = label_of("X", {key: value})
            assert label is None or len(label) < 8, (case.kind, key, label)
    assert tried > 100


PERSONAL = [
    {"file_path": "/home/alice"},
    {"file_path": "/Users/alice"},
    {"file_path": "C:\\Users\\alice"},
    {"file_path": "/tmp/alice@example.com.txt"},  # noqa: S108
    {"file_path": "/x/+49 170 1234567.vcf"},
    {"file_path": "/x/+491701234567.vcf"},
    {"file_path": "/x/4111-1111-1111-1111.pdf"},
    {"command": "/home/alice"},
    {"command": "alice@example.com"},
    {"command": "postgres://alice/orders"},
    {"url": "https://alice@example.com/"},
    {"url": "https://alice:pa/ss@example.com/"},
]


@pytest.mark.parametrize("given_input", PERSONAL, ids=str)
def test_a_person_is_no_label(given_input: dict[str, Any]) -> None:
    assert label_of("X", given_input) is None


PLAIN = [
    ({"command": "git status"}, "git"),
    ({"command": "PYTHONPATH=src:lib CI=1 /usr/bin/python3.11 -m x"}, "python3.11"),
    ({"command": "./gradlew build"}, "gradlew"),
    ({"file_path": "/home/dev/proj/pyproject.toml"}, "pyproject.toml"),
    ({"url": "https://docs.example.org:8443/a?b"}, "docs.example.org"),
    ({"subagent_type": "general-purpose"}, "general-purpose"),
]


@pytest.mark.parametrize(("given_input", "label"), PLAIN, ids=str)
def test_what_is_harmless_is_told(given_input: dict[str, Any], label: str) -> None:
    assert label_of("X", given_input) == label


@given(VALUES)
def test_a_hook_and_the_server_hash_the_same_json_alike(value: Any) -> None:
    """The one reads without `json`, the other with the SDK's parser."""
    for text in (json.dumps(value), json.dumps(value, ensure_ascii=False, indent=1)):
        try:
            served = from_json(text)
        except ValueError:  # a lone half of a surrogate pair: such a call never gets so far
            continue
        assert hash_of(parsed(text)) == hash_of(served)


@given(VALUES)
def test_canonical_json_is_jsons_own(value: Any) -> None:
    whole = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert canonical(value) == whole
    assert hash_of(parsed(whole)) == hash_of(value)


@given(st.text())
def test_what_is_read_is_what_json_reads(text: str) -> None:
    try:
        wanted = json.loads(text, parse_constant=lambda name: 1 / 0)
    except (ValueError, ZeroDivisionError):
        wanted = None
    assert parsed(text) == wanted or text.startswith("\ufeff")


DEEP = ["[" * 100_000, '{"a":' * 100_000, "[" * 100_000 + "]" * 100_000]


@pytest.mark.parametrize("text", ["", "\x00", "{", '{"a":1}x', "nul", "1" * 5_000, *DEEP])
def test_what_is_not_json_is_nothing(text: str) -> None:
    assert parsed(text) is None


EVENT = {
    "session_id": "754238ae-ad89-4676-8080-bbcee1172751",
    "hook_event_name": "PostToolUse",
    "prompt_id": "p1",
    "tool_use_id": "u1",
    "tool_name": "Bash",
    "tool_input": {"command": "echo canary", "description": "canary"},
    "tool_response": {"stdout": "canary"},
    "prompt": "canary",
    "cwd": "/home/canary",
    "last_assistant_message": "canary",
    "duration_ms": 12,
}


def test_nothing_that_was_said_is_in_a_record() -> None:
    record = of_claude(EVENT, 5)
    assert record is not None
    assert b"canary" not in line_of(record)
    assert record["ms"] == 12
    assert record["label"] == "echo"
    assert record["input"] == hash_of(EVENT["tool_input"])


def test_a_failed_use_is_told_as_failed_by_either_way_of_hooks() -> None:
    for name in ("hook_event_name", "event"):
        given_event = {"session_id": "s", name: "PostToolUseFailure", "tool_use_id": "u"}
        record = of_claude(given_event, 1)
        assert record is not None
        assert record["ok"] is False


@given(
    st.dictionaries(st.sampled_from([*EVENT, "event", "agent_id", "model"]), VALUES)
    | st.fixed_dictionaries(dict.fromkeys(EVENT, VALUES)),
    st.sampled_from(["SessionStart", "PostToolUse", "postToolUse", "beforeSubmitPrompt", ""]),
)
def test_any_event_makes_a_plausible_record_or_none(told: dict[str, Any], name: str) -> None:
    for read in (of_claude, of_cursor):
        record = read({**told, "hook_event_name": name, "conversation_id": "c"}, 7)
        if record is not None:
            line = line_of(record)
            assert line.count(b"\n") == 1
            assert from_json(line) == record
            assert all(isinstance(v, str | int) for v in record.values())


@pytest.mark.parametrize("value", ["", "${tool_use_id}", "a\nb", "\u202eb", "x" * 201, 7, None, []])
def test_an_odd_word_is_no_word(value: object) -> None:
    record = of_claude({**EVENT, "tool_use_id": value}, 1)
    assert record is not None
    assert "use" not in record
    assert of_claude({**EVENT, "session_id": value}, 1) is None
