"""Claim or refuse: a capability that is refused says so by name."""

# ruff: noqa: S101 - pytest's assertions are what this module is for

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from lineal.errors import Capability, Unsupported
from lineal.ports.backend import Backend
from lineal.testing.backend_cases.caller import Caller

__all__ = ["BackendRefusals"]


class BackendRefusals:
    """What a backend says of itself is true."""

    async def test_a_backend_says_of_every_capability_what_it_does(self, backend: Backend) -> None:
        assert set(backend.capabilities) == set(Capability)
        assert set(backend.capabilities.values()) <= {"native", "emulated", "refused"}
        assert backend.name

    @pytest.mark.parametrize("capability", list(Capability))
    async def test_a_refused_capability_is_refused_by_name(
        self, backend: Backend, ada: Caller, capability: Capability, tmp_path: Path
    ) -> None:
        if backend.capabilities[capability] != "refused":
            return
        with pytest.raises(Unsupported) as raised:
            await _asking(backend, ada, tmp_path / "copy")[capability]()
        assert raised.value.details["capability"] == capability
        assert raised.value.status == 501

    async def test_a_backup_is_written_or_refused_by_name(
        self, backend: Backend, tmp_path: Path
    ) -> None:
        target = tmp_path / "copy"
        try:
            size_bytes = await backend.backup(target)
        except Unsupported as refused:
            named = refused.details["capability"]
        else:
            named = Capability.MAINTENANCE
            assert target.stat().st_size == size_bytes > 0
        assert named == Capability.MAINTENANCE


def _asking(
    backend: Backend, ada: Caller, target: Path
) -> Mapping[Capability, Callable[[], Awaitable[Any]]]:
    """A call that needs each capability."""
    return {
        Capability.SEARCH: ada.search,
        Capability.GET: lambda: ada.get("ctx_1"),
        Capability.UPDATE: lambda: ada.update("ctx_1", title="New"),
        Capability.USERS: ada.upsert,
        Capability.FORGET: lambda: ada.forget("ctx_1"),
        Capability.HISTORY: lambda: ada.history("ctx_1"),
        Capability.LINEAGE: lambda: ada.trace("ctx_1"),
        Capability.TTL: lambda: ada.append(ttl_seconds=60),
        Capability.IDEMPOTENCY: lambda: ada.append(idempotency_key="k"),
        Capability.PROVENANCE: lambda: ada.user(provenance=True),
        Capability.REPLACE_ALL: lambda: ada.upsert(fields={"a": 1}, replace_all=True),
        Capability.SCHEMAS: lambda: backend.schema("notes"),
        Capability.MATCHING: ada.match,
        Capability.MAINTENANCE: lambda: backend.backup(target),
    }
