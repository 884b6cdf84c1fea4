"""Reading back what hooks told of a session (told.py says what a record holds)."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from lineal.canonical import digest
from lineal.capture.ledgers import OLD
from lineal.capture.seen import UNNAMED, CallSeen, ReadSeen, Seen, plausible_ms, word
from lineal.capture.tail import Tail

__all__ = ["Ledger"]

READS_MAX = 512
"""Reads of a session that are remembered."""

READ_IDS_MAX = 64
TRANSCRIPTS_MAX = 64

WORDS = ("tool", "session", "prompt", "agent", "agent_type", "model", "label")


class Ledger:
    """Follows one session's ledger, with what was put aside before it.

    model: what the session's start or its last switch of models said, and which of the two.
    transcripts: where hooks said that transcripts are, the latest last.
    A line that isn't a record, or another session's, is passed over.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen = Seen()
        self.model: tuple[str, str] | None = None
        self.prompt: str | None = None
        self.transcripts: OrderedDict[str, None] = OrderedDict()
        self.reads: list[ReadSeen] = []
        self._unnamed = 0
        self._mine: str | None = None
        self._tail = Tail(path, put_aside=True)
        self._before: Tail | None = Tail(path.with_name(path.name + OLD))

    def read(self, bytes_max: int) -> None:
        """Take in new records, in order."""
        if self._before is not None:
            self._take_all(self._before.lines(bytes_max))
            if self._before.behind():
                return
            self._before.close()
            self._before = None
        while bytes_max > 0:
            bytes_max -= 1 + self._take_all(self._tail.lines(bytes_max))
            if not self._tail.behind():
                return

    def close(self) -> None:
        self._tail.close()
        if self._before is not None:
            self._before.close()

    def _take_all(self, lines: list[bytes]) -> int:
        """Their bytes."""
        for line in lines:
            self._take(line)
        return sum(map(len, lines))

    def _take(self, line: bytes) -> None:
        try:
            record = from_json(line)
        except ValueError:
            return
        at_ms = plausible_ms(record.get("at")) if isinstance(record, dict) else None
        if at_ms is None or not self._is_mine(record.get("session")):
            return
        path = record.get("transcript")
        if isinstance(path, str):
            self.transcripts[path] = None
            self.transcripts.move_to_end(path)
            while len(self.transcripts) > TRANSCRIPTS_MAX:
                self.transcripts.popitem(last=False)
        self._event(record, at_ms)

    def _event(self, record: dict[str, Any], at_ms: int) -> None:
        match record.get("event"):
            case "session" | "switch" as event:
                self._model(event, record)
            case "prompt":
                self._prompt(word(record.get("prompt")), at_ms)
            case "before" | "after" as event:
                self._call(record, at_ms, after=event == "after")
            case "read":
                self._read(record, at_ms)

    def _is_mine(self, session: object) -> bool:
        """Whether a record is of the session that the file is named after."""
        if self._mine is None and isinstance(session, str):
            self._mine = session if self.path.name.endswith(f"-{digest(session)}.jsonl") else None
        return session is not None and session == self._mine

    def _model(self, event: str, record: dict[str, Any]) -> None:
        """A session that begins, or goes on, without saying its model may have another now."""
        model = word(record.get("model"))
        if not record.get("agent") and (model is not None or event == "session"):
            self.model = None if model is None else (model, event)

    def _prompt(self, prompt: str | None, at_ms: int) -> None:
        """Background work may announce itself as a prompt of the same name, which it isn't."""
        if prompt is not None and (None, prompt) not in self.seen.began_ms:
            self.prompt = prompt
            self.seen.began(None, prompt, at_ms)

    def _call(self, record: dict[str, Any], at_ms: int, *, after: bool) -> None:
        lasted = plausible_ms(record.get("ms"))
        self._unnamed += 1
        use, ok, words = word(record.get("use")), record.get("ok"), _words(record)
        call = CallSeen(
            use or f"{UNNAMED}{self._unnamed}",
            **words,
            at_ms=max(0, at_ms - (lasted or 0)) if after else at_ms,
            duration_ms=lasted,
            ok=ok if isinstance(ok, bool) else None,
            input_hash=word(record.get("input")),
            ended_ms=at_ms if after else None,
            session_model=self.model if words["agent"] is None else None,
        )
        twin = self._twin(call)
        if twin is not None and use is not None:
            self.seen.unnote(twin)
        elif twin is not None:
            call = call._replace(use=twin)
        (self.seen.note if after else self.seen.made)(call)

    def _twin(self, call: CallSeen) -> str | None:
        """The other name of a call that was seen with and without an id."""
        if call.use in self.seen.calls:
            return None
        return self.seen.twin(call, unnamed=not call.use.startswith(UNNAMED))

    def _read(self, record: dict[str, Any], at_ms: int) -> None:
        listed = record.get("ids")
        ids = [word(name) for name in listed[:READ_IDS_MAX]] if isinstance(listed, list) else []
        if known := tuple(name for name in ids if name is not None):
            by = word(record.get("by"))
            self.reads.append(ReadSeen(word(record.get("use")), at_ms, known, by))
            del self.reads[:-READS_MAX]


def _words(record: dict[str, Any]) -> dict[str, Any]:
    return {name: word(record.get(name)) for name in WORDS}
