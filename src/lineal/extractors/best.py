"""The best extractor that answers: a language model where there is one, else the rules."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

import anyio

from lineal.clock import monotonic_s
from lineal.errors import LinealError
from lineal.extractors.llm.breaker import Breaker
from lineal.extractors.llm.extractor import LlmExtractor
from lineal.extractors.llm.prompt import readable
from lineal.models.asking import Ask
from lineal.models.schema import Schema
from lineal.ports.extractor import Extracted, Extraction, Extractor

__all__ = ["BestOf"]

CLIENT_MODEL = "client"
"""What the client's own model is called when its answer doesn't say."""

_log = logging.getLogger("lineal.llm")


class BestOf:
    """Asks the model of an endpoint, else the client's own if sampling is on, else the rules only.

    What a model found stands as it is: a field that it left out isn't filled from the rules, for
    it has read the text and the rules know no grammar. Where both found the same value they
    confirm each other. timeout_s: of one question, whoever answers it.
    """

    def __init__(
        self,
        rules: Extractor,
        model: Extractor | None,
        *,
        sampling: bool,
        timeout_s: float,
        monotonic: Callable[[], float] = monotonic_s,
    ) -> None:
        self._rules = rules
        self._model = model
        self._sampling = sampling
        self._timeout_s = timeout_s
        self._breaker = Breaker(monotonic)

    async def extract(
        self, schema: Schema, text: str, occurred_at: datetime, ask: Ask | None = None
    ) -> Extracted:
        """The model's finds; the rules', with `again` and why, when it could not be asked."""
        ruled = await self._rules.extract(schema, text, occurred_at)
        model = self._reader(ask)
        if model is None or not (readable(schema) and text.strip()):
            return ruled
        if not self._breaker.lets_through():
            return _later(ruled, "The language model failed repeatedly; it is asked again later.")
        try:
            found = await self._asked(model, schema, text, occurred_at)
        except LinealError as error:
            self._breaker.failed()
            _log.warning("extraction by rules: %s", error.message)
            return _later(ruled, error.message)
        self._breaker.worked()
        return _confirmed(found, ruled)

    def _reader(self, ask: Ask | None) -> Extractor | None:
        if self._model is not None:
            return self._model
        return LlmExtractor(ask, CLIENT_MODEL) if ask is not None and self._sampling else None

    async def _asked(
        self, model: Extractor, schema: Schema, text: str, occurred_at: datetime
    ) -> Extracted:
        with anyio.move_on_after(self._timeout_s):
            return await model.extract(schema, text, occurred_at)
        raise LinealError.unavailable(
            f"The language model did not answer within {self._timeout_s:g} s."
        )


def _later(ruled: Extracted, why: str) -> Extracted:
    return ruled.model_copy(update={"again": True, "why": why})


def _confirmed(found: Extracted, ruled: Extracted) -> Extracted:
    """The model's finds, surer where the rules found the same: both would have to be wrong."""
    sure = {_claim(find): find.confidence for find in ruled.finds}
    finds = tuple(
        find.model_copy(
            update={"confidence": 1 - (1 - find.confidence) * (1 - sure.get(_claim(find), 0.0))}
        )
        for find in found.finds
    )
    return found.model_copy(update={"finds": finds})


def _claim(find: Extraction) -> tuple[str, object, bool]:
    return find.field, find.value, find.denied
