"""What a status of a service says to the person who configured it."""

from __future__ import annotations

from collections.abc import Mapping

from lineal.outbound.address import Address

__all__ = ["advice_of"]


def advice_of(status: int, at: Address, own: Mapping[int, str]) -> str:
    """What happened and what to do, without the answer's words. It goes on after "The service ...".

    own: what a status means at this service; it goes before what it means at most.
    """
    if 300 <= status < 400:
        return f"points to another address; set {at.setting} to the final one"
    usual = {
        401: f"refused the key; check {at.key_setting}",
        403: f"refused the key; check {at.key_setting}",
        503: "is overloaded or away",
    }
    return (usual | dict(own)).get(status, f"answered with status {status}")
