"""Reading schema files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from lineal.errors import LinealError
from lineal.models.schema import Schema

__all__ = ["SchemaBook"]

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
        text = ""
        try:
            text = path.read_text(encoding="utf-8-sig")
            schema = Schema.model_validate(json.loads(text))
            _compile(schema)
        except json.JSONDecodeError as wrong:
            self._refuse(path, text, f"line {wrong.lineno}: {wrong.msg}")
        except ValidationError as wrong:
            self._refuse(path, text, _where(text, wrong.errors(include_url=False)[0]))
        except (OSError, ValueError, RecursionError, re.error) as wrong:
            self._refuse(path, text, str(wrong))
        else:
            self._broken.pop(schema.domain, None)
            self._schemas[schema.domain] = schema

    def _refuse(self, path: Path, text: str, why: str) -> None:
        """Refuse the domain that the file is named after, and the one it speaks of."""
        spoken = _DOMAIN.search(text)
        for domain in {path.stem.split(".")[0], *(spoken.groups() if spoken else ())}:
            self._schemas.pop(domain, None)
            self._broken[domain] = f"The schema file '{path}' is broken: {why}. Mend or remove it."


def _where(text: str, error: ErrorDetails) -> str:
    """The line of the innermost name that the error is about, and what is wrong there."""
    names = [part for part in error["loc"] if isinstance(part, str)]
    place = ".".join(map(str, error["loc"])) or "the whole file"
    for name in reversed(names):
        found = text.find(json.dumps(name))
        if found >= 0:
            return f"line {text.count(chr(10), 0, found) + 1}: {place}: {error['msg']}"
    return f"line 1: {place}: {error['msg']}"


def _compile(schema: Schema) -> None:
    for spec in schema.fields.values():
        for pattern in spec.patterns:
            re.compile(pattern)
