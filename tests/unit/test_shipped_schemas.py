"""The shipped schemas: what they read of the labelled texts, and what follows from it."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from lineal.schemas.book import SchemaBook

BENCH = Path(__file__).parents[1] / "bench" / "bench_extraction.py"
OWN = Path(__file__).parents[2] / "config" / "schemas"

F1_MIN = {"dating": 0.95, "hiring": 0.95, "coding": 0.96}
PRECISION_MIN = {"dating": 0.95, "hiring": 0.95, "coding": 0.97}
"""Of the texts that the rules were written with: what was reached stays reached."""

MORE_MIN = {"dating": (0.94, 0.97), "coding": (0.91, 0.95)}
"""(F1, precision) of the texts that came later, each scored once before the rules saw it."""


def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_extraction", BENCH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("domain", F1_MIN)
def test_the_labelled_texts_are_read_as_well_as_ever(domain: str) -> None:
    tally = bench().scored(domain, "seen")["all"]
    assert tally.f1 >= F1_MIN[domain]
    assert tally.precision >= PRECISION_MIN[domain]


@pytest.mark.parametrize("domain", MORE_MIN)
def test_other_peoples_words_are_read_as_well_as_ever(domain: str) -> None:
    tally = bench().scored(domain, "more")["all"]
    f1_min, precision_min = MORE_MIN[domain]
    assert tally.f1 >= f1_min
    assert tally.precision >= precision_min


def test_the_example_of_ones_own_schema_is_sound() -> None:
    book = SchemaBook([OWN])
    files = [path.stem for path in sorted(OWN.glob("*.json"))]
    assert [book.get(domain).domain for domain in files] == files


@pytest.mark.parametrize("domain", SchemaBook().domains())
def test_every_value_that_a_match_compares_is_listed(domain: str) -> None:
    """A seeker's value without a line of its own would fit nobody."""
    for name, spec in SchemaBook().get(domain).fields.items():
        if spec.match is not None and spec.match.rule == "compatible":
            assert set(spec.match.fits) == set(spec.values), name


@pytest.mark.parametrize("domain", SchemaBook().domains())
def test_every_derived_field_says_how(domain: str) -> None:
    for name, spec in SchemaBook().get(domain).fields.items():
        derive = spec.derive
        says_how = derive is not None and bool(derive.union or derive.cases)
        assert says_how == (spec.kind == "derived"), name


def test_the_files_are_readable_lines() -> None:
    """They are meant to be read and changed by hand."""
    for path in (Path(__file__).parents[2] / "src" / "lineal" / "schemas").glob("*.json"):
        assert json.loads(path.read_text(encoding="utf-8"))["description"]
