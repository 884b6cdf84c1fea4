"""Kingfisher's rules for several hundred services, run offline and in this process."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import portalocker

from lineal.errors import LinealError
from lineal.models.redaction import Found
from lineal.ports.secrets import NotReady

if TYPE_CHECKING:
    from kingfisher_sdk import Finding, Scanner

__all__ = ["Library"]

COMPILING_S = 20.0
"""How long a process waits for another that compiles: some four times what that takes."""

_ENDS = b",()|<>{}[]*!"
_SOFT = bytes.maketrans(_ENDS, b" " * len(_ENDS))
"""Its rules end a token at white space or a quote; in prose and tables these signs end it too."""

_STOP = re.compile(rb"[.:?](?=\s|$)|%[0-9A-Fa-f]{2}|\\[nrt]")
"""So do a sentence's stop, and signs as a URL or JSON writes them."""

_NO_BLOCKS = (b"PRIVATE KEY", b"PRIVATE_KEY")
"""Key blocks are found by formats.py: many marks without an end cost the library seconds."""

_PREFIX = re.compile(r"^[a-z]+(?:\.secrets/|\.)|\.\d+$")
_RENAMED = {"generic-credential-uri": "password-in-url", "curl-auth-user": "password"}
"""Kinds that we know too, under our names."""

_NAMES_A_SECRET = re.compile(r"(?:secret|token|key|password|passphrase)[\w-]*(?<!-id)$")


class Library:
    """The scanner, compiled once some text needs it.

    cache_dir: a private directory for the compiled rules, made if absent; None: compile each time.
    Compiling takes seconds without a cache, and lets other threads run while it does.
    """

    def __init__(self, cache_dir: Path | None = None) -> None:
        self._cache_dir = cache_dir
        self._lock = Lock()
        self._scanner: Scanner | None = None

    def scan(self, text: str) -> Iterator[Found]:
        """What the rules report, in order; it may overlap. Raises NotReady before it is warm."""
        if (scanner := self._scanner) is None:
            raise NotReady
        data = text.encode("utf-8", "replace").replace(*_NO_BLOCKS)
        findings = scanner.scan(data)
        softened = _STOP.sub(lambda sign: b" " * len(sign[0]), data.translate(_SOFT))
        if softened != data:
            findings += scanner.scan(softened)
        spans = sorted({_span(finding) for finding in findings if _is_secret(finding)})
        at = _code_points(data, (offset for start, end, _ in spans for offset in (start, end)))
        for start, end, kind in spans:
            yield Found(kind, at[start], at[end])

    def warm(self) -> None:
        """Compile now, from whatever thread. Raises unavailable."""
        with self._lock:
            if self._scanner is None:
                with _alone(self._cache_dir):
                    self._scanner = _compiled(self._cache_dir)


@contextmanager
def _alone(cache_dir: Path | None) -> Iterator[None]:
    """One process compiles at a time, so that the others find its cache; none waits for ever."""
    lock = None
    if cache_dir is not None:
        with suppress(OSError):  # the rules are then compiled each time
            cache_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = portalocker.Lock(cache_dir / "compiling", timeout=COMPILING_S)
            with suppress(portalocker.LockException):
                lock.acquire()
    try:
        yield
    finally:
        if lock is not None:
            lock.release()


def _compiled(cache_dir: Path | None) -> Scanner:
    try:
        from kingfisher_sdk import Rules, Scanner
    except ImportError as missing:
        raise LinealError.unavailable(
            "Secrets can't be looked for: kingfisher-secret-scanner is not installed. Install it, "
            "or set LINEAL_SECRETS=off to keep texts as they come.",
            retryable=False,
        ) from missing
    return Scanner(Rules(cache=cache_dir is not None, cache_dir=cache_dir), base64=True)


def _span(finding: Finding) -> tuple[int, int, str]:
    """(start, end, kind), in bytes of the UTF-8."""
    place = finding.location
    kind = _PREFIX.sub("", finding.rule_id)
    return place["start_offset"], place["end_offset"], _RENAMED.get(kind, kind)


def _is_secret(finding: Finding) -> bool:
    """Parts that only help to check a secret, such as account names, are no secrets; keys are."""
    if finding.visible:
        return True
    return _NAMES_A_SECRET.search(_PREFIX.sub("", finding.rule_id)) is not None


def _code_points(data: bytes, offsets: Iterable[int]) -> dict[int, int]:
    """Byte offsets of a UTF-8 text → code points, in one pass over it."""
    places: dict[int, int] = {}
    before = count = 0
    for offset in sorted(set(offsets)):
        count += len(data[before:offset].decode("utf-8", "replace"))
        places[offset] = count
        before = offset
    return places
