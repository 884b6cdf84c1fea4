"""The schemas port: which fields a domain has."""

from __future__ import annotations

from typing import Protocol

from lineal.models.schema import Schema

__all__ = ["Schemas"]


class Schemas(Protocol):
    """Hands out domain schemas."""

    def get(self, domain: str) -> Schema:
        """The domain's schema; one without fields, version 0, for an unregistered domain (U11).

        Raises LinealError invalid_request for a domain whose schema file is broken."""
        ...

    def domains(self) -> tuple[str, ...]:
        """Registered domains, in alphabetical order."""
        ...
