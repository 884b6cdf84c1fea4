"""Records of an archive as lines of a file, each with its hash, and the checks of reading them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import blake2b

from pydantic import TypeAdapter, ValidationError

from lineal.canonical import parsed
from lineal.errors import LinealError
from lineal.models.archive import (
    FORMAT,
    VERSION,
    DamagedRecord,
    End,
    Header,
    Record,
    tenant_of,
)

__all__ = [
    "BATCH_BYTES",
    "BATCH_RECORDS",
    "LINE_MAX_BYTES",
    "LinesRead",
    "Tally",
    "batches",
    "cut_off",
    "damaged_line",
    "line_of",
]

LINE_MAX_BYTES = 256 * 1024 * 1024
"""Beyond what any line holds: one memory's text and a megabyte more."""

BATCH_RECORDS = 100
"""Records of one transaction: others who write wait for no more than these."""

BATCH_BYTES = 1_000_000
"""Lines of one transaction, unless a single one is longer."""

_SUM_BYTES = 8
_START, _AFTER_SUM = b'{"sum":"', b'",'
_REST_AT = len(_START) + 2 * _SUM_BYTES + len(_AFTER_SUM)

_RECORDS: TypeAdapter[Record] = TypeAdapter(Record)


def line_of(record: Record) -> bytes:
    """One line of JSON with its line feed. Its first key is a hash over all that follows it."""
    rest = record.model_dump_json(exclude_none=True).encode("utf-8")[1:]
    return b"".join((_START, _sum(rest), _AFTER_SUM, rest, b"\n"))


class Tally:
    """What the end of an archive says of the lines before it, counted as they come."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._content = blake2b(digest_size=16)
        self._lines = blake2b(digest_size=16)

    def add(self, record: Record, line: bytes) -> None:
        self.counts[record.kind] += 1
        self._lines.update(line)
        if not isinstance(record, Header):
            self._content.update(line)

    def end(self) -> End:
        counts = {kind: self.counts[kind] for kind in sorted(self.counts)}
        return End(
            counts=counts,
            content_hash=self._content.hexdigest(),
            lines_hash=self._lines.hexdigest(),
        )


class LinesRead:
    """An archive that is being read, line by line: nothing in it is believed unchecked.

    left_out: what the origin couldn't read, of which nothing is in the archive.
    """

    def __init__(self) -> None:
        self.number = 0
        self.header: Header | None = None
        self.end: End | None = None
        self.left_out: list[DamagedRecord] = []
        self._tally = Tally()

    @property
    def counts(self) -> dict[str, int]:
        """Records read so far, by kind."""
        return dict(self._tally.counts)

    def take(self, line: bytes) -> Record:
        """The record of the next line. Raises invalid_request, naming the line, for one that is
        damaged or cut off, and for a file that isn't a whole archive of a known version."""
        self.number += 1
        if self.number == 1:
            _require_known(line)
        if not line.endswith(b"\n"):
            raise cut_off(self.number)
        record = self._record(line)
        if isinstance(record, Header) != (self.number == 1) or self.end is not None:
            raise damaged_line(self.number, "it stands where none of its kind can")
        self._note(record, line)
        return record

    def finish(self) -> None:
        """Raises invalid_request when the last line is missing, or all of them."""
        if self.number == 0:
            raise _foreign()
        if self.end is None:
            raise cut_off(self.number)

    def _record(self, line: bytes) -> Record:
        rest = line[_REST_AT:-1]
        if line[:_REST_AT] != _START + _sum(rest) + _AFTER_SUM:
            raise damaged_line(self.number, "its hash doesn't fit")
        try:
            record = _RECORDS.validate_json(b"{" + rest)
        except ValidationError as error:
            raise damaged_line(self.number, "it isn't a record that this lineal knows") from error
        return record

    def _note(self, record: Record, line: bytes) -> None:
        if isinstance(record, End):
            if record != self._tally.end():
                raise damaged_line(self.number, "lines before it are missing or were changed")
            self.end = record
            return
        self._tally.add(record, line)
        if isinstance(record, Header):
            self.header = record
        elif isinstance(record, DamagedRecord):
            self.left_out.append(record)


def batches(read: LinesRead, lines: Iterable[bytes]) -> Iterator[list[Record]]:
    """Checked records of one tenant, so many that one transaction can keep them; the header comes
    with the first, the end with none. Raises as LinesRead does, once what stands before the line
    in question has been handed over."""
    batch: list[Record] = []
    size = 0
    try:
        for line in lines:
            record = read.take(line)
            if isinstance(record, End):
                continue
            if batch and tenant_of(batch[-1]) not in (None, tenant_of(record)):
                yield batch
                batch, size = [], 0
            batch.append(record)
            size += len(line)
            if len(batch) >= BATCH_RECORDS or size >= BATCH_BYTES:
                yield batch
                batch, size = [], 0
        read.finish()
    except LinealError:
        if batch:
            yield batch
        raise
    if batch:
        yield batch


def damaged_line(number: int, why: str) -> LinealError:
    return LinealError.invalid(
        "source",
        f"Line {number:,} of the archive is damaged: {why}. What was kept before is kept; import "
        "a whole copy of the file, and it goes on from there.",
        line=number,
    )


def cut_off(number: int) -> LinealError:
    return LinealError.invalid(
        "source",
        f"The archive is cut off after line {number:,}. What was kept before is kept; import the "
        "whole file, and it goes on from there.",
        line=number,
    )


def _require_known(line: bytes) -> None:
    """Before its hash is looked at: a later version may hash otherwise."""
    head = parsed(line[:1_000_000].decode("utf-8", "replace"))
    if not isinstance(head, dict) or head.get("format") != FORMAT:
        raise _foreign()
    version = head.get("version")
    if version != VERSION:
        raise LinealError.invalid(
            "source",
            f"The archive was made by a newer lineal (its version is {version}, this one reads "
            f"{VERSION}). Nothing was kept; upgrade lineal here.",
            version=str(version),
            known_version=VERSION,
        )


def _foreign() -> LinealError:
    return LinealError.invalid(
        "source",
        "This is not an archive of lineal's. `lineal export` writes one; a copy made by `lineal "
        "backup` is a store, to be put in the store's place or named in LINEAL_BACKEND.",
    )


def _sum(rest: bytes) -> bytes:
    return blake2b(rest, digest_size=_SUM_BYTES).hexdigest().encode("ascii")
