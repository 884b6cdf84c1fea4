"""What the rules make of numbers, units, money, dates and places, and where they stand."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.extractors.rules import RulesExtractor
from lineal.extractors.rules.money import money_at
from lineal.extractors.rules.numbers import number_at
from lineal.extractors.rules.tokens import tokens
from lineal.models.schema import FieldSpec, Schema
from lineal.policy.schemas import taken
from lineal.ports.extractor import Extraction
from lineal.schemas.book import SchemaBook

BOOK = SchemaBook()
AT = datetime(2026, 3, 1, tzinfo=UTC)

HOSTILE_S = 2.0
"""Far above the tenth of a second that it takes, and far below what a blow-up would."""


def extracted(schema: Schema, text: str) -> tuple[Extraction, ...]:
    return anyio.run(RulesExtractor().extract, schema, text, AT).finds


def said(domain: str, text: str) -> dict[str, Any]:
    return {find.field: find.value for find in extracted(BOOK.get(domain), text) if not find.denied}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("32", 32),
        ("thirty-two", 32),
        ("nineteen", 19),
        ("1,500", 1_500),
        ("62.000", 62_000),
        ("12 000", 12_000),
        ("80k", 80_000),
        ("1.5", 1.5),
        ("70-80k", 70_000),
        ("5 to 7", 5),
        ("5+", 5),
        ("about 40", 40),
        ("a couple of", 2),
        ("a dozen", 12),
        ("half a", 0.5),
        ("1" * 40, None),
        ("vegan", None),
    ],
)
def test_a_number_is_read_in_digits_and_words(text: str, value: float | None) -> None:
    found = number_at(tokens(text), 0)
    assert (found.value if found else None) == value


@pytest.mark.parametrize(
    ("text", "yearly", "currency"),
    [
        ("€85k", 85_000, "EUR"),
        ("5k a month", 60_000, None),
        ("$22 an hour", 45_760, "USD"),
        ("CHF 160,000", 160_000, "CHF"),
        ("12 000 PLN per month", 144_000, "PLN"),
        ("S$8,000 monthly", 96_000, "SGD"),
        ("18 LPA", 1_800_000, "INR"),
        ("50k€", 50_000, "EUR"),
    ],
)
def test_money_is_read_with_its_currency_and_period(
    text: str, yearly: float, currency: str | None
) -> None:
    found = money_at(tokens(text), 0)
    assert found is not None
    assert (found.value * found.a_year, found.currency) == (yearly, currency)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Notice period: two weeks.", {"notice_period_days": 14}),
        ("3 months notice", {"notice_period_days": 90}),
        ("I can start immediately.", {"notice_period_days": 0}),
        ("Nine years of experience.", {"years_experience": 9}),
        ("Carpenter for a quarter of a century.", {"years_experience": 25, "role": "Carpenter"}),
        ("Working since 2022.", {"years_experience": 4}),
        (
            "Expecting €70-80k.",
            {"salary_expectation": 70_000, "salary_currency": "EUR"},
        ),
        (
            "Expecting 5k USD a month.",
            {"salary_expectation": 60_000, "salary_currency": "USD"},
        ),
        (
            "I earn £45k now and want at least £55k.",
            {"salary_expectation": 55_000, "salary_currency": "GBP"},
        ),
    ],
)
def test_amounts_are_in_the_fields_own_unit(text: str, expected: dict[str, Any]) -> None:
    assert said("hiring", text) == expected


def test_a_range_is_less_sure_than_a_number() -> None:
    one, several = (
        next(f for f in extracted(BOOK.get("hiring"), text) if f.field == "salary_expectation")
        for text in ("Expecting €70k.", "Expecting €70-80k.")
    )
    assert several.confidence < one.confidence


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("Born in March 1991.", 34),
        ("I was born on 1990-02-28.", 36),
        ("Born 1996.", 29),
        ("I'm 26, in Lagos.", 26),
        ("28M", 28),
        ("I just turned thirty.", 30),
        ("A man of forty.", 40),
        ("I'm 15 and at school.", None),
        ("I run 30 km a week.", None),
    ],
)
def test_an_age_is_counted_from_when_it_was_said(text: str, age: int | None) -> None:
    assert said("dating", text).get("age") == age


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("I live in SF.", "San Francisco, CA"),
        ("home is DC now", "Washington, DC"),
        ("Philly based", "Philadelphia, PA"),
        ("based in Austin, TX", "Austin, TX"),
        ("living in Rio de Janeiro", "Rio de Janeiro"),
        ("I live in Upper Wobbling.", "Upper Wobbling"),
        ("Wollongong. Likes chess.", "Wollongong"),
    ],
)
def test_a_place_is_as_written_and_a_nickname_is_canonical(text: str, place: str) -> None:
    assert said("dating", text)["location"] == place


DATED = Schema(
    domain="garden",
    version=1,
    fields={
        "planted": FieldSpec(kind="hard", type="date", says=("planted {date}",)),
        "seen": FieldSpec(kind="hard", type="date", patterns=(r"seen (\S+)",)),
        "height": FieldSpec(kind="hard", type="number", patterns=(r"height (\S+)",)),
        "note": FieldSpec(kind="soft", type="string", patterns=(r"note:(.*)",)),
        "fenced": FieldSpec(
            kind="hard", type="boolean", values={"true": ("a fence",)}, opposite={}
        ),
    },
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("planted yesterday", {"planted": "2026-02-28"}),
        ("planted May 3, 2025", {"planted": "2025-05-03"}),
        ("planted 3 May 2025", {"planted": "2025-05-03"}),
        ("planted two weeks ago", {"planted": "2026-02-15"}),
        ("planted last spring", {}),
        ("seen 2026-03-01", {"seen": "2026-03-01"}),
        ("seen 2026-02-30", {}),
        ("height 1.5", {"height": 1.5}),
        ("height nan", {}),
        ("height tall", {}),
        ("note:   ", {}),
        ("note: mind the slugs", {"note": "mind the slugs"}),
        ("It has a fence.", {"fenced": True}),
    ],
)
def test_ones_own_schema_gets_the_same_reading(text: str, expected: dict[str, Any]) -> None:
    """U6: and only what the schema would take."""
    assert {find.field: find.value for find in extracted(DATED, text)} == expected


def test_a_schema_without_fields_finds_nothing() -> None:
    """U11"""
    assert extracted(Schema(domain="garden", version=0), "Roses, 5 of them.") == ()


def test_a_derived_field_is_never_read() -> None:
    """U15"""
    assert "attachment_style" not in said("dating", "My style is secure, anxious at times.")


@pytest.mark.parametrize(
    "part",
    ["(", "not ", ",", "1", "1 ", "a.", "`", '"a b c" ', "i love ", "70-80k ", "live in Rome, "],
)
@pytest.mark.parametrize("domain", BOOK.domains())
def test_a_hostile_text_takes_no_longer_than_any(domain: str, part: str) -> None:
    text = part * (100_000 // len(part))
    extracted(BOOK.get(domain), "warm")
    start = time.process_time()
    extracted(BOOK.get(domain), text)
    assert time.process_time() - start < HOSTILE_S


def test_only_the_beginning_of_a_long_text_is_read() -> None:
    assert said("dating", "x " * 10_000 + "I'm 31.") == {}


WORDS = ["I", "am", "31", "years", "old", "living in", "Rome", "not", "vegan", "love", "hiking"]
WORDS += ["we use", "python", "c++", "`x`", "$100,000", "never", "has", "don't", ",", ".", "İ", "’"]
WORDS += ["must", "prefer", "born in", "1991", "two weeks", "notice", "my sister", "\n", "?", "“"]
TEXTS = st.text(max_size=200) | st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join)


@pytest.mark.parametrize("domain", BOOK.domains())
@given(text=TEXTS)
def test_every_value_has_its_place_and_is_one_the_schema_takes(domain: str, text: str) -> None:
    """U3"""
    schema = BOOK.get(domain)
    finds = extracted(schema, text)
    for find in finds:
        start, end = find.span
        assert 0 <= start < end <= len(text)
        assert text[start:end].strip()
        assert 0 <= find.confidence <= 1
        taken(find.field, schema.fields[find.field], find.value)
    assert extracted(schema, text) == finds
