"""Secrets are taken out of a request before anything of it is kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

from lineal.errors import LinealError
from lineal.models.base import Model
from lineal.models.redaction import Found, Redacted

__all__ = [
    "REPEATED_MIN",
    "Allow",
    "Find",
    "allowing",
    "apart",
    "entries",
    "nothing_allowed",
    "redacted",
    "secrets_of",
    "without",
]

M = TypeVar("M", bound=Model)

Find = Callable[[str], tuple[Found, ...]]
"""A SecretDetector's `find`."""

Allow = Callable[[str], bool]
"""Whether a found value may be kept all the same."""

IDENTIFIERS = frozenset(
    {"user_id", "domain", "context_id", "memory_ref", "idempotency_key", "candidate_id"}
)
"""Fields that name something: with another value they would name something else."""

KEYED_MAX = 4_096
"""Characters of the longest value that is also looked at together with its key."""

PHRASE_MAX = 64
"""Characters of the longest value with spaces that may be a passphrase under such a key."""

REPEATED_MIN = 8
"""Characters of the shortest secret that is also taken out wherever else the request says it, and
of the shortest piece of one that an error may not say."""

NAME_MAX = 60
"""Characters of a key that a field's path repeats."""


class Taken(NamedTuple):
    """A value without its secrets, and what was taken out of it."""

    value: Any
    redacted: tuple[Redacted, ...] = ()


def nothing_allowed(value: str) -> bool:
    """The empty allow list."""
    return False


