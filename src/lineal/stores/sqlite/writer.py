"""The one thread of a process that writes: it queues fairly and commits in groups."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import apsw

from lineal.clock import Clock
from lineal.errors import LinealError
from lineal.policy.expiry import ClockMark, advance, present
from lineal.stores.sqlite import trouble
from lineal.stores.sqlite.files import StoreFiles
from lineal.stores.sqlite.meta import Meta, read_meta, write_mark
from lineal.stores.sqlite.migrate import require_version
from lineal.stores.sqlite.promise import Job, attempted
from lineal.stores.sqlite.turn import Turn

__all__ = ["Transaction", "Writer"]

Result = TypeVar("Result")

BATCH_MAX = 64
"""Most jobs of one transaction: they share its one sync to disk."""

BATCH_S = 0.05
"""No further job joins a transaction that is this old, so that other processes get their turn."""

IDLE_S = 2.0
"""After so long without a write the log is folded into the database and emptied."""

ERASED_RETRY_S = 1.0
"""How soon emptying the log is tried again while it still holds what was erased."""


@dataclass
class Transaction:
    """One write transaction as its jobs see it.

    wrote: something is to be kept. erased: content was taken out, so the log must be emptied too.
    """

    connection: apsw.Connection
    clock: Clock
    meta: Meta
    wrote: bool = False
    erased: bool = False

    def now(self) -> datetime:
        """The store's present; each asking moves its record of time along with the clock."""
        wall = self.clock.now()
        self.believe(advance(self.meta.mark, wall))
        return present(self.meta.mark, wall)

    def believe(self, mark: ClockMark) -> None:
        self.meta = self.meta._replace(mark=mark)


WriteJob = Job[Transaction, Any]


@dataclass
class _Batch:
    """The jobs of one transaction, and what becomes of each: a result or an error."""

    outcomes: list[tuple[WriteJob, Any, Exception | None]] = field(default_factory=list)

    def add(self, job: WriteJob, result: Any = None, error: Exception | None = None) -> None:
        self.outcomes.append((job, result, error))

    def fail(self, error: Exception) -> None:
        """None of it was kept, or nobody knows: each job that had succeeded has failed too."""
        self.outcomes = [(job, None, own or error) for job, _, own in self.outcomes]

    def settle(self) -> None:
        for job, result, error in self.outcomes:
            if error is None:
                job.keep(result)
            else:
                job.fail(error)


