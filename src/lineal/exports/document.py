"""A PROV-JSON document that grows: https://www.w3.org/submissions/prov-json/."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lineal.exports.names import NAMESPACE, PREFIX, Name
from lineal.models.base import rfc3339
from lineal.models.lineage import Basis

__all__ = ["Document", "Value"]

Value = str | bool | int | float | datetime | Name | None
"""Of an attribute; None is left out."""

SECTIONS = (
    "entity",
    "activity",
    "agent",
    "wasGeneratedBy",
    "used",
    "wasDerivedFrom",
    "wasInformedBy",
    "wasAssociatedWith",
    "wasAttributedTo",
    "actedOnBehalfOf",
    "specializationOf",
)

INT_MAX = 2**31 - 1
"""The largest xsd:int, which more programs read as a number than xsd:integer."""

_REFERENCES = frozenset(
    {
        "prov:entity",
        "prov:activity",
        "prov:agent",
        "prov:generatedEntity",
        "prov:usedEntity",
        "prov:informed",
        "prov:informant",
        "prov:delegate",
        "prov:responsible",
        "prov:specificEntity",
        "prov:generalEntity",
    }
)
_TIMES = frozenset({"prov:time", "prov:startTime", "prov:endTime"})
"""Attributes whose type PROV fixes: they stand there as plain strings."""


class Document:
    """Elements by name, relations in the order they came; neither is ever there twice."""

    def __init__(self) -> None:
        self._sections: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in SECTIONS}
        self._relations: dict[str, None] = {}

    def element(self, section: str, name: Name, attributes: Mapping[str, Value]) -> Name:
        """Add an entity, activity or agent, or what is new of it."""
        known = self._sections[section].setdefault(name, {})
        for key, value in _said(attributes).items():
            known.setdefault(key, value)
        return name

    def relation(self, section: str, ends: Mapping[str, Value], basis: Basis | None) -> None:
        """Add a relation. basis None: it is so by definition."""
        said = _said({**ends, "lineal:basis": basis and basis.value})
        written = json.dumps([section, said])
        if written not in self._relations:
            self._relations[written] = None
            self._sections[section][f"_:r{len(self._relations)}"] = said

    def text(self) -> str:
        """The document as JSON in ASCII."""
        told = {name: section for name, section in self._sections.items() if section}
        return json.dumps({"prefix": {PREFIX: NAMESPACE}, **told}, indent=2)


def _said(attributes: Mapping[str, Value]) -> dict[str, Any]:
    return {key: _literal(key, value) for key, value in attributes.items() if value is not None}


def _literal(key: str, value: Value) -> Any:
    """PROV-JSON's form of a value: a string as it is, all else as text with its type."""
    if isinstance(value, datetime):
        written = rfc3339(value)
        return written if key in _TIMES else {"$": written, "type": "xsd:dateTime"}
    if isinstance(value, Name):
        return str(value) if key in _REFERENCES else {"$": str(value), "type": "xsd:QName"}
    if isinstance(value, bool):
        return {"$": "true" if value else "false", "type": "xsd:boolean"}
    if isinstance(value, int):
        return {"$": str(value), "type": "xsd:int" if abs(value) <= INT_MAX else "xsd:integer"}
    if isinstance(value, float):
        return {"$": repr(value), "type": "xsd:double"}
    return value
