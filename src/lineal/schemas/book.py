"""Reading schema files."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from lineal.errors import LinealError
from lineal.models.schema import Schema
from lineal.policy.schemas import faults, rivals

__all__ = ["SHIPPED", "SchemaBook", "read_schema"]

FAULTS_MAX, FAULT_CHARS = 20, 400
"""Faults of one file that are told, and characters of each; it may repeat a long phrase."""

DIGITS_MAX = 300
"""Of a whole number; few longer ones are within a float, and Python reads no endless ones."""

SHIPPED = Path(__file__).parent

_DOMAIN = re.compile(r'"domain"\s*:\s*"([^"\\]+)"')
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+')
_NUMERIC = frozenset("0123456789NI")
"""What a number of JSON begins with, NaN and Infinity among them."""

Where = tuple[str | int, ...]
"""Names and places in lists, from the whole file inwards."""


class Place(NamedTuple):
    """A name of an object, or a value, in a file. said: as it is written there."""

    where: Where
    line: int
    said: str
    is_name: bool


class SchemaBook:
    """Every schema file of some directories, a later one's before an earlier one's.

    A broken file doesn't stop the others: its domain, the file's name, is refused when asked for;
    so is one that two files of a directory are of.
    Raises invalid_request for a directory that isn't there.
    """

    def __init__(self, directories: Iterable[Path] = (SHIPPED,)) -> None:
        self._schemas: dict[str, Schema] = {}
        self._broken: dict[str, str] = {}
        for directory in directories:
            if not directory.is_dir():
                raise LinealError.invalid(
                    "LINEAL_SCHEMAS",
                    f"LINEAL_SCHEMAS names '{directory}', which is no directory. "
                    "Make it, or unset LINEAL_SCHEMAS.",
                )
            self._take(sorted(directory.glob("*.json")))

    def get(self, domain: str) -> Schema:
        """The domain's schema, or one of version 0 without fields. Raises invalid_request for a
        domain whose file is broken, naming file and line, or that two files are of."""
        if domain in self._broken:
            raise LinealError.invalid("domain", self._broken[domain], domain=domain)
        return self._schemas.get(domain) or Schema(domain=domain, version=0)

    def domains(self) -> tuple[str, ...]:
        """Registered domains, in alphabetical order."""
        return tuple(sorted(self._schemas))

    def _take(self, paths: Iterable[Path]) -> None:
        """The files of one directory; what is wrong with one comes before what another says."""
        found: dict[str, str] = {}
        broken: list[LinealError] = []
        for path in paths:
            try:
                schema = read_schema(path)
            except LinealError as wrong:
                broken.append(wrong)
            else:
                self._broken.pop(schema.domain, None)
                self._schemas[schema.domain] = schema
                found[str(path)] = schema.domain
        for error in broken:
            for domain in error.details["domains"]:
                self._refuse(domain, error.message)
        for name, why in rivals(found).items():
            self._refuse(found[name], f"The schema files {why}.")

    def _refuse(self, domain: str, why: str) -> None:
        self._schemas.pop(domain, None)
        self._broken[domain] = why


def read_schema(path: Path) -> Schema:
    """The schema in a file.

    Raises invalid_request naming the file, the line and what is wrong first. details: `faults`, at
    most 20 of them in order; `count`, how many there are; `domains`, which it was to be of.
    """
    raw = b""
    try:
        raw = path.read_bytes()
        return _schema(_decoded(raw))
    except OSError as wrong:
        raise _broken(path, raw, [_UNREADABLE.get(type(wrong), str(wrong.strerror))]) from None
    except _Faulty as wrong:
        raise _broken(path, raw, wrong.args) from None


class _Faulty(ValueError):
    """args: what is wrong with a file's text, each with its line, in order."""


_UNREADABLE: Mapping[type[OSError], str] = {
    FileNotFoundError: "there is no such file",
    IsADirectoryError: "it is a directory; name a file",
    PermissionError: "this account may not read it",
}


def _broken(path: Path, raw: bytes, told: Sequence[str]) -> LinealError:
    """Of the domain that the file is named after, and the one it speaks of."""
    spoken = _DOMAIN.search(raw.decode("utf-8", errors="replace"))
    shown = [one if len(one) <= FAULT_CHARS else f"{one[: FAULT_CHARS - 1]}…" for one in told]
    more = f" (and {len(told) - 1} more)" if len(told) > 1 else ""
    return LinealError.invalid(
        "schema",
        f"The schema file '{path}' is broken: {shown[0]}{more}. Mend or remove it.",
        path=str(path),
        faults=shown[:FAULTS_MAX],
        count=len(told),
        domains=sorted({path.stem.split(".")[0], *(spoken.groups() if spoken else ())}),
    )


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        line = raw.count(b"\n", 0, wrong.start) + 1
        raise _Faulty(f"line {line}: this is no UTF-8; save the file as UTF-8") from None


def _schema(text: str) -> Schema:
    """Raises _Faulty with everything that can be told at once."""
    document, doubtful = _parsed(text)
    schema, wrong = _checked(document)
    if schema is None or wrong or doubtful:
        raise _Faulty(*_told(text, wrong))
    return schema


