"""The witness: what this machine's clients tell and write down of their sessions."""

from __future__ import annotations

import os
import re
import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import anyio

from lineal.capture import ledgers, told
from lineal.capture.cursor import CursorCalls
from lineal.capture.joining import Account, evidence_of, known_of, reads_since
from lineal.capture.places import Places
from lineal.capture.seen import UNNAMED, CallSeen, ReadSeen
from lineal.capture.sessions import Session
from lineal.clock import Clock, to_ms
from lineal.models.changes import Call
from lineal.models.lineage import Evidence, ModelSeen, ToolCall

__all__ = ["LEDGER_DAYS", "SessionWitness"]

K = TypeVar("K")
V = TypeVar("V")

SESSIONS_MAX = 16
"""Sessions that are watched at once; the one longest unused goes first. With their transcripts they
stay well below the 1,024 files that a process may have open."""

CONNECTIONS_MAX = 1_024
"""Connections whose reads and sessions are remembered."""

READS_MAX = 256
"""Reads of one session that are remembered, the latest."""

SERVED_MAX = 4_096
_OURS = re.compile(r"mcp__(?:\w+_)?lineal__(\w+)")
"""A client's name of a tool of a server called lineal."""

LEDGER_DAYS = 30
"""A session's ledger goes when nothing was added to it for so long."""

CLAUDE = "claude-code"
CURSOR = "cursor"


