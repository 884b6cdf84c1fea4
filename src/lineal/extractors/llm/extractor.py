"""An extractor that asks a language model and believes only what the text bears out."""

from __future__ import annotations

import logging
from datetime import datetime

from lineal.extractors.llm.prompt import question_of, readable
from lineal.extractors.llm.reading import read
from lineal.models.asking import Ask
from lineal.models.schema import Schema
from lineal.policy.limits import is_plain
from lineal.ports.extractor import Extracted

__all__ = ["LlmExtractor"]

NAME_CHARS_MAX = 120
"""Of a model's name; a longer one is not taken down."""

_log = logging.getLogger("lineal.llm")


class LlmExtractor:
    """Reads a text by one question to a model. name: the model's, when its answer doesn't say."""

    def __init__(self, ask: Ask, name: str) -> None:
        self._ask = ask
        self._name = name

    async def extract(
        self, schema: Schema, text: str, occurred_at: datetime, ask: Ask | None = None
    ) -> Extracted:
        """What the model says and the text bears out. Asks nothing where nothing could be said.

        ask: not used; whom this extractor asks was settled when it was made.
        Raises LinealError unavailable when the model gives no answer of use.
        """
        if not (readable(schema) and text.strip()):
            return Extracted(model_version=self._version(self._name))
        said = await self._ask(question_of(schema, text, occurred_at))
        found = read(schema, text, said.text, occurred_at)
        version = self._version(said.model)
        _log.info("%s: %d values, dropped %s", version, len(found.finds), list(found.dropped))
        return Extracted(finds=found.finds, model_version=version)

    def _version(self, model: str) -> str:
        """llm:<model>, if that is a name one can read; else by our own name of it."""
        plausible = 0 < len(model) <= NAME_CHARS_MAX and is_plain(model)
        return f"llm:{model if plausible else self._name}"
