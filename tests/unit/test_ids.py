"""Identifiers can't be guessed."""

from __future__ import annotations

import base64
import re

from lineal.ids import RandomIds, SequentialIds
from lineal.policy.limits import check_id

SAMPLE = 4_000


def _bits(context_id: str) -> int:
    token = context_id.removeprefix("ctx_").upper()
    return int.from_bytes(base64.b32decode(token + "=" * (-len(token) % 8)), "big")


def test_an_id_is_a_word_that_is_safe_in_a_url() -> None:
    for context_id in (RandomIds().context() for _ in range(100)):
        assert re.fullmatch(r"ctx_[a-z2-7]{26}", context_id)
        check_id("context_id", context_id)


def test_an_id_holds_at_least_122_random_bits() -> None:
    """16 bytes each, and every bit of them is seen as 0 and as 1 about as often."""
    ids = RandomIds()
    values = [_bits(ids.context()) for _ in range(SAMPLE)]
    assert len(set(values)) == SAMPLE
    ones = [sum(value >> place & 1 for value in values) for place in range(128)]
    # 400 is more than 12 standard deviations of a fair coin thrown 4,000 times.
    fair = [place for place, count in enumerate(ones) if abs(count - SAMPLE / 2) < 400]
    assert len(fair) == 128


def test_sequential_ids_count_from_one() -> None:
    ids = SequentialIds()
    assert [ids.context() for _ in range(3)] == ["ctx_1", "ctx_2", "ctx_3"]