class Writer:
    """Runs jobs, each in a savepoint of a transaction that other jobs may share.

    The thread is a daemon: a process may exit while it waits for its turn, having written nothing.
    """

    def __init__(
        self, connection: apsw.Connection, turn: Turn, files: StoreFiles, clock: Clock
    ) -> None:
        self._connection = connection
        self._turn = turn
        self._files = files
        self._clock = clock
        self._jobs: queue.SimpleQueue[WriteJob | None] = queue.SimpleQueue()
        self._erased = False
        self._known: tuple[int, Meta] | None = None  # SQLite's data_version, and what it came with
        self._doubtful = False
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="lineal-writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, run: Callable[[Transaction], Result]) -> Job[Transaction, Result]:
        """From inside an event loop; await the job's outcome()."""
        job: Job[Transaction, Result] = Job(run)
        self._jobs.put(job)
        return job

    def stop(self, timeout_s: float) -> None:
        """Finish what was submitted and close the connection; blocks for at most timeout_s."""
        self._jobs.put(None)
        self._thread.join(timeout_s)

    def _work(self) -> None:
        while not self._stopping:
            job = self._next()
            while job is not None and not job.claimed:
                job = None if self._turn_of(job) else job
        self._empty_log()
        self._connection.close()
        self._turn.close()

    def _next(self) -> WriteJob | None:
        """The next job, folding the log meanwhile when there is none; None to stop."""
        wait_s: float | None = ERASED_RETRY_S if self._erased else IDLE_S
        while True:
            try:
                job = self._jobs.get(timeout=wait_s)
            except queue.Empty:
                self._empty_log()
                wait_s = ERASED_RETRY_S if self._erased else None
            else:
                self._stopping = job is None
                return job

    def _turn_of(self, first: WriteJob) -> bool:
        """Write when our turn comes; False when SQLite was busy all the same, to try again."""
        batch = _Batch()
        _, error = attempted(partial(self._in_turn, first, batch))
        if isinstance(error, apsw.BusyError | apsw.LockedError) and not batch.outcomes:
            return False
        if error is not None and first.claim():
            batch.add(first, error=_known(trouble.with_errno(error, self._connection)))
        batch.settle()
        return True

    def _in_turn(self, first: WriteJob, batch: _Batch) -> None:
        with self._turn:
            self._transact(first, batch)
            if self._erased:
                self._truncate()

    def _transact(self, first: WriteJob, batch: _Batch) -> None:
        """Raises before any job was claimed, or accounts for every claimed one in `batch`."""
        self._files.require_same()
        if self._doubtful:
            self._settle_log()
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            known = self._meta()
            transaction = Transaction(self._connection, self._clock, known)
            self._run_all(first, transaction, batch)
            if transaction.wrote:
                self._commit(transaction, known, batch)
        except Exception as error:
            batch.fail(_known(error))
            raise
        finally:
            self._roll_back()

    def _meta(self) -> Meta:
        """The store's record of itself, read anew only after another process has written."""
        version: int = self._connection.pragma("data_version")
        if self._known is None or self._known[0] != version:
            require_version(self._connection)
            self._known = version, read_meta(self._connection)
        return self._known[1]

    def _commit(self, transaction: Transaction, known: Meta, batch: _Batch) -> None:
        try:
            if transaction.meta != known:
                write_mark(self._connection, transaction.meta)
            self._connection.execute("COMMIT")
            self._files.require_same()
        except LinealError as error:
            self._known = None
            batch.fail(error)
        except (apsw.Error, OSError) as error:
            self._known = None
            self._doubtful = True
            trouble.with_errno(error, self._connection)
            batch.fail(_from(trouble.outcome_unknown(error), error))
        else:
            self._erased = self._erased or transaction.erased
            if self._known is not None:
                self._known = self._known[0], transaction.meta

    def _roll_back(self) -> None:
        """End a transaction that isn't to be kept; one that can't even be ended isn't kept."""
        if self._connection.in_transaction:
            with contextlib.suppress(apsw.Error):
                self._connection.execute("ROLLBACK")

    def _run_all(self, first: WriteJob, transaction: Transaction, batch: _Batch) -> None:
        """Claim and run `first` and those that wait behind it."""
        until = time.monotonic() + BATCH_S
        job: WriteJob | None = first
        while job is not None:
            if job.claim() and not self._run(job, transaction, batch):
                return
            full = len(batch.outcomes) >= BATCH_MAX or time.monotonic() >= until
            job = None if full else self._waiting()

    def _waiting(self) -> WriteJob | None:
        try:
            job = self._jobs.get_nowait()
        except queue.Empty:
            return None
        self._stopping = job is None
        return job

    def _run(self, job: WriteJob, transaction: Transaction, batch: _Batch) -> bool:
        """One job, in a savepoint unless it is alone so far, when the transaction can be undone
        instead; False when its failure took the whole transaction with it."""
        wrote, erased = transaction.wrote, transaction.erased
        alone = not batch.outcomes and self._jobs.empty()
        run = partial(job.run, transaction) if alone else partial(self._saved, job, transaction)
        result, error = attempted(run)
        if error is None:
            batch.add(job, result)
            return True
        failure = _known(trouble.with_errno(error, self._connection))
        batch.add(job, error=failure)
        transaction.wrote, transaction.erased = wrote, erased
        return False if alone else self._roll_back_job(batch, failure)

    def _saved(self, job: WriteJob, transaction: Transaction) -> object:
        self._connection.execute("SAVEPOINT job")
        result: object = job.run(transaction)
        self._connection.execute("RELEASE job")
        return result

    def _roll_back_job(self, batch: _Batch, error: Exception) -> bool:
        """Undo one job. Some errors of the engine end the whole transaction by themselves."""
        if self._connection.in_transaction:
            with contextlib.suppress(apsw.Error):
                self._connection.execute("ROLLBACK TO job")
                self._connection.execute("RELEASE job")
                return True
        batch.fail(error)
        return False

    def _empty_log(self) -> None:
        """Fold the log into the database; what hinders it now will be gone another time."""
        if self._files.wal_bytes() == 0:
            self._erased = False
            return
        with contextlib.suppress(OSError, LinealError), self._turn:
            self._files.require_same()
            self._truncate()

    def _settle_log(self) -> None:
        """After a failed sync the kernel may call clean what isn't on disk, and a later sync would
        succeed over the gap. So fold the log into the database before anything is added to it."""
        blocked, _, _ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()[0]
        if blocked:
            raise apsw.BusyError("a reader still needs the log")
        self._doubtful = False

    def _truncate(self) -> None:
        """Empty the log, and with it what was erased, unless a reader still needs it."""
        with contextlib.suppress(apsw.Error):
            blocked = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            self._erased = self._erased and (blocked is None or blocked[0] != 0)


def _known(error: Exception) -> Exception:
    """Foreign errors in the house's words; everything else as it is."""
    if isinstance(error, apsw.Error | OSError | UnicodeDecodeError):
        return _from(trouble.translated(error), error)
    return error


def _from(error: LinealError, cause: Exception) -> LinealError:
    error.__cause__ = cause
    return error
