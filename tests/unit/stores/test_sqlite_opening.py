"""Opening: which library, whose file, which version, and many processes at once."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

import apsw
import pytest

from lineal.errors import LinealError
from lineal.stores.sqlite import SqliteStore
from lineal.stores.sqlite.connection import require_safe_library
from lineal.stores.sqlite.migrate import migrate
from lineal.stores.sqlite.schema import MIGRATIONS, VERSION

from .sqlite_rooms import always, note, opened, other_process, read, refusal, said


@pytest.mark.parametrize(
    "version", ["3.51.3", "3.51.10", "3.52.0", "3.54.1", "4.0.0", "3.50.7", "3.50.9", "3.44.6"]
)
def test_a_sqlite_without_the_wal_reset_bug_is_taken(version: str) -> None:
    require_safe_library(version)


@pytest.mark.parametrize(
    "version", ["3.51.2", "3.51.0", "3.50.6", "3.49.9", "3.45.1", "3.44.5", "3.40.1", "3.7.0"]
)
def test_a_sqlite_with_the_wal_reset_bug_is_refused_by_name(version: str) -> None:
    with pytest.raises(LinealError, match=version) as caught:
        require_safe_library(version)
    assert not caught.value.retryable


async def test_opening_twice_is_harmless(tmp_path: Path) -> None:
    async with opened(tmp_path / "m.db") as store:
        await note(store, "ctx_1")
        await store.open()
        assert "ctx_1" in (await read(store, "ctx_1")).contexts


async def test_a_closed_store_says_so_and_can_be_opened_again(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "m.db", clock=always())
    await store.open()
    await note(store, "ctx_1")
    await store.close()
    with pytest.raises(LinealError, match="closed"):
        await read(store, "ctx_1")
    with pytest.raises(LinealError, match="closed"):
        await note(store, "ctx_2")
    await store.open()
    assert "ctx_1" in (await read(store, "ctx_1")).contexts
    await store.close()


async def test_a_path_with_any_characters_works(tmp_path: Path) -> None:
    path = tmp_path / "my ?#%41 dir ✓" / "m&b=1.db"
    async with opened(path) as store:
        await note(store, "ctx_1")
    async with opened(path) as store:
        assert "ctx_1" in (await read(store, "ctx_1")).contexts
    assert path.stat().st_size > 0


def set_version(path: Path, version: int) -> None:
    connection = apsw.Connection(str(path))
    connection.pragma("user_version", version)
    connection.close()


async def test_a_newer_file_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    async with opened(path) as store:
        await note(store, "ctx_1")
    set_version(path, VERSION + 1)
    before = path.read_bytes()
    error = await refusal(SqliteStore(path, clock=always()))
    assert "newer lineal" in error.message
    assert "upgrade" in error.message
    assert not error.retryable
    assert path.read_bytes() == before


async def test_a_file_migrated_while_it_is_open_takes_no_more_writes(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    async with opened(path) as store:
        await note(store, "ctx_1")
        set_version(path, VERSION + 1)
        with pytest.raises(LinealError, match="newer lineal"):
            await note(store, "ctx_2")
        assert "ctx_1" in (await read(store, "ctx_1")).contexts


@pytest.mark.parametrize("application", [0, 0x42])
async def test_another_programs_file_is_left_as_it_is(tmp_path: Path, application: int) -> None:
    path = tmp_path / "m.db"
    connection = apsw.Connection(str(path))
    connection.pragma("application_id", application)
    connection.execute("CREATE TABLE theirs (a)")
    connection.close()
    before = path.read_bytes()
    error = await refusal(SqliteStore(path, clock=always()))
    assert "another program's database" in error.message
    assert path.read_bytes() == before


async def test_what_is_no_database_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    path.write_bytes(b"Dear diary, " * 1000)
    error = await refusal(SqliteStore(path, clock=always()))
    assert "damaged" in error.message
    assert path.read_bytes() == b"Dear diary, " * 1000


async def test_each_migration_runs_once_and_keeps_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    async with opened(path) as store:
        await note(store, "ctx_1")
    connection = apsw.Connection(str(path))
    for _ in range(2):
        migrate(
            connection,
            always(),
            (*MIGRATIONS, "CREATE TABLE next (a); INSERT INTO next VALUES (1)"),
        )
    assert connection.pragma("user_version") == VERSION + 1
    assert connection.execute("SELECT count(*) FROM next").get == 1
    assert connection.execute("SELECT count(*) FROM context").get == 1
    connection.close()


async def test_a_migration_that_fails_has_done_nothing(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    async with opened(path):
        pass
    connection = apsw.Connection(str(path))
    with pytest.raises(apsw.SQLError):
        migrate(connection, always(), (*MIGRATIONS, "CREATE TABLE next (a); BROKEN"))
    assert connection.pragma("user_version") == VERSION
    assert not connection.table_exists(None, "next")
    connection.close()


@pytest.mark.slow
async def test_eight_processes_make_the_same_file_at_the_same_instant(tmp_path: Path) -> None:
    rounds = 30
    start = time.time() + 4.0
    with contextlib.ExitStack() as running:
        crowd = [
            running.enter_context(other_process("opens", tmp_path, start, rounds)) for _ in range(8)
        ]
        names = [said(process) for process in crowd]
    assert [len(told) for told in names] == [rounds] * 8
    for number in range(rounds):
        async with opened(tmp_path / f"{number}.db") as store:
            written = [told[number] for told in names]
            assert set((await read(store, *written)).contexts) == set(written)
            assert (await store.verify()).ok
