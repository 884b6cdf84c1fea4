"""The plain extractor: what stands in the text, where it stands."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.extractors.plain import PlainExtractor
from lineal.models.schema import FieldSpec, Schema
from lineal.policy.schemas import taken
from lineal.ports.extractor import Extraction
from lineal.schemas.book import SchemaBook

BOOK = SchemaBook()


def extracted(schema: Schema, text: str) -> tuple[Extraction, ...]:
    return anyio.run(PlainExtractor().extract, schema, text, None)


def values(domain: str, text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    schema = BOOK.get(domain)
    for find in extracted(schema, text):
        if schema.fields[find.field].type == "list":
            found.setdefault(find.field, []).append(find.value)
        else:
            found[find.field] = find.value
    return found


@pytest.mark.parametrize(
    ("domain", "text", "expected"),
    [
        ("coding", "We use uv and ruff.", {"package_manager": "uv", "tools": ["ruff"]}),
        ("coding", "I work on macOS with Neovim.", {"os": "macos", "editor": "neovim"}),
        ("coding", "Run the tests with `uv run pytest`.", {"test_command": "uv run pytest"}),
        ("coding", "k8s and Postgres", {"tools": ["kubernetes", "postgresql"]}),
        ("dating", "I'm 31, living in New York.", {"age": 31, "location": "New York"}),
        ("hiring", "I have 7 years of Rust.", {"years_experience": 7.0, "skills": ["rust"]}),
        ("hiring", "I expect €85,000.", {"salary_expectation": 85_000.0}),
        ("coding", "Nothing to see here.", {}),
        ("coding", "", {}),
    ],
)
def test_values_are_found_by_words_and_patterns(
    domain: str, text: str, expected: dict[str, Any]
) -> None:
    """U3, A4"""
    found = values(domain, text)
    assert {name: found.get(name) for name in expected} == expected
    assert expected or not found


@pytest.mark.parametrize("text", ["I write C++ daily.", "C# is fine", "we use c++, mostly"])
def test_a_word_that_ends_in_a_sign_is_found(text: str) -> None:
    assert values("coding", text).get("languages")


@pytest.mark.parametrize(
    "text",
    ["I don't use vim", "I don’t use vim", "We never liked vim", "not vim", "no vim please"],
)
def test_a_word_with_a_negation_before_it_is_passed_over(text: str) -> None:
    assert "editor" not in values("coding", text)


def test_a_negation_in_another_clause_doesnt_count() -> None:
    assert values("coding", "I don't smoke, I use vim")["editor"] == "vim"


@pytest.mark.parametrize(
    ("domain", "text", "field"),
    [
        ("dating", "I never eat meat.", "smoking"),
        ("dating", "I go hiking regularly.", "smoking"),
        ("dating", "She has a dog.", "children"),
        ("dating", "She wants to travel.", "children"),
        ("coding", "Make sure the build passes.", "tools"),
        ("coding", "We ship in the spring.", "frameworks"),
        ("hiring", "I merged it to the master branch.", "education_level"),
    ],
)
def test_a_common_word_is_not_taken_for_a_value(domain: str, text: str, field: str) -> None:
    """U11: nothing is invented."""
    assert field not in values(domain, text)


def test_a_number_out_of_range_is_not_extracted() -> None:
    """U6: it would refuse the whole write."""
    assert "age" not in values("dating", "I'm 15 and at school.")


def test_the_first_find_wins_and_a_list_takes_them_all() -> None:
    found = values("coding", "vim, then emacs; python and rust")
    assert found["editor"] == "vim"
    assert found["languages"] == ["python", "rust"]


def test_a_derived_field_is_never_read_from_a_text() -> None:
    """U15"""
    assert "attachment_style" not in values("dating", "My style is secure, anxious at times.")


def test_a_schema_without_rules_finds_nothing() -> None:
    """U11"""
    assert extracted(Schema(domain="garden", version=1), "Roses, 5 of them.") == ()


TYPED = Schema(
    domain="garden",
    version=1,
    fields={
        "planted": FieldSpec(kind="hard", type="date", patterns=(r"planted (\S+)",)),
        "height": FieldSpec(kind="hard", type="number", patterns=(r"height (\S+)",)),
        "note": FieldSpec(kind="soft", type="string", patterns=(r"note:(.*)",)),
    },
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("planted 2026-03-01", {"planted": "2026-03-01"}),
        ("planted yesterday", {}),
        ("height 1.5", {"height": 1.5}),
        ("height nan", {}),
        ("height inf", {}),
        ("height tall", {}),
        ("note:   ", {}),
    ],
)
def test_only_what_the_schema_would_take_is_extracted(text: str, expected: dict[str, Any]) -> None:
    """U6: a text must not be refused for what a pattern found in it."""
    assert {find.field: find.value for find in extracted(TYPED, text)} == expected


WORDS = ["I", "am", "31", "years", "old", "living in", "Rome", "not", "vegan", "love", "hiking"]
WORDS += ["we use", "python", "c++", "`x`", "$100,000", "never", "has", "don't", ",", "."]
TEXTS = st.text(max_size=300) | st.lists(st.sampled_from(WORDS)).map(" ".join)


@pytest.mark.parametrize("domain", BOOK.domains())
@given(text=TEXTS)
def test_every_value_has_its_place_in_the_text_and_is_one_the_schema_takes(
    domain: str, text: str
) -> None:
    """U3"""
    schema = BOOK.get(domain)
    for find in extracted(schema, text):
        start, end = find.span
        assert 0 <= start < end <= len(text)
        assert text[start:end].strip()
        assert 0 <= find.confidence <= 1
        taken(find.field, schema.fields[find.field], find.value)
