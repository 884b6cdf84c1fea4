"""Following a file: each line once, whole, whatever happens to the file."""

from __future__ import annotations

import os
from pathlib import Path
from time import perf_counter

from hypothesis import given
from hypothesis import strategies as st

from lineal.capture.tail import Tail

ALL = 1_000_000_000


def test_a_line_comes_when_it_is_whole_and_once(tmp_path: Path) -> None:
    path = tmp_path / "f"
    tail = Tail(path)
    assert tail.lines(ALL) == []
    with path.open("ab", buffering=0) as file:
        seen = []
        for part in (b"on", b"e\ntwo", b"\n", b"", b"\n\nthr", b"ee\nrest"):
            file.write(part)
            seen.append(tail.lines(ALL))
    assert seen == [[], [b"one"], [b"two"], [], [b"", b""], [b"three"]]
    assert not tail.behind()
    tail.close()


@given(st.lists(st.binary(max_size=12), max_size=12), st.integers(1, 9))
def test_however_a_file_is_cut_its_lines_are_the_same(parts: list[bytes], size: int) -> None:
    """Against splitting the whole."""
    tail = Tail(Path("unused"))
    found: list[bytes] = []
    for part in parts:
        tail._cut(part, found)
    assert found == b"".join(parts).split(b"\n")[:-1]


def test_of_a_long_file_only_the_end_is_read(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"".join(b"line %06d\n" % n for n in range(10_000)))
    tail = Tail(path, start_bytes=100)
    assert tail.lines(ALL) == [b"line %06d" % n for n in range(9_992, 10_000)]
    with path.open("ab") as file:
        file.write(b"more\n")
    assert tail.lines(ALL) == [b"more"]
    tail.close()


def test_a_reader_in_a_hurry_is_behind_and_catches_up(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x" * 99 + b"\n" + b"y\n" * 500_000)
    tail, found = Tail(path), 0
    while lines := tail.lines(1):
        found += len(lines)
        assert tail.behind() or found == 500_001
    assert found == 500_001
    tail.close()


def test_a_replaced_file_is_read_from_its_beginning(tmp_path: Path) -> None:
    path, other = tmp_path / "f", tmp_path / "other"
    path.write_bytes(b"one\ntw")
    tail = Tail(path)
    assert tail.lines(ALL) == [b"one"]
    other.write_bytes(b"new\n")
    other.replace(path)
    assert tail.lines(ALL) == [b"new"]
    assert tail.turns == 2
    tail.close()


def test_of_a_file_put_aside_the_rest_is_read_first(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"one\n")
    tail = Tail(path, put_aside=True)
    assert tail.lines(ALL) == [b"one"]
    with path.open("ab") as file:
        file.write(b"two\n")
    path.rename(tmp_path / "aside")
    path.write_bytes(b"three\n")
    assert tail.lines(ALL) == [b"two"]
    assert tail.behind()
    assert tail.lines(ALL) == [b"three"]
    tail.close()


def test_a_file_cut_short_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"one\ntwo\n")
    tail = Tail(path, put_aside=True)
    tail.lines(ALL)
    path.write_bytes(b"new\n")
    assert tail.lines(ALL) == [b"new"]
    tail.close()


def test_a_file_that_is_gone_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"one\n")
    tail = Tail(path)
    tail.lines(ALL)
    with path.open("ab") as file:
        path.unlink()
        file.write(b"two\n")
    assert tail.lines(ALL) == [b"two"]
    assert not tail.behind()
    tail.close()


def test_a_line_of_50_mb_is_passed_over_and_costs_little(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"one\n" + b"x" * 50_000_000 + b"\ntwo\n")
    tail = Tail(path)
    start_s = perf_counter()
    assert tail.lines(ALL) == [b"one", b"two"]
    assert perf_counter() - start_s < 5
    assert sum(map(len, tail._parts)) == 0
    tail.close()


def test_what_is_no_file_has_no_lines_and_no_end_of_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", tmp_path / ("x" * 300), Path("a\x00b")):
        tail = Tail(path)
        assert tail.lines(ALL) == []
        assert not tail.behind()
        tail.close()
