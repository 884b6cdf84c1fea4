"""Ledgers: bounded, whole lines whoever writes, and read back in order whatever happens to them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lineal.capture import ledgers
from lineal.capture.ledger import Ledger
from lineal.capture.told import line_of

CLIENT, SESSION = "claude-code", "754238ae-ad89-4676-8080-bbcee1172751"
ALL = 4_000_000


def tell(home: Path, event: str, at: int, **more: Any) -> None:
    record = {"at": at, "client": CLIENT, "event": event, "session": SESSION, **more}
    ledgers.append(str(home), CLIENT, SESSION, line_of(record))


def path_in(home: Path) -> Path:
    return Path(ledgers.path_of(str(home), CLIENT, SESSION))


def read(home: Path) -> Ledger:
    ledger = Ledger(path_in(home))
    ledger.read(ALL)
    return ledger


def test_only_its_owner_can_read_a_ledger_whose_name_tells_nothing(tmp_path: Path) -> None:
    home = tmp_path / "not yet" / "there"
    tell(home, "prompt", 1, prompt="p")
    path = path_in(home)
    assert [p.stat().st_mode & 0o777 for p in (home, path.parent, path)] == [0o700, 0o700, 0o600]
    assert SESSION not in path.name


def test_a_name_leads_nowhere_else(tmp_path: Path) -> None:
    for name in ("../../x", "/etc/passwd", "a/b", "a\x00b", "x" * 10_000):
        path = Path(ledgers.path_of(str(tmp_path), CLIENT, name))
        assert path.parent == tmp_path / "sessions"
        assert len(path.name) < 60


def test_a_link_in_a_ledgers_place_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_bytes(b"mine\n")
    path_in(tmp_path).parent.mkdir()
    path_in(tmp_path).symlink_to(target)
    with pytest.raises(OSError, match="symbolic"):
        tell(tmp_path, "prompt", 1)
    assert target.read_bytes() == b"mine\n"


def test_a_line_beyond_reason_is_not_written(tmp_path: Path) -> None:
    ledgers.append(str(tmp_path), CLIENT, SESSION, b"x" * 8_193)
    assert not path_in(tmp_path).exists()


def test_a_full_ledger_is_put_aside_and_still_read(tmp_path: Path) -> None:
    """2 MB at most, and of the prompt that was going on nothing is lost."""
    reader = read(tmp_path)
    tell(tmp_path, "prompt", 1, prompt="p1")
    for number in range(6_000):
        tell(tmp_path, "after", 2 + number, prompt="p1", use=f"u{number}", tool="T" * 100)
        if number % 500 == 0:
            reader.read(ALL)
    reader.read(ALL)
    sizes = [path.stat().st_size for path in path_in(tmp_path).parent.iterdir()]
    assert len(sizes) == 2
    assert max(sizes) < ledgers.LEDGER_BYTES_MAX + 8_192
    for one in (reader, read(tmp_path)):
        assert [*one.seen.calls][-4_000:] == [f"u{number}" for number in range(2_000, 6_000)]
        assert one.prompt == "p1"
        assert len(one.seen.until("u5999")) >= 4_000


def test_a_put_aside_ledger_is_not_told_anew(tmp_path: Path) -> None:
    """Its prompts don't begin again, and its calls without ids aren't others."""
    reader = read(tmp_path)
    for number in (1, 2):
        tell(tmp_path, "prompt", number, prompt=f"p{number}")
        tell(tmp_path, "before", number, prompt=f"p{number}", tool="T", input=f"{number}")
    reader.read(ALL)
    path_in(tmp_path).rename(str(path_in(tmp_path)) + ledgers.OLD)
    tell(tmp_path, "before", 3, prompt="p2", use="u3", tool="T")
    for one in (reader, read(tmp_path)):
        one.read(ALL)
        assert one.prompt == "p2"
        assert one.seen.began_ms == {(None, "p1"): 1, (None, "p2"): 2}
        assert len(one.seen.calls) == 3
        assert len(one.seen.until("u3")) == 2


def test_what_is_told_between_two_looks_is_read_from_both_files(tmp_path: Path) -> None:
    tell(tmp_path, "prompt", 1, prompt="p")
    reader = read(tmp_path)
    tell(tmp_path, "after", 2, prompt="p", use="late")
    path_in(tmp_path).rename(str(path_in(tmp_path)) + ledgers.OLD)
    tell(tmp_path, "after", 3, prompt="p", use="new")
    reader.read(ALL)
    assert [*reader.seen.calls] == ["late", "new"]


WRITER = """
import sys
from lineal.capture import ledgers
home, who = sys.argv[1:]
for number in range(1500):
    line = b'{"who":%s,"number":%d,"x":"%s"}\\n' % (who.encode(), number, b"x" * (number % 900))
    ledgers.append(home, "claude-code", "s", line)
