"""Power cuts, simulated: what was told against what survives when unsynced sectors are lost.

    python tests/processes/power_cut.py [--seeds 150] [--ignore-syncs] [--durability full|normal]

The store writes through a VFS that logs every write, truncation and sync. For each seed a moment
in the log is drawn; each file is rebuilt as of its last sync before that moment, and of what came
after it each 512-byte sector is kept or lost at random. The ordinary store then opens the result.
--ignore-syncs is the control: as if the disk lied, so losses must show. Prints JSON.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import apsw

from lineal.app import local_call, open_service
from lineal.errors import LinealError
from lineal.models.context import AppendContext, GetContext, UpdateContext
from lineal.models.user import UpsertUser
from lineal.settings import Settings

SYSTEM = apsw.vfs_names()[0]
"""The operating system's own VFS."""

SECTOR = 512
WRITES = 40
CHECKPOINT_EVERY = (3, 11, 1_000)
"""After so many writes the log is folded into the database: often, now and then, never."""


@dataclass
class Disk:
    """Everything that was asked of the disk, in order: (file, what, offset, data)."""

    log: list[tuple[str, str, int, bytes]] = field(default_factory=list)

    def note(self, name: str, what: str, offset: int = 0, data: bytes = b"") -> None:
        if not name.endswith("-shm"):
            self.log.append((Path(name).name, what, offset, data))


class LoggedFile(apsw.VFSFile):
    """A file whose changes are noted before they are made."""

    def __init__(self, disk: Disk, name: Any, flags: list[int]) -> None:
        super().__init__(SYSTEM, name, flags)
        self._disk = disk
        self._name = name.filename() if isinstance(name, apsw.URIFilename) else str(name)

    def xWrite(self, data: Any, offset: int) -> None:
        self._disk.note(self._name, "write", offset, bytes(data))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:
        self._disk.note(self._name, "truncate", newsize)
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:
        super().xSync(flags)
        self._disk.note(self._name, "sync")


class LoggedDisk(apsw.VFS):
    """The operating system's VFS with a note of what is done."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        super().__init__("logged", SYSTEM, makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> LoggedFile:
        return LoggedFile(self._disk, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self._disk.note(filename, "delete")
        super().xDelete(filename, syncdir)


@dataclass
class Told:
    """An acknowledged write: from this place in the log on, it must be there."""

    at: int
    context_id: str
    revision: int


async def work(settings: Settings, disk: Disk, checkpoint_every: int) -> list[Told]:
    """Appends and updates; what was acknowledged, and when."""
    told: list[Told] = []
    async with open_service(settings) as service:
        call = local_call(settings, "power")
        await service.upsert_user(call, UpsertUser(user_id="u", domain="notes", fields={"n": 1}))
        for i in range(WRITES):
            text = f"write {i}: " + "the lights may go out at any moment from now on " * (1 + i % 7)
            if i % 4 == 3:
                update = UpdateContext(context_id=told[-1].context_id, content=text)
                revision = (await service.update_context(call, update)).revision
                told.append(Told(len(disk.log), told[-1].context_id, revision))
            else:
                append = AppendContext(user_id="u", domain="notes", content=text)
                answer = await service.append_context(call, append)
                told.append(Told(len(disk.log), answer.context_id, 1))
            if i % checkpoint_every == checkpoint_every - 1:
                other = apsw.Connection(str(settings.home / "lineal.db"))
                other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                other.close()
    return told


def survivors(
    log: list[tuple[str, str, int, bytes]], dice: random.Random, *, ignore_syncs: bool
) -> dict[str, bytes]:
    """The files as a power cut after `log` may leave them."""
    last_sync = (
        {} if ignore_syncs else {n: i for i, (n, what, _, _) in enumerate(log) if what == "sync"}
    )
    files: dict[str, bytearray] = {}
    for place, (name, what, offset, data) in enumerate(log):
        durable = place <= last_sync.get(name, -1)
        if what == "delete":
            files.pop(name, None)
        elif what == "truncate" and (durable or dice.random() < 0.5):
            _resize(files.setdefault(name, bytearray()), offset)
        elif what == "write":
            _write(files.setdefault(name, bytearray()), offset, data, durable, dice)
    return {name: bytes(content) for name, content in files.items()}


def _resize(content: bytearray, size: int) -> None:
    del content[size:]
    content.extend(bytes(size - len(content)))


def _write(
    content: bytearray, offset: int, data: bytes, durable: bool, dice: random.Random
) -> None:
    place = offset
    while place < offset + len(data):
        end = min((place // SECTOR + 1) * SECTOR, offset + len(data))
        if durable or dice.random() < 0.5:
            if len(content) < end:
                _resize(content, end)
            content[place:end] = data[place - offset : end - offset]
        place = end


async def read_back(home: Path, told: list[Told]) -> tuple[int, bool, bool]:
    """(acknowledged but missing, damaged, survivors are a prefix of what was told)."""
    settings = Settings(home=home)
    call = local_call(settings, "power")
    there: list[bool] = []
    try:
        async with open_service(settings) as service:
            for write in told:
                asked = GetContext(context_id=write.context_id, revision=write.revision)
                try:
                    await service.get_context(call, asked)
                    there.append(True)
                except LinealError as error:
                    if error.code != "not_found":
                        raise
                    there.append(False)
            ok = (await service.verify()).ok
    except (LinealError, apsw.Error):
        return len(told), True, False
    return there.count(False), not ok, there == sorted(there, reverse=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=150)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--ignore-syncs", action="store_true")
    parser.add_argument("--durability", choices=("full", "normal"), default="full")
    asked = parser.parse_args()
    disk = Disk()
    vfs = LoggedDisk(disk)
    lost, damaged, not_prefix, cuts = 0, 0, 0, 0
    runs: dict[int, tuple[list[tuple[str, str, int, bytes]], list[Told]]] = {}
    with tempfile.TemporaryDirectory(prefix="lineal-power-") as scratch:
        for every in CHECKPOINT_EVERY:
            disk.log.clear()
            home = Path(scratch) / f"work-{every}"
            told = anyio.run(work, Settings(home=home, durability=asked.durability), disk, every)
            runs[every] = (list(disk.log), told)
        vfs.unregister()
        for seed in range(asked.first, asked.first + asked.seeds):
            dice = random.Random(seed)
            log, told = runs[CHECKPOINT_EVERY[seed % len(CHECKPOINT_EVERY)]]
            cut = dice.randrange(len(log) // 10, len(log) + 1)
            home = Path(scratch) / f"cut-{seed}"
            home.mkdir(mode=0o700)
            files = survivors(log[:cut], dice, ignore_syncs=asked.ignore_syncs)
            for name, content in files.items():
                (home / name).write_bytes(content)
            before = [write for write in told if write.at <= cut]
            missing, broken, prefix = anyio.run(read_back, home, before)
            lost += missing
            damaged += broken
            not_prefix += not prefix
            cuts += 1
    result = {
        "seeds": [asked.first, asked.first + asked.seeds],
        "cuts": cuts,
        "acked_lost": lost,
        "damaged_stores": damaged,
        "not_a_prefix": not_prefix,
        "operations": {every: len(log) for every, (log, _) in runs.items()},
    }
    print(json.dumps(result))  # noqa: T201 - a script


if __name__ == "__main__":
    main()
