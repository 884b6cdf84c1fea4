"""`lineal export` and `lineal import`: everything from one store into another."""

from __future__ import annotations

import gzip
import json
import stat
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest
from click.testing import CliRunner

from lineal.faces.cli.main import cli

from . import test_cli
from .test_cli import document, error, run
from .test_cli_output import FULL, shell

home = test_cli.home
ids = test_cli.ids


def imported(archive: Path | str, home: Path, *more: str) -> dict[str, Any]:
    return document("import", str(archive), "--home", str(home), *more)  # type: ignore[no-any-return]


def test_everything_is_carried_into_another_store(ids: Mapping[str, str], tmp_path: Path) -> None:
    archive, other = tmp_path / "all.jsonl", tmp_path / "other"
    written = document("export", str(archive))
    told = imported(archive, other)["kinds"]
    assert {kind: each["kept"] for kind, each in told.items()} == {
        kind: count for kind, count in written["counts"].items() if kind != "header"
    }
    again = document("export", str(tmp_path / "again.jsonl"), "--home", str(other))
    assert again["content_hash"] == written["content_hash"]
    assert document("show", ids["rule"], "--home", str(other)) == document("show", ids["rule"])
    assert document("search", "lock", "--home", str(other))["hits"][0]["context_id"] == ids["rule"]
    assert document("verify", "--home", str(other))["ok"] is True


def test_the_file_is_whole_private_and_never_written_over(
    ids: Mapping[str, str], tmp_path: Path
) -> None:
    archive = tmp_path / "all.jsonl"
    assert "records written to" in run("export", str(archive)).stdout
    if sys.platform != "win32":
        assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    before = archive.read_bytes()
    assert error("export", str(archive))["details"]["field"] == "target"
    assert archive.read_bytes() == before
    assert [path.name for path in tmp_path.glob("all*")] == ["all.jsonl"]
    part = tmp_path / "new.jsonl.part"
    part.touch()
    assert "another export" in error("export", str(tmp_path / "new.jsonl"))["message"]
    assert part.exists()


def test_each_line_is_json_with_its_kind(ids: Mapping[str, str], tmp_path: Path) -> None:
    archive = tmp_path / "all.jsonl"
    run("export", str(archive))
    kinds = [json.loads(line)["kind"] for line in archive.read_text().splitlines()]
    assert (kinds[0], kinds[-1]) == ("header", "end")
    assert kinds.count("context") == len(ids)


def test_it_is_compressed_where_its_name_says_so(ids: Mapping[str, str], tmp_path: Path) -> None:
    plain, packed = tmp_path / "all.jsonl", tmp_path / "all.jsonl.gz"
    run("export", str(plain))
    run("export", str(packed))
    lines = gzip.decompress(packed.read_bytes()).splitlines()
    assert lines[1:-1] == plain.read_bytes().splitlines()[1:-1]
    assert imported(packed, tmp_path / "other")["kinds"]["context"]["kept"] == len(ids)


def test_without_vectors_none_are_written(ids: Mapping[str, str], tmp_path: Path) -> None:
    run("reindex")
    assert document("export", str(tmp_path / "a"))["counts"]["vector"] > 0
    assert "vector" not in document("export", str(tmp_path / "b"), "--no-vectors")["counts"]


def test_a_tenant_of_whom_nothing_is_kept_is_no_archive(
    ids: Mapping[str, str], tmp_path: Path
) -> None:
    archive = tmp_path / "all.jsonl"
    assert error("export", str(archive), "--tenant", "nobody")["code"] == "not_found"
    assert not list(tmp_path.glob("all*"))
    assert document("export", str(archive), "--tenant", "local")["counts"]["context"] == len(ids)


@pytest.mark.skipif(sys.platform == "win32", reason="a shell of another kind")
def test_a_pipe_carries_it_with_nothing_else(ids: Mapping[str, str], tmp_path: Path) -> None:
    piped = shell(f"lineal export - | lineal import - --json --home '{tmp_path}/other'")
    assert json.loads(piped.stdout)["kinds"]["context"]["kept"] == len(ids)
    assert "records written to -" in piped.stderr
    packed = shell(
        f"lineal export - 2>/dev/null | gzip | lineal import - --home '{tmp_path}/third'"
    )
    assert packed.returncode == 0
    assert "already there" in packed.stdout