"""


def test_lines_of_eight_processes_never_mix_and_nothing_is_put_aside_twice(tmp_path: Path) -> None:
    """Some 5.5 MB: put aside about five times, by one of eight who all see that it is full."""
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(who)])
        for who in range(8)
    ]
    assert [writer.wait(timeout=60) for writer in writers] == [0] * 8
    path = Path(ledgers.path_of(str(tmp_path), "claude-code", "s"))
    old = path.with_name(path.name + ledgers.OLD)
    lines = [*old.read_bytes().splitlines(), *path.read_bytes().splitlines()]
    kept: dict[int, list[int]] = {}
    for line in lines:
        said = json.loads(line)
        kept.setdefault(said["who"], []).append(said["number"])
    assert old.stat().st_size > ledgers.LEDGER_BYTES_MAX
    for numbers in kept.values():
        assert numbers == [*range(numbers[0], 1_500)]


ODD = [
    b"",
    b"{",
    b"\xff\xfe",
    b"[1]",
    b'{"at":1}',
    b"null",
    *(
        json.dumps({"at": 1, "event": "before", "session": SESSION, "use": "u", **odd}).encode()
        for odd in (
            {"tool": {"a": 1}},
            {"prompt": ["p"]},
            {"agent": 7},
            {"ms": "12"},
            {"ms": -5},
            {"ms": 10**40},
            {"at": 10**40},
            {"at": True},
            {"at": -1},
            {"at": 1.5},
            {"use": {"x": 1}},
            {"ok": "yes"},
            {"label": ["x"]},
            {"input": 9},
            {"event": ["before"]},
            {"event": "read", "ids": [1, None, "c", {"a": 1}], "by": 4},
            {"event": "read", "ids": "ctx"},
            {"event": "prompt", "prompt": {"a": 1}},
            {"event": "session", "model": 7},
            {"transcript": 7},
            {"transcript": "x" * 100_000},
            {"session": None},
            {"session": 5},
            {"session": "another"},
        )
    ),
]


def test_an_odd_line_is_passed_over_and_spoils_nothing(tmp_path: Path) -> None:
    tell(tmp_path, "prompt", 1, prompt="p")
    with path_in(tmp_path).open("ab") as file:
        file.write(b"\n".join(ODD) + b"\n")
    tell(tmp_path, "before", 2, prompt="p", use="good", tool="T")
    ledger = read(tmp_path)
    assert ledger.seen.until("good")[-1].tool == "T"
    assert ledger.prompt == "p"
    for call in ledger.seen.calls.values():
        plain = (call.tool, call.prompt, call.agent, call.label, call.input_hash)
        assert all(value is None or isinstance(value, str) for value in plain)
        assert call.at_ms is not None
        assert 0 <= call.at_ms < 5e12
    assert all(isinstance(name, str) for read_ in ledger.reads for name in read_.ids)


def test_what_is_another_sessions_is_not_believed(tmp_path: Path) -> None:
    path = path_in(tmp_path)
    path.parent.mkdir()
    record = {"at": 1, "event": "session", "session": "another", "model": "forged"}
    path.write_text(json.dumps(record) + "\n")
    assert read(tmp_path).model is None


def test_a_model_is_the_sessions_as_of_the_call(tmp_path: Path) -> None:
    tell(tmp_path, "session", 1, model="sonnet")
    tell(tmp_path, "before", 2, prompt="p", use="first")
    tell(tmp_path, "switch", 3, model="opus")
    tell(tmp_path, "before", 4, prompt="p", use="second")
    tell(tmp_path, "session", 5)
    tell(tmp_path, "before", 6, prompt="p", use="resumed without saying")
    tell(tmp_path, "before", 7, prompt="p", use="sub-agent", agent="a")
    calls = read(tmp_path).seen.calls.values()
    assert [call.session_model for call in calls] == [
        ("sonnet", "session"),
        ("opus", "switch"),
        None,
        None,
    ]


def test_background_work_that_announces_itself_is_no_new_prompt(tmp_path: Path) -> None:
    tell(tmp_path, "prompt", 1, prompt="p1")
    tell(tmp_path, "before", 2, prompt="p1", use="a")
    tell(tmp_path, "prompt", 3, prompt="p2")
    tell(tmp_path, "prompt", 4, prompt="p1")
    tell(tmp_path, "before", 5, prompt="p1", use="b")
    ledger = read(tmp_path)
    assert [call.use for call in ledger.seen.until("b")] == ["a", "b"]
    assert ledger.seen.began_ms[None, "p1"] == 1


def test_one_call_told_with_and_without_an_id_is_one(tmp_path: Path) -> None:
    for number, (event, use) in enumerate(
        [("before", "u1"), ("before", None), ("after", None), ("after", "u1"), ("before", "u2")]
    ):
        named = {"use": use} if use else {}
        more = {"ms": 2} if event == "after" else {}
        tell(tmp_path, event, 10 + number, prompt="p", tool="MCP:x", input="h", **named, **more)
    assert [*read(tmp_path).seen.calls] == ["u1", "u2"]


def test_an_id_used_anew_is_the_new_prompts_call(tmp_path: Path) -> None:
    """Not every model's calls have ids of their own."""
    for prompt in ("p1", "p2"):
        tell(tmp_path, "prompt", 1, prompt=prompt)
        tell(tmp_path, "before", 2, prompt=prompt, use="call_0", tool=f"T-{prompt}")
        tell(tmp_path, "after", 3, prompt=prompt, use="call_0", ms=1)
    (call,) = read(tmp_path).seen.calls.values()
    assert (call.prompt, call.tool) == ("p2", "T-p2")


def test_nothing_of_a_ledger_stays_open(tmp_path: Path) -> None:
    tell(tmp_path, "prompt", 1, prompt="p")
    before = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
    for _ in range(20):
        read(tmp_path).close()
    if sys.platform == "linux":
        assert len(os.listdir("/proc/self/fd")) == before
