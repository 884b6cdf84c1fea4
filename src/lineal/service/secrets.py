"""Looking for secrets in what a call brings."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import anyio
import anyio.to_thread

from lineal.policy.redaction import Allow, Find, nothing_allowed
from lineal.ports.secrets import NotReady, SecretDetector

__all__ = ["Secrets"]

T = TypeVar("T")


class Secrets(NamedTuple):
    """What finds secrets, and which values are none."""

    detector: SecretDetector
    allow: Allow = nothing_allowed

    async def look(self, judge: Callable[[Find, Allow], T]) -> T:
        """What the judge says, once the detector is warm if it must be."""
        try:
            return judge(self.detector.find, self.allow)
        except NotReady:
            await anyio.to_thread.run_sync(self.detector.warm)
            return judge(self.detector.find, self.allow)
