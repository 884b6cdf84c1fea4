"""What the doctor looks at where the memory lies in a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Sequence

from lineal.app import POSTGRES, database_checks
from lineal.errors import LinealError
from lineal.faces.cli.findings import Finding, store_finding
from lineal.settings import Settings

__all__ = ["database_findings", "kept_findings"]

AREA = "database"


async def database_findings(settings: Settings) -> list[Finding]:
    """How the server, the role and the line to it are; [] for another backend. Nothing is made."""
    if settings.backend.get_secret_value().split(":", 1)[0] not in POSTGRES:
        return []
    try:
        checks = await database_checks(settings)
    except LinealError as failure:
        return [Finding(area=AREA, name="server", ok=False, value=failure.message)]
    return [Finding(area=AREA, **check.model_dump(exclude={"warns"})) for check in checks]


async def kept_findings(settings: Settings, database: Sequence[Finding]) -> list[Finding]:
    """The memory itself, as store_finding has it; of a database only where it can be reached and
    has lineal's tables, since opening it would make them."""
    state = {finding.name: finding for finding in database}
    schema = state.get("schema")
    if not database or (schema and schema.ok):
        return [await store_finding(settings)]
    if schema and schema.ok is None and state["server"].ok:
        return [Finding(area="store", name="health", ok=None, value=schema.value)]
    return []