@pytest.mark.skipif(not FULL.exists(), reason="no device that is always full")
def test_a_full_disk_leaves_no_archive(ids: Mapping[str, str]) -> None:
    done = shell(f"lineal export - >{FULL}")
    assert done.returncode == 1
    assert "No space left on device" in done.stderr


def test_what_is_there_already_is_passed_over(ids: Mapping[str, str], tmp_path: Path) -> None:
    archive, other = tmp_path / "all.jsonl", tmp_path / "other"
    run("export", str(archive))
    imported(archive, other)
    told = imported(archive, other)["kinds"]
    assert {each["kept"] for each in told.values()} == {0}
    assert told["context"]["already_there"] == told["context"]["read"] == len(ids)


@pytest.mark.parametrize("packed", ["", ".gz"])
def test_a_cut_off_archive_says_where_and_the_whole_one_goes_on(
    ids: Mapping[str, str], tmp_path: Path, packed: str
) -> None:
    archive, part = tmp_path / f"all{packed}", tmp_path / "part"
    run("export", str(archive))
    whole = archive.read_bytes()
    part.write_bytes(whole[: len(whole) * 3 // 4])
    told = error("import", str(part), "--home", str(tmp_path / "other"))
    assert "cut off after line" in told["message"]
    assert told["details"]["line"] > 1
    kinds = imported(archive, tmp_path / "other")["kinds"]
    assert sum(each["already_there"] for each in kinds.values()) > 0
    assert document("verify", "--home", str(tmp_path / "other"))["ok"] is True


@pytest.mark.parametrize("content", [b"", b"hello\n", b'{"kind": "context"}\n', b"\x1f\x8bno gzip"])
def test_a_foreign_file_is_refused_and_makes_no_store(tmp_path: Path, content: bytes) -> None:
    foreign = tmp_path / "foreign"
    foreign.write_bytes(content)
    told = error("import", str(foreign), "--home", str(tmp_path / "other"))
    assert (told["code"], told["details"]["field"]) == ("invalid_request", "source")
    assert not (tmp_path / "other").exists()


def test_a_newer_archive_is_refused_with_what_to_do(ids: Mapping[str, str], tmp_path: Path) -> None:
    archive = tmp_path / "all.jsonl"
    run("export", str(archive))
    archive.write_bytes(archive.read_bytes().replace(b'"version":1,', b'"version":2,', 1))
    told = error("import", str(archive), "--home", str(tmp_path / "other"))
    assert "upgrade lineal" in told["message"]
    assert not (tmp_path / "other").exists()


def test_another_memory_under_the_same_id_is_a_conflict(
    ids: Mapping[str, str], tmp_path: Path
) -> None:
    archive, other = tmp_path / "all.jsonl", tmp_path / "other"
    run("export", str(archive))
    imported(archive, other)
    assert run("forget", ids["note"], "--yes", "--home", str(other)).exit_code == 0
    told = error("import", str(archive), "--home", str(other))
    assert (told["code"], told["details"]["context_id"]) == ("conflict", ids["note"])


def test_damage_stops_an_export_unless_it_is_to_be_skipped(
    ids: Mapping[str, str], home: Path, tmp_path: Path
) -> None:
    archive = tmp_path / "all.jsonl"
    with closing(apsw.Connection(str(home / "lineal.db"))) as file:
        file.execute("UPDATE context SET occurred_at = 0 WHERE context_id = ?", (ids["note"],))
    told = error("export", str(archive))
    assert ids["note"] in told["message"]
    assert "--skip-damaged" in told["message"]
    assert not list(tmp_path.glob("all*"))
    assert document("export", str(archive), "--skip-damaged")["left_out"] == [ids["note"]]
    assert imported(archive, tmp_path / "other")["left_out"] == [ids["note"]]
    assert ids["note"] in run("import", str(archive), "--home", str(tmp_path / "third")).stdout


@pytest.mark.parametrize("backend", ["memory://", "mem0-server://localhost:9"])
def test_a_backend_that_cant_take_it_in_refuses(
    ids: Mapping[str, str], tmp_path: Path, backend: str
) -> None:
    archive = tmp_path / "all.jsonl"
    run("export", str(archive))
    told = error("import", str(archive), "--backend", backend)
    assert told["code"] == "unsupported"


def test_help_says_that_the_file_holds_everything() -> None:
    told = " ".join(CliRunner().invoke(cli, ["export", "--help"]).stdout.split())
    assert "can read every memory" in told
    assert "goes on when it is run again" in " ".join(run("import", "--help").stdout.split())