def _told(text: str, wrong: Iterable[tuple[Where, str]]) -> list[str]:
    """In the order of the lines. Only a wrong file is gone through for them: a right one is read
    at every start."""
    places = tuple(_places(text))
    lines: dict[Where, int] = {}
    for place in places:
        lines.setdefault(place.where, place.line)
    found = list(_doubtful(places))
    known = {where for _, where, _ in found}
    found += [(_line(lines, where), where, why) for where, why in wrong if where not in known]
    return [_line_of(*one) for one in sorted(found, key=lambda one: one[0])]


def _parsed(text: str) -> tuple[object, bool]:
    """The document, and whether `_doubtful` finds something in it."""
    doubts: list[object] = []

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        names = dict(pairs)
        doubts.extend(pairs if len(names) < len(pairs) else ())
        return names

    def finite(said: str) -> float:
        doubts.extend(() if math.isfinite(float(said)) else (said,))
        return float(said)

    def whole(said: str) -> float:
        return int(said) if len(said) <= DIGITS_MAX else finite(said)

    try:
        document = json.loads(
            text, object_pairs_hook=once, parse_int=whole, parse_float=finite, parse_constant=finite
        )
    except json.JSONDecodeError as wrong:
        raise _Faulty(f"line {wrong.lineno}: {_SYNTAX.get(wrong.msg, wrong.msg)}") from None
    except RecursionError:
        raise _Faulty("its brackets are nested too deep; make them fewer") from None
    return document, bool(doubts)


_SYNTAX = {
    "Expecting value": "a value is missing here",
    "Expecting property name enclosed in double quotes": "a property name in double quotes is "
    "missing here, or a comma is too many",
    "Expecting ',' delimiter": "a comma, or a closing bracket, is missing before this",
    "Expecting ':' delimiter": "a colon is missing here",
    "Extra data": "the schema has ended, and something follows",
    "Unterminated string starting at": "the text that begins here has no closing quote",
    "Invalid control character at": "a text holds a line's end or a tab; write \\n or \\t",
}
"""What Python's reader of JSON says, in plain words."""


def _checked(document: object) -> tuple[Schema | None, list[tuple[Where, str]]]:
    """The schema, if it is one, and what is wrong with it."""
    try:
        schema = Schema.model_validate(document)
    except ValidationError as wrong:
        errors = wrong.errors(include_url=False, include_input=False)
        return None, [(error["loc"], _plainly(error)) for error in errors]
    return schema, list(faults(schema))


def _plainly(error: ErrorDetails) -> str:
    """What the model found, in words for who writes a schema."""
    told = _PLAIN.get(error["type"])
    return error["msg"] if told is None else told.format(**error.get("ctx", {}))


_PLAIN = {
    "extra_forbidden": "no such key is known here; mend its spelling or remove it",
    "missing": "this key is missing; add it",
    **dict.fromkeys(("model_type", "dict_type"), "this must be an object: {{…}}"),
    "tuple_type": "this must be a list: […]",
    **dict.fromkeys(("string_type", "string_unicode"), "this must be a text in double quotes"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "this must be a whole number"),
    "int_parsing_size": "this must be a smaller number",
    **dict.fromkeys(("float_type", "float_parsing"), "this must be a number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "this must be true or false"),
    "literal_error": "this must be {expected}",
    "greater_than": "this must be more than {gt:g}",
    "greater_than_equal": "this must be at least {ge:g}",
    "less_than_equal": "this must be at most {le:g}",
    **dict.fromkeys(("string_too_short", "too_short"), "this may not be empty"),
    "recursion_loop": "this is nested too deep",
}
"""Kind of a fault that pydantic finds → what it means."""


def _doubtful(places: Iterable[Place]) -> Iterator[tuple[int, Where, str]]:
    """What reading JSON passes over: names that stand twice, of which one would be lost, and
    numbers that are none."""
    seen, twice = set[Where](), set[Where]()
    for place in places:
        if place.is_name and place.where in seen:
            twice.add(place.where)
            if place.where[:-1] not in twice:
                yield place.line, place.where, "this name stands twice in one object; remove one"
        elif place.is_name:
            seen.add(place.where)
        elif place.said.lstrip("-")[:1] in _NUMERIC and not math.isfinite(float(place.said)):
            yield place.line, place.where, "this must be a finite number"


def _places(text: str) -> Iterator[Place]:
    """Every name and value of a JSON text, in order; the text must be right."""
    inside: list[str | int] = []
    line, counted, at_name = 1, 0, False
    for token in _TOKEN.finditer(text):
        said, at = token[0], token.start()
        line, counted = line + text.count("\n", counted, at), at
        if said in "}]":
            inside.pop()
            at_name = False
        elif said == "," and isinstance(inside[-1], int):
            inside[-1] += 1
        elif said == ",":
            at_name = True
        elif at_name:
            inside[-1], at_name = json.loads(said), False
            yield Place(tuple(inside), line, said, True)
        elif said != ":":
            yield Place(tuple(inside), line, said, False)
            inside += [""] if said == "{" else [0] if said == "[" else []
            at_name = said == "{"


def _line(lines: Mapping[Where, int], where: Where) -> int:
    """Of the place, or of what it is missing in."""
    while where and where not in lines:
        where = where[:-1]
    return lines.get(where, 1)


def _line_of(line: int, where: Where, why: str) -> str:
    """A list's members go by their line: their number helps nobody find them."""
    names = where[:-1] if where and isinstance(where[-1], int) else where
    return f"line {line}: {'.'.join(map(str, names)) or 'the whole file'}: {why}"
