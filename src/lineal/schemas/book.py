"""Reading schema files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from lineal.errors import LinealError
from lineal.models.schema import Schema
from lineal.policy.schemas import faults

__all__ = ["SHIPPED", "SchemaBook", "read_schema"]

_DOMAIN = re.compile(r'"domain"\s*:\s*"([^"\\]+)"')

SHIPPED = Path(__file__).parent


class SchemaBook:
    """Every schema file of some directories, a later one's before an earlier one's.

    A broken file doesn't stop the others: its domain, the file's name, is refused when asked for.
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
            for path in sorted(directory.glob("*.json")):
                self._take(path)

    def get(self, domain: str) -> Schema:
        """The domain's schema, or one of version 0 without fields. Raises invalid_request for a
        domain whose file is broken, naming file and line."""
        if domain in self._broken:
            raise LinealError.invalid("domain", self._broken[domain], domain=domain)
        return self._schemas.get(domain) or Schema(domain=domain, version=0)

    def domains(self) -> tuple[str, ...]:
        """Registered domains, in alphabetical order."""
        return tuple(sorted(self._schemas))

    def _take(self, path: Path) -> None:
        try:
            schema = read_schema(path)
        except LinealError as wrong:
            self._refuse(path, wrong.message)
        else:
            self._broken.pop(schema.domain, None)
            self._schemas[schema.domain] = schema

    def _refuse(self, path: Path, why: str) -> None:
        """Refuse the domain that the file is named after, and the one it speaks of."""
        spoken = None
        with suppress(OSError):
            spoken = _DOMAIN.search(path.read_text(encoding="utf-8", errors="replace"))
        for domain in {path.stem.split(".")[0], *(spoken.groups() if spoken else ())}:
            self._schemas.pop(domain, None)
            self._broken[domain] = why


def read_schema(path: Path) -> Schema:
    """The schema in a file. Raises invalid_request naming the file, the line and what is wrong."""
    text = ""
    try:
        text = path.read_text(encoding="utf-8-sig")
        schema = Schema.model_validate(json.loads(text, object_pairs_hook=_once))
    except json.JSONDecodeError as wrong:
        raise _broken(path, f"line {wrong.lineno}: {wrong.msg}") from None
    except ValidationError as wrong:
        raise _broken(path, _where(text, wrong.errors(include_url=False)[0])) from None
    except (OSError, ValueError, RecursionError) as wrong:
        raise _broken(path, str(wrong)) from wrong
    for where, why in faults(schema):
        raise _broken(path, _placed(text, where, why))
    return schema


def _broken(path: Path, why: str) -> LinealError:
    told = f"The schema file '{path}' is broken: {why}. Mend or remove it."
    return LinealError.invalid("schema", told, path=str(path))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object's members. Raises ValueError for a name that stands twice: one would be lost."""
    names = dict(pairs)
    if len(names) < len(pairs):
        said = [name for name, _ in pairs]
        twice = next(name for name in names if said.count(name) > 1)
        raise ValueError(f"the name '{twice}' stands twice in one object")
    return names


def _where(text: str, error: ErrorDetails) -> str:
    """The place that the error is about, and what is wrong there."""
    return _placed(text, error["loc"], error["msg"])


def _placed(text: str, names: Iterable[str | int], wrong: str) -> str:
    """With the line where the names, looked for one within the other, lead to."""
    place, at = ".".join(map(str, names)) or "the whole file", 0
    for name in names:
        found = text.find(json.dumps(name, ensure_ascii=False), at) if isinstance(name, str) else -1
        at = max(at, found)
    return f"line {text.count(chr(10), 0, at) + 1}: {place}: {wrong}"
