"""Reading schema files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from pydantic import ValidationError

from lineal.errors import LinealError
from lineal.models.schema import Schema

__all__ = ["SchemaBook"]

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
            schema = Schema.model_validate(json.loads(path.read_text(encoding="utf-8")))
            _compile(schema)
        except json.JSONDecodeError as wrong:
            self._refuse(path, f"line {wrong.lineno}: {wrong.msg}")
        except ValidationError as wrong:
            first = wrong.errors(include_url=False)[0]
            self._refuse(path, f"{'.'.join(map(str, first['loc']))}: {first['msg']}")
        except (OSError, ValueError, RecursionError, re.error) as wrong:
            self._refuse(path, str(wrong))
        else:
            self._broken.pop(schema.domain, None)
            self._schemas[schema.domain] = schema

    def _refuse(self, path: Path, why: str) -> None:
        domain = path.stem.split(".")[0]
        self._schemas.pop(domain, None)
        self._broken[domain] = f"The schema file '{path}' is broken: {why}. Mend or remove it."


def _compile(schema: Schema) -> None:
    for spec in schema.fields.values():
        for pattern in spec.patterns:
            re.compile(pattern)
