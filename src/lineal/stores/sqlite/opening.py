"""Opening a store: what is checked, made and started, and in which order."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from dataclasses import dataclass
from functools import partial

import anyio
import apsw

from lineal.clock import Clock
from lineal.errors import LinealError
from lineal.models.base import rfc3339
from lineal.stores.sqlite import connection as connections
from lineal.stores.sqlite import trouble
from lineal.stores.sqlite.connection import Durability
from lineal.stores.sqlite.files import StoreFiles
from lineal.stores.sqlite.meta import read_meta
from lineal.stores.sqlite.migrate import is_current, migrate, require_ours, require_readable
from lineal.stores.sqlite.promise import attempted
from lineal.stores.sqlite.readers import Readers
from lineal.stores.sqlite.turn import Turn
from lineal.stores.sqlite.writer import Writer

__all__ = ["Opened", "Opening"]


@dataclass(frozen=True)
class Opened:
    """An open store. writer: None when it can only be read. connect: makes a further reader."""

    files: StoreFiles
    writer: Writer | None
    readers: Readers
    connect: Callable[[], apsw.Connection]

    def close(self, timeout_s: float) -> None:
        """Readers first: the log can only be emptied when nobody reads. Blocks."""
        self.readers.stop(timeout_s)
        if self.writer is not None:
            self.writer.stop(timeout_s)


class Opening:
    """A store being opened in a thread, since making a file means waiting for one's turn."""

    def __init__(
        self,
        files: StoreFiles,
        clock: Clock,
        read_only: bool,
        durability: Durability,
        busy_timeout_s: float,
        place: Callable[[bool], None],
        language: str,
    ) -> None:
        self._files = files
        self._clock = clock
        self._read_only = read_only
        self._durability: Durability = durability
        self._busy_timeout_s = busy_timeout_s
        self._place = place
        self._language = language
        self._future: Future[Opened] = Future()
        threading.Thread(target=self._run, name="lineal-open", daemon=True).start()

    @property
    def over(self) -> bool:
        """Nobody needs to wait for it any more."""
        return self._future.done()

    async def outcome(self, timeout_s: float) -> Opened:
        """Raises LinealError; `busy` when another process keeps the turn for longer than that."""
        wait = partial(wait_for, (self._future,), timeout_s)
        done, _ = await anyio.to_thread.run_sync(wait, abandon_on_cancel=True)
        if not done:
            raise trouble.busy(timeout_s)
        return self._future.result()

    def abandon(self) -> None:
        """Nobody wants the store any more: close it as soon as it is open."""
        self._future.add_done_callback(self._close_unwanted)

    def _close_unwanted(self, future: Future[Opened]) -> None:
        if future.exception() is None:
            future.result().close(self._busy_timeout_s)

    def _run(self) -> None:
        opened, error = attempted(self._open)
        if opened is not None:
            self._future.set_result(opened)
        else:
            self._future.set_exception(error)

    @trouble.mapped()
    def _open(self) -> Opened:
        connections.require_safe_library(apsw.sqlite_lib_version())
        to_write = not self._read_only and self._files.writable()
        self._place(to_write)
        return self._open_to_write() if to_write else self._open_to_read()

    def _open_to_write(self) -> Opened:
        turn = Turn(self._files.queue)
        try:
            connection = self._open_made() or self._open_made_now(turn)
        except BaseException:
            turn.close()
            raise
        writer = Writer(connection, turn, self._files, self._clock)
        writer.start()
        return self._opened(writer, immutable=False)

    def _open_made(self) -> apsw.Connection | None:
        """A store with nothing left to make opens without a turn: even while a writer hangs."""
        if not self._files.made():
            return None
        connection = self._connect_writer()
        if is_current(connection):
            self._files.remember()
            return connection
        connection.close()
        return None

    def _open_made_now(self, turn: Turn) -> apsw.Connection:
        """Make or migrate the file, as the only one who does."""
        with turn:
            self._files.refuse_emptied()
            connection = self._connect_writer()
            try:
                require_ours(connection)
                connections.use_wal(connection)
                migrate(connection, self._clock, language=self._language)
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                meta = read_meta(connection)
                self._files.mark(meta.store_id, rfc3339(meta.made_at))
                self._files.remember()
            except BaseException:
                connection.close()
                raise
        return connection

    def _open_to_read(self) -> Opened:
        if not self._files.path.exists():
            raise LinealError.unavailable(
                f"There is no store at '{self._files.path}' and none can be made there.",
                retryable=False,
            )
        # Without a right to make a -shm file only an unchanging file can be read. A log means that
        # it isn't unchanging.
        self._files.remember()
        immutable = not self._files.directory_writable() and not self._files.has_wal()
        opened = self._opened(None, immutable=immutable)
        connection = opened.connect()
        try:
            require_readable(connection)
        finally:
            connection.close()
        return opened

    def _connect_writer(self) -> apsw.Connection:
        path, like = self._files.path, self._files.queue
        connection = connections.writer(path, like, self._durability)
        try:
            require_ours(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _opened(self, writer: Writer | None, *, immutable: bool) -> Opened:
        connect = partial(self._connect_reader, immutable)
        return Opened(self._files, writer, Readers(connect, self._clock), connect)

    def _connect_reader(self, immutable: bool) -> apsw.Connection:
        """A connection to the very file that is open, not to one that has taken its place."""
        self._files.require_same()
        wait = self._busy_timeout_s
        connection = connections.reader(self._files.path, busy_timeout_s=wait, immutable=immutable)
        self._files.require_same()
        return connection