class SessionWitness:
    """Watches the sessions of one machine's user.

    home: the data directory, where ledgers lie. places: where Claude Code writes its transcripts,
    None: they aren't looked at. persists: whether anything is written to ledgers.
    clock: the wall clock, which hooks and clients go by, whatever the store's time is.
    """

    def __init__(
        self, home: Path, clock: Clock, places: Places | None, *, persists: bool = True
    ) -> None:
        self._home = str(home)
        self._clock = clock
        self._places = places
        self._persists = persists
        self._me = secrets.token_hex(4)
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._reads: OrderedDict[tuple[str, str], list[ReadSeen]] = OrderedDict()
        self._now_in: OrderedDict[str, str] = OrderedDict()
        self._served: OrderedDict[str, str] = OrderedDict()
        self._cursor = CursorCalls(self._home, clock)
        self._lock = threading.Lock()
        self._one = anyio.Lock()

    def saw(self, call: Call, context_ids: Iterable[str]) -> None:
        asked = call.evidence
        self._serves(asked)
        ids = tuple(dict.fromkeys(context_ids))
        if not ids:
            return
        at_ms, use = to_ms(self._clock.now()), asked.tool_use_id
        session = self._session_of(call)
        reads = self._reads.setdefault(_key(call), [])
        reads.append(ReadSeen(use, at_ms, ids, self._me, asked.tool, asked.input_hash, session))
        del reads[:-READS_MAX]
        self._reads.move_to_end(_key(call))
        _bound(self._reads, CONNECTIONS_MAX)
        if session is not None:
            record = {"at": at_ms, "client": CLAUDE, "event": "read", "session": session}
            line = {**record, "ids": ids[:64], "by": self._me, **({"use": use} if use else {})}
            self._write(CLAUDE, session, line)

    def told(self, call: Call, event: Mapping[str, object]) -> None:
        """Only Claude Code's hooks come this way: another client's model has no word in it."""
        if not _is_claude(call.evidence):
            return
        record = told.of_claude(dict(event), to_ms(self._clock.now()))
        if record is None:
            return
        session = str(record["session"])
        self._now_in[call.session] = session
        _bound(self._now_in, CONNECTIONS_MAX)
        self._write(CLAUDE, session, record)

    def account(self, call: Call) -> Evidence:
        again = call.evidence.tool_use_id in self._served
        asked = self._begun(call)
        if _is_cursor(asked):
            return self._of_cursor(asked, self._mine(call))
        session = self._session_of(call)
        if session is None:
            return asked.model_copy(update={"read_ids": reads_since(self._mine(call), None)})
        self._now_in.setdefault(call.session, session)
        asked = asked.model_copy(update={"session_id": session})
        if not self._lock.acquire(blocking=False):  # a long file is being read: later, then
            read_ids = reads_since(self._mine(call), None)
            awaits = asked.tool_use_id is not None
            return asked.model_copy(update={"read_ids": read_ids, "awaits": awaits})
        try:
            watched = self._watched(session)
            account = watched.glance(asked.tool_use_id, only_told=again)
            return self._with(asked, account, watched, self._mine(call))
        finally:
            self._lock.release()

    async def later(self, seen: Evidence) -> Evidence:
        if _is_cursor(seen):
            return self._of_cursor(seen, self._reads_in(None))
        mine = self._reads_in(seen.session_id)  # here, since the loop's thread adds to them
        async with self._one:
            return await anyio.to_thread.run_sync(self._look, seen, mine)

    async def warm(self, session: str | None) -> None:
        """Read what is written of a session already, before its first write asks for it."""
        if session is not None:
            await anyio.to_thread.run_sync(self._warm, session)

    def tidy(self) -> int:
        """Take out ledgers of sessions long over, if anything may be written; how many."""
        if not self._persists:
            return 0
        oldest_s = to_ms(self._clock.now()) / 1000 - LEDGER_DAYS * 86_400
        try:
            with os.scandir(ledgers.directory(self._home)) as entries:
                paths = [entry.path for entry in entries]
        except OSError:
            return 0
        return sum(_gone(path, oldest_s) for path in paths)

    def close(self) -> None:
        with self._lock:
            for session in self._sessions.values():
                session.close()
            self._sessions.clear()
        self._cursor.close()

    def _begun(self, call: Call) -> Evidence:
        """The call's evidence with the call itself, as it came here."""
        asked = call.evidence
        self._serves(asked)
        own = ToolCall(
            id=asked.tool_use_id,
            tool=asked.tool,
            at=self._clock.now(),
            input_hash=asked.input_hash,
        )
        return asked.model_copy(update={"calls": (own,)})

    def _serves(self, asked: Evidence) -> None:
        """Remember how our own tool of this call is named."""
        if asked.tool_use_id is not None:
            self._served[asked.tool_use_id] = asked.tool
            _bound(self._served, SERVED_MAX)

    def _of_cursor(self, asked: Evidence, reads: list[ReadSeen]) -> Evidence:
        """Of the conversations of a window, all on one connection, only that of the call itself
        counts: what was read in one isn't known in another. Without hooks all that was read is
        supposed to have been, as of other clients."""
        heard = self._cursor.find(asked)
        if heard.found is None:
            read_ids = () if heard.any else reads_since(reads, None)
            return asked.model_copy(update={"awaits": heard.awaits, "read_ids": read_ids})
        account = heard.found.account
        use = account.call.use
        update = {
            "tool_use_id": None if use.startswith(UNNAMED) else use,
            "read_ids": self._cursor.read_before(heard.found, reads),
            "awaits": False,
        }
        return evidence_of(asked, account, self._named).model_copy(update=update)

    def _warm(self, session: str) -> None:
        with self._lock:
            self._watched(session).warm()

    def _look(self, seen: Evidence, mine: list[ReadSeen]) -> Evidence:
        """Everything, wherever it stands; in a thread."""
        if seen.session_id is None or seen.tool_use_id is None:
            return seen.model_copy(update={"awaits": False})
        with self._lock:
            watched = self._watched(seen.session_id)
            now_s = to_ms(self._clock.now()) / 1000
            siblings = self._places.siblings(now_s) if self._places else []
            account = watched.look(seen.tool_use_id, siblings)
            found = self._with(seen, account, watched, mine)
            reads = [*mine, *self._theirs(watched)]
            return found.model_copy(update={"read_ids": _still(seen, found, reads)})

    def _with(
        self, asked: Evidence, account: Account | None, watched: Session, mine: list[ReadSeen]
    ) -> Evidence:
        known = known_of(asked, account, self._named) if account else {}
        written = account is not None and account.model_seen is ModelSeen.TRANSCRIPT
        awaits = asked.tool_use_id is not None and not written and self._places is not None
        reads = [*mine, *self._theirs(watched)]
        read_ids = reads_since(reads, account, watched.began_ms())
        return asked.model_copy(update={**known, "read_ids": read_ids, "awaits": awaits})

    def _mine(self, call: Call) -> list[ReadSeen]:
        return self._reads.get(_key(call), [])

    def _reads_in(self, session: str | None) -> list[ReadSeen]:
        """Reads of this process in a session of the client's; None: where none was known."""
        every = (read for reads in self._reads.values() for read in reads)
        return [read for read in every if read.session == session]

    def _theirs(self, watched: Session) -> list[ReadSeen]:
        """Reads of the same session through other processes, or before this one began."""
        found = watched.ledger.reads if watched.ledger else []
        return [read for read in found if read.by != self._me]

    def _session_of(self, call: Call) -> str | None:
        """The client's session: as its hooks tell, who know better than the environment of a
        server that was started before the session was resumed or cleared."""
        return self._now_in.get(call.session) or call.evidence.session_id

    def _watched(self, name: str) -> Session:
        if name not in self._sessions:
            self._sessions[name] = Session(name, CLAUDE, self._home, self._places)
        self._sessions.move_to_end(name)
        while len(self._sessions) > SESSIONS_MAX:
            self._sessions.popitem(last=False)[1].close()
        return self._sessions[name]

    def _named(self, call: CallSeen) -> str:
        """How a call's tool is named: by our verb where this server did it, or one that the client
        calls lineal; else as the client names it."""
        return self._served.get(call.use) or _plain_name(call.tool or "unknown")

    def _write(self, client: str, session: str, record: Mapping[str, object]) -> None:
        if not self._persists:
            return
        try:
            ledgers.append(self._home, client, session, told.line_of(dict(record)))  # type: ignore[arg-type]
        except OSError:  # a full or read-only disk: then it isn't known later
            return


@lru_cache(maxsize=256)
def _plain_name(tool: str) -> str:
    ours = _OURS.fullmatch(tool)
    return ours[1] if ours else tool


def _still(seen: Evidence, now: Evidence, reads: Iterable[ReadSeen]) -> tuple[str, ...]:
    """The reads that were supposed at the write, without those now known to be of another prompt or
    agent; one of which nothing is known any more stays."""
    known = {name for read in reads for name in read.ids}
    return tuple(i for i in seen.read_ids if i in now.read_ids or i not in known)


def _gone(path: str, oldest_s: float) -> bool:
    """Take out a file that nothing was added to since then; whether it was one."""
    try:
        old = os.lstat(path).st_mtime < oldest_s
        if old:
            os.unlink(path)
    except OSError:
        return False
    return old


def _key(call: Call) -> tuple[str, str]:
    return (call.tenant, call.session)


def _is_cursor(evidence: Evidence) -> bool:
    return (evidence.client_name or "").startswith(CURSOR)


def _is_claude(evidence: Evidence) -> bool:
    return (evidence.client_name or "").startswith("claude")


def _bound(held: OrderedDict[K, V], most: int) -> None:
    while len(held) > most:
        held.popitem(last=False)
