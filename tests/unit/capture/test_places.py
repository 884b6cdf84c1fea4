"""Where transcripts are looked for: in the client's own directory, and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lineal.capture.places import Places

SESSION = "754238ae-ad89-4676-8080-bbcee1172751"


@pytest.fixture
def projects(tmp_path: Path) -> Path:
    made = tmp_path / "config" / "projects"
    (made / "-home-dev-proj").mkdir(parents=True)
    return made


@pytest.fixture
def places(projects: Path) -> Places:
    return Places(projects.parent, Path("/home/dev/proj"))


def put(path: Path, at_s: float = 1_000.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("{}\n")
    os.utime(path, (at_s, at_s))
    return path


def test_a_session_is_found_in_its_project_or_else_in_any(projects: Path, places: Places) -> None:
    elsewhere = put(projects / "-other" / f"{SESSION}.jsonl")
    assert places.likely(SESSION) is None
    assert places.main(SESSION) == elsewhere
    own = put(projects / "-home-dev-proj" / f"{SESSION}.jsonl")
    assert places.likely(SESSION) == places.main(SESSION) == own


NAMES = ["../../x", "..", "*", "?" * 36, "a/b", "", "x" * 300, "a\x00b", "~root", "\u202e" * 9]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_a_name_that_is_no_sessions_leads_nowhere(
    projects: Path, places: Places, name: str
) -> None:
    put(projects.parent / "x.jsonl")
    put(projects / "x.jsonl")
    main = put(projects / "-home-dev-proj" / f"{SESSION}.jsonl")
    assert places.main(name) is None
    assert places.likely(name) is None
    assert places.agent(main, name) is None


def test_a_place_is_believed_only_in_the_clients_directory(
    projects: Path, places: Places, tmp_path: Path
) -> None:
    inside = put(projects / "-home-dev-proj" / f"{SESSION}.jsonl")
    outside = put(tmp_path / f"{SESSION}.jsonl")
    assert places.believed(str(inside)) == inside
    for told in (
        str(outside),
        str(projects / ".." / ".." / f"{SESSION}.jsonl"),
        f"{projects}-evil/{SESSION}.jsonl",
        str(projects),
        "/etc/passwd",
        "/dev/zero",
        f"{SESSION}.jsonl",
        "",
        "a\x00.jsonl",
        f"{projects}/{'x' * 300}/{SESSION}.jsonl",
        f"{inside}/under/a/file.jsonl",
    ):
        assert places.believed(told) is None, told


def test_what_is_no_file_is_no_transcript(projects: Path, places: Places) -> None:
    path = projects / "-home-dev-proj" / f"{SESSION}.jsonl"
    path.mkdir()
    assert places.main(SESSION) is None
    path.rmdir()
    os.mkfifo(path)
    assert places.main(SESSION) is None
    assert places.believed(str(path)) is None
    assert places.siblings(1_000.0) == []
    path.unlink()
    path.symlink_to(path)
    assert places.main(SESSION) is None


def test_siblings_are_what_was_written_to_lately_with_their_sub_agents(
    projects: Path, places: Places
) -> None:
    own = projects / "-home-dev-proj"
    left = put(own / "original.jsonl", 5_000)
    fork = put(own / "fork.jsonl", 5_100)
    agent = put(own / "fork" / "subagents" / "agent-1.jsonl", 5_100)
    put(own / "fork" / "subagents" / "agent-0.jsonl", 100)
    put(own / "old.jsonl", 100)
    put(projects / "-other" / "x.jsonl", 5_100)
    assert places.siblings(5_200) == [left, fork, agent]


def test_a_client_without_a_directory_has_no_transcripts(tmp_path: Path) -> None:
    for places in (Places(tmp_path / "none", Path("/x")), Places(tmp_path / "none")):
        assert places.main(SESSION) is None
        assert places.siblings(0.0) == []
        assert places.agents(tmp_path / "x.jsonl") == []
