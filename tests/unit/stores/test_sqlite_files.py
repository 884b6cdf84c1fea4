"""Where the store's files may lie, who can read them, and whether they are still the same."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from lineal.errors import ErrorCode, LinealError
from lineal.models.search import TextQuery
from lineal.stores.sqlite import SqliteStore
from lineal.stores.sqlite.files import StoreFiles, network_filesystem
from lineal.testing.samples import ADA

from .sqlite_rooms import always, files_of, note, opened, other_process, read, refusal, said

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_every_file_is_private(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        async with opened(tmp_path / "made" / "m.db") as store:
            await note(store, "ctx_1")
            await store.backup(tmp_path / "copy.db")
            names = {path.name: mode(path) for path in files_of(store.path)}
    finally:
        os.umask(old)
    assert names == dict.fromkeys(["m.db", "m.db-shm", "m.db-wal", "m.db.id", "m.db.queue"], 0o600)
    assert mode(tmp_path / "made") == 0o700
    assert mode(tmp_path / "copy.db") == 0o600


async def test_a_directory_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    os.mkdir(tmp_path / "mine", 0o750)
    async with opened(tmp_path / "mine" / "m.db"):
        assert mode(tmp_path / "mine") == 0o750


@pytest.mark.parametrize("suffix", ["", ".queue", ".id"])
async def test_a_symbolic_link_is_refused(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"m.db{suffix}").symlink_to(tmp_path / "elsewhere")
    error = await refusal(SqliteStore(tmp_path / "m.db", clock=always()))
    assert "symbolic link" in error.message
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("change", ["removed", "moved", "replaced"])
async def test_nothing_is_acknowledged_into_a_file_that_was(tmp_path: Path, change: str) -> None:
    path = tmp_path / "m.db"
    async with opened(path) as store:
        await note(store, "ctx_1")
        assert "ctx_1" in (await read(store, "ctx_1")).contexts
        if change == "removed":
            path.unlink()
        else:
            path.rename(tmp_path / "away.db")
        if change == "replaced":
            path.write_bytes((tmp_path / "away.db").read_bytes())
        with pytest.raises(LinealError, match="moved or replaced") as caught:
            await note(store, "ctx_2")
        assert not caught.value.retryable
        assert "ctx_1" in (await read(store, "ctx_1")).contexts


async def test_a_file_that_took_the_place_is_not_read(tmp_path: Path) -> None:
    async with opened(tmp_path / "other.db") as other:
        await note(other, "ctx_other")
    async with opened(tmp_path / "m.db") as store:
        await note(store, "ctx_1")
        (tmp_path / "other.db").replace(tmp_path / "m.db")
        with pytest.raises(LinealError, match="moved or replaced"):
            await read(store, "ctx_other")


async def test_an_emptied_file_is_a_lost_store_and_no_new_one(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    async with opened(path) as store:
        await note(store, "ctx_1")
    path.write_bytes(b"")
    error = await refusal(SqliteStore(path, clock=always()))
    assert "Restore a backup" in error.message
    assert not error.retryable
    assert path.stat().st_size == 0


async def test_a_missing_file_is_a_lost_store_until_its_marker_is_gone_too(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    async with opened(path) as store:
        await note(store, "ctx_1")
    path.unlink()
    error = await refusal(SqliteStore(path, clock=always()))
    assert "is missing" in error.message
    assert not path.exists()
    (tmp_path / "m.db.id").unlink()
    async with opened(path) as store:
        assert (await store.find(ADA, TextQuery())).matched == 0


async def test_a_missing_marker_is_written_again(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    async with opened(path) as store:
        await note(store, "ctx_1")
    marker = StoreFiles(path).marker
    text = marker.read_text()
    marker.unlink()
    async with opened(path) as store:
        assert "ctx_1" in (await read(store, "ctx_1")).contexts
    assert marker.read_text() == text


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("server:/x /data nfs4 rw 0 0", "nfs4"),
        ("//server/x /data cifs rw 0 0", "cifs"),
        ("me@host: /data fuse.sshfs rw 0 0", "fuse.sshfs"),
        ("share /data 9p rw 0 0", "9p"),
        ("/dev/sda1 /data ext4 rw 0 0", None),
        ("/dev/sdb1 /data fuseblk rw 0 0", None),
        ("server:/x /dat nfs4 rw 0 0", None),
    ],
)
def test_a_network_file_system_is_told_by_the_longest_mount(line: str, kind: str | None) -> None:
    table = f"/dev/root / ext4 rw 0 0\n{line}\n"
    assert network_filesystem(Path("/data/lineal"), table) == kind


def test_a_local_mount_inside_a_network_one_is_local() -> None:
    table = "host:/ /data nfs rw 0 0\n/dev/sda1 /data/my\\040disk ext4 rw 0 0\nbroken\n"
    assert network_filesystem(Path("/data/my disk/m"), table) is None
    assert network_filesystem(Path("/data/my"), table) == "nfs"


def nfs_mounts(directory: Path) -> Path:
    """A table in which that directory comes from a server."""
    mounts = directory / "mounts"
    mounts.write_text(f"server:/x {directory.resolve()} nfs4 rw 0 0\n")
    return mounts


async def test_a_store_on_a_network_file_system_is_refused_unless_asked(tmp_path: Path) -> None:
    mounts = nfs_mounts(tmp_path)
    path = tmp_path / "store" / "m.db"
    error = await refusal(SqliteStore(path, clock=always(), mounts=mounts))
    assert "LINEAL_ALLOW_NETWORK_FS" in error.message
    assert not path.exists()
    async with opened(path, mounts=mounts, allow_network_fs=True) as store:
        await note(store, "ctx_1")


def as_nobody(command: str, path: Path, *words: str) -> list[object]:
    """What sqlite_process.py says when nobody runs it."""
    with other_process("as_nobody", path, command, *words) as process:
        return said(process)


@pytest.fixture
def public(tmp_path: Path) -> Path:
    """A directory that everybody may enter, unlike those that pytest makes."""
    for parent in (tmp_path, *tmp_path.parents):
        if parent.owner() == "root" and parent != Path("/") and not mode(parent) & 0o005:
            parent.chmod(mode(parent) | 0o055)
    return tmp_path


@as_root
@pytest.mark.parametrize("file_mode", [0o644, 0o666])
async def test_a_store_of_somebody_else_can_be_read_and_not_written(
    public: Path, file_mode: int
) -> None:
    """A file that may be written is of no use in a directory that may not: it needs a log."""
    path = public / "m.db"
    async with opened(path) as store:
        await note(store, "ctx_1")
    path.chmod(file_mode)
    before = path.read_bytes()
    seen, refused = as_nobody("reads_only", path, "ctx_1")
    assert seen == {"read_only": True, "seen": ["ctx_1"]}
    assert isinstance(refused, dict)
    assert refused["code"] == ErrorCode.UNAVAILABLE
    assert "read-only store" in refused["message"]
    assert not refused["retryable"]
    assert path.read_bytes() == before


@as_root
async def test_a_directory_of_somebody_else_is_refused(public: Path) -> None:
    theirs = public / "theirs"
    theirs.mkdir(mode=0o777)
    theirs.chmod(0o777)
    os.chown(theirs, 12345, 12345)
    (refused,) = as_nobody("reads_only", theirs / "m.db", "ctx_1")
    assert isinstance(refused, dict)
    assert "belongs to another user" in refused["message"]
    assert os.listdir(theirs) == []


async def test_a_store_opened_to_read_refuses_writes(tmp_path: Path) -> None:
    path = tmp_path / "m.db"
    async with opened(path) as store:
        await note(store, "ctx_1")
        async with opened(path, read_only=True) as watcher:
            assert watcher.read_only
            assert "ctx_1" in (await read(watcher, "ctx_1")).contexts
            await note(store, "ctx_2")
            assert "ctx_2" in (await read(watcher, "ctx_2")).contexts
            with pytest.raises(LinealError, match="read-only store"):
                await note(watcher, "ctx_3")


async def test_reading_what_is_not_there_makes_nothing(tmp_path: Path) -> None:
    error = await refusal(SqliteStore(tmp_path / "m.db", clock=always(), read_only=True))
    assert "no store" in error.message
    assert os.listdir(tmp_path) == []