def entries(text: str) -> tuple[str, ...]:
    """The entries of an allow list: one a line or separated by commas; # begins a comment line."""
    lines = (line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return tuple(word.strip() for line in lines for word in _parts(line) if word.strip())


def allowing(listed: Iterable[str]) -> Allow:
    """An allow list. A word allows exactly that value; /…/ is a regular expression that must fit a
    whole value. Raises LinealError invalid_request for an expression that can't be read."""
    words = tuple(listed)
    literal = frozenset(word for word in words if not _is_pattern(word))
    patterns = [_pattern(word) for word in words if _is_pattern(word)]
    return lambda value: value in literal or any(p.fullmatch(value) for p in patterns)


def redacted(
    request: M, find: Find, allow: Allow = nothing_allowed
) -> tuple[M, tuple[Redacted, ...]]:
    """The request with `[redacted: kind]` for each secret in its texts, names of keys too; and what
    was taken out. The request itself if there was nothing.

    Raises LinealError invalid_request for a secret in an identifier, without repeating it."""
    known: dict[str, str] = {}
    taken = _Walk(find, allow, known).model(request, "")
    if known:  # once more, for what only one of its places gave away
        taken = _Walk(find, allow, known).model(request, "")
    return taken.value, taken.redacted


def secrets_of(
    texts: Iterable[tuple[str, str]], find: Find, allow: Allow = nothing_allowed
) -> dict[str, str]:
    """The secrets in these texts → their kinds; REPEATED_MIN characters or more each. texts: the
    nearest key above each text, or "", and the text."""
    known: dict[str, str] = {}
    walk = _Walk(find, allow, known)
    for key, text in texts:
        walk.text(text, "", key)
    return known


def apart(found: Iterable[Found]) -> tuple[Found, ...]:
    """In order; what overlaps becomes one, under the kind that was named first."""
    ranked = sorted(enumerate(found), key=lambda pair: (pair[1].start, pair[0]))
    joined: list[tuple[int, Found]] = []
    for rank, one in ranked:
        if joined and one.start < joined[-1][1].end:
            first, last = joined[-1]
            kind = last.kind if first <= rank else one.kind
            joined[-1] = (min(first, rank), Found(kind, last.start, max(last.end, one.end)))
        else:
            joined.append((rank, one))
    return tuple(one for _, one in joined)


def without(text: str, found: Iterable[Found]) -> str:
    """The text with `[redacted: kind]` in the places of what was found, which are apart."""
    return "".join(_pieces(text, found))


def _parts(line: str) -> list[str]:
    return [line] if _is_pattern(line.strip()) else line.split(",")


def _is_pattern(word: str) -> bool:
    return len(word) > 2 and word[0] == word[-1] == "/"


def _pattern(word: str) -> re.Pattern[str]:
    try:
        return re.compile(word[1:-1])
    except re.error as broken:
        raise LinealError.invalid(
            "secrets_allow", f"An entry of the allow list can't be read as a pattern: {broken}."
        ) from None


_PLAIN = (type(None), bool, int, float)
"""What holds no text."""


class _Walk:
    """Goes through a request's values; each method answers the value as it may be kept.

    known: value → kind of what was found so far, added to here.
    """

    def __init__(self, find: Find, allow: Allow, known: dict[str, str]) -> None:
        self._find = find
        self._allow = allow
        self._known = known

    def model(self, model: M, path: str) -> Taken:
        """The same model if nothing changes. Which fields were sent stays as it is."""
        every = {name: getattr(model, name) for name in type(model).model_fields}
        taken = {
            name: self.field(value, _join(path, name))
            for name, value in every.items()
            if type(value) not in _PLAIN
        }
        further = self.mapping(model.model_extra or {}, path)
        found = _all((*taken.values(), further))
        if not found:
            return Taken(model)
        values = {**every, **{name: one.value for name, one in taken.items()}}
        sent = (model.model_fields_set & values.keys()) | further.value.keys()
        return Taken(type(model).model_construct(sent, **values, **further.value), found)

    def field(self, value: Any, path: str) -> Taken:
        if path in IDENTIFIERS and isinstance(value, str):
            return self.identifier(value, path)
        return self.value(value, path, "")

    def identifier(self, value: str, path: str) -> Taken:
        """Raises invalid_request if it holds a secret."""
        for one in self.found(value):
            raise LinealError.invalid(
                path,
                f"Field '{path}' holds what looks like a secret ({one.kind}); it names something, "
                "so it can't be kept without it. Send another identifier.",
                kind=one.kind,
            )
        return Taken(value)

    def value(self, value: Any, path: str, key: str) -> Taken:
        """key: the nearest key above the value, which may say that it is a password."""
        if type(value) is str:
            return self.text(value, path, key)
        if isinstance(value, Model):
            return self.model(value, path)
        if isinstance(value, Mapping):
            return self.mapping(value, path)
        if isinstance(value, list | tuple):
            return self.items(value, path, key)
        return Taken(value)

    def text(self, text: str, path: str, key: str) -> Taken:
        found = self.found(text) or self.keyed(text, key)
        if not found:
            return Taken(text)
        self._remember(text, found)
        notes = tuple(Redacted(field=path, kind=one.kind, start=one.start) for one in found)
        return Taken(without(text, found), notes)

    def found(self, text: str) -> tuple[Found, ...]:
        found = tuple(one for one in self._find(text) if not self._allow(text[one.start : one.end]))
        return apart((*found, *self._repeated(text))) if self._known else found

    def keyed(self, text: str, key: str) -> tuple[Found, ...]:
        """The whole text, if beside its key it reads as a secret: {"password": "…"}."""
        if not key or len(text) > KEYED_MAX or self._allow(text):
            return ()
        word = "_".join(text.split()) if len(text) <= PHRASE_MAX else text
        start = len(key) + len('"": "')
        kinds = [one.kind for one in self._find(f'"{key}": "{word}"') if one.end > start]
        return (Found(kinds[0], 0, len(text)),) if kinds else ()

    def mapping(self, mapping: Mapping[str, Any], path: str) -> Taken:
        clean: dict[str, Any] = {}
        notes: list[Redacted] = []
        for key, value in mapping.items():
            found = self.found(key)
            name = _unused(without(key, found), clean, mapping) if found else key
            place = _join(path, name)
            notes += [Redacted(field=place, kind=one.kind) for one in found]
            taken = self.value(value, place, _named(mapping, key))
            clean[name] = taken.value
            notes += taken.redacted
        return Taken(clean, tuple(notes)) if notes else Taken(mapping)

    def items(self, items: list[Any] | tuple[Any, ...], path: str, key: str) -> Taken:
        taken = [self.value(item, f"{path}[{i}]", key) for i, item in enumerate(items)]
        found = _all(taken)
        return Taken(type(items)(one.value for one in taken), found) if found else Taken(items)

    def _remember(self, text: str, found: Iterable[Found]) -> None:
        for kind, start, end in found:
            if end - start >= REPEATED_MIN:
                self._known.setdefault(text[start:end], kind)

    def _repeated(self, text: str) -> Iterator[Found]:
        for value, kind in self._known.items():
            at = text.find(value)
            while at >= 0:
                yield Found(kind, at, at + len(value))
                at = text.find(value, at + len(value))


def _named(mapping: Mapping[str, Any], key: str) -> str:
    """What a value is called: {"name": "DB_PASSWORD", "value": "…"} calls it by another value."""
    name = mapping.get("name", mapping.get("key")) if key == "value" else key
    return name if isinstance(name, str) and len(name) <= NAME_MAX else key


def _all(taken: Iterable[Taken]) -> tuple[Redacted, ...]:
    return tuple(note for one in taken for note in one.redacted)


def _join(path: str, name: str) -> str:
    short = name if len(name) <= NAME_MAX else name[:NAME_MAX] + "…"
    return f"{path}.{short}" if path else short


def _pieces(text: str, found: Iterable[Found]) -> Iterator[str]:
    kept = 0
    for kind, start, end in found:
        yield text[kept:start]
        yield f"[redacted: {kind}]"
        kept = end
    yield text[kept:]


def _unused(name: str, *taken: Mapping[str, Any]) -> str:
    """The name, numbered if it is there already: no value is lost for want of a key."""
    number = 1
    numbered = name
    while any(numbered in names for names in taken):
        number += 1
        numbered = f"{name} ({number})"
    return numbered
