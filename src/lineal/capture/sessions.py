"""One client session as it is watched: its ledger and its transcripts."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from pathlib import Path

from lineal.capture.joining import Account, joined
from lineal.capture.ledger import Ledger
from lineal.capture.ledgers import path_of
from lineal.capture.places import Places
from lineal.capture.seen import CallSeen, Seen
from lineal.capture.transcript import START_BYTES, Transcript

__all__ = ["Session"]

GLANCE_BYTES = 131_072
"""Read while a write waits; what is longer is read when nobody waits."""

TRANSCRIPTS_MAX = 16
"""Transcripts of one session that are open at once."""


class Session:
    """Follows what is written down of one session.

    name: the client's id of it. home: the data directory, None: no ledger is read.
    """

    def __init__(self, name: str, client: str, home: str | None, places: Places | None) -> None:
        self.name = name
        self.ledger = Ledger(Path(path_of(home, client, name))) if home else None
        self._places = places
        self._main: Transcript | None = None
        self._others: OrderedDict[Path, Transcript] = OrderedDict()

    def glance(self, use: str | None, *, only_told: bool = False) -> Account | None:
        """What is known at once of a call: new lines of the ledger, and of the transcript that it
        should stand in. only_told: what a transcript says of that id may be of an earlier call."""
        if self.ledger is not None:
            self.ledger.read(GLANCE_BYTES)
        hinted = self._told.calls.get(use) if use else None
        if use is None:
            return None
        main = self._follow_main(everywhere=False)
        if main is not None:
            main.glance(GLANCE_BYTES, use)
            for path in self._hinted_file(main, hinted):
                self._follow(path).glance(GLANCE_BYTES, use)
        return joined(use, None, self._told) if only_told else self._joined(use)

    def look(self, use: str, siblings: Iterable[Path] = ()) -> Account | None:
        """All that is known of a call by now: the session's transcript, its sub-agents', and if it
        stands in none of them its siblings'. Reads long files; not for a loop's thread."""
        if self.ledger is not None:
            self.ledger.read(START_BYTES)
        for path in self._whereabouts(use, siblings):
            transcript = self._follow(path)
            while not transcript.read(START_BYTES):
                pass
            if use in transcript.seen.calls:
                break
        return self._joined(use)

    def began_ms(self) -> int | None:
        """When the prompt began that the session's own agent works on."""
        told = self.ledger.prompt if self.ledger else None
        written = self._main.current() if self._main else None
        for seen, prompt in ((self._told, told), (self._main and self._main.seen, written)):
            if seen and prompt is not None and (None, prompt) in seen.began_ms:
                return seen.began_ms[None, prompt]
        return None

    def warm(self) -> None:
        """Read what is there already."""
        self.look("")

    def close(self) -> None:
        if self.ledger is not None:
            self.ledger.close()
        for transcript in self._others.values():
            transcript.close()

    @property
    def _told(self) -> Seen:
        return self.ledger.seen if self.ledger is not None else Seen()

    def _joined(self, use: str) -> Account | None:
        written = next((t.seen for t in self._others.values() if use in t.seen.calls), None)
        return joined(use, written, self._told)

    def _whereabouts(self, use: str, siblings: Iterable[Path]) -> Iterator[Path]:
        main = self._follow_main()
        if main is not None:
            yield main.path
            yield from self._hinted_file(main, self._told.calls.get(use))
            yield from self._places.agents(main.path) if self._places else ()
        yield from siblings

    def _hinted_file(self, main: Transcript, hinted: CallSeen | None) -> Iterator[Path]:
        """The transcript of the sub-agent whose call it is, as a hook tells."""
        if self._places is None or hinted is None or hinted.agent is None:
            return
        path = self._places.agent(main.path, hinted.agent)
        if path is not None:
            yield path

    def _follow_main(self, *, everywhere: bool = True) -> Transcript | None:
        """The session's own transcript, where hooks say it is, or where it should be; everywhere:
        or in any other project."""
        if self._main is None and self._places is not None:
            path = self._told_main() or self._places.likely(self.name)
            path = path or (self._places.main(self.name) if everywhere else None)
            self._main = self._follow(path) if path else None
        return self._main

    def _told_main(self) -> Path | None:
        if self.ledger is None or self._places is None:
            return None
        for told in reversed(self.ledger.transcripts):
            if Path(told).stem == self.name and (path := self._places.believed(told)):
                return path
        return None

    def _follow(self, path: Path) -> Transcript:
        if path not in self._others:
            self._others[path] = Transcript(path)
        self._others.move_to_end(path)
        while len(self._others) > TRANSCRIPTS_MAX:
            oldest = next(p for p in self._others if self._main is None or p != self._main.path)
            self._others.pop(oldest).close()
        return self._others[path]
