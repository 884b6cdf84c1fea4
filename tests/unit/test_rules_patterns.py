"""A schema's own regular expressions."""

from __future__ import annotations

from datetime import UTC, datetime
from time import monotonic

import anyio
import pytest

from lineal.extractors.rules import RulesExtractor
from lineal.models.schema import FieldSpec, Schema

SLOW = Schema(
    domain="slow",
    version=1,
    fields={
        "odd": FieldSpec(kind="hard", type="string", patterns=("((a|aa)+)$",)),
        "seat": FieldSpec(kind="hard", type="enum", values={"aisle": ("aisle seat",)}),
    },
)


def test_a_slow_expression_holds_nobody_up_and_the_rest_is_read_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    began = monotonic()
    text = "An aisle seat. " + "a" * 60 + "c"
    found = anyio.run(RulesExtractor().extract, SLOW, text, datetime(2026, 3, 1, tzinfo=UTC))
    assert [(find.field, find.value) for find in found.finds] == [("seat", "aisle")]
    # It would take longer than the universe has been there.
    assert monotonic() - began < 5
    assert "'odd'" in caplog.text
    assert "aaa" not in caplog.text
