"""How a database is set up, as an operator should know it."""

from __future__ import annotations

from lineal.models.base import Model

__all__ = ["Check"]


class Check(Model):
    """One thing looked at. ok None: nothing to judge. advice: what to do when it is wrong.

    warns: worth a line in the log at each start, wrong or not.
    """

    name: str
    ok: bool | None
    value: str
    advice: str | None = None
    warns: bool = False
