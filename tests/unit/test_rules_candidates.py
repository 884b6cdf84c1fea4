"""What is read of candidates in the words that people use of themselves and of others."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import anyio
import pytest

from lineal.extractors.rules import RulesExtractor
from lineal.schemas.book import SchemaBook

HIRING = SchemaBook().get("hiring")
AT = datetime(2026, 3, 1, tzinfo=UTC)


def said(text: str, field: str) -> Any:
    """What the text asserts of a field: its value, a list of members, None if it says nothing."""
    finds = anyio.run(RulesExtractor().extract, HIRING, text, AT).finds
    values = [find.value for find in finds if find.field == field and not find.denied]
    if HIRING.fields[field].type == "list":
        return values
    return values[0] if values else None


@pytest.mark.parametrize(
    ("text", "role"),
    [
        ("I was a barista for years but now I am a junior UX designer.", "junior UX designer"),
        ("Been a welder, been a waiter. Now a wind turbine technician.", "wind turbine technician"),
        ("I trained as a chemist, and I've been a food technologist since.", "food technologist"),
        ("Twelve years a teacher, in Leeds.", "teacher"),
    ],
)
def test_the_role_of_today_wins_over_the_one_that_was(text: str, role: str) -> None:
    assert said(text, "role") == role


@pytest.mark.parametrize(
    "text",
    [
        "Our nanny speaks five languages.",
        "We are a family of bakers.",
        "I should have been a dentist.",
        "What I need is a manager who listens.",
        "The job ad wants a senior Java developer.",
    ],
)
def test_what_somebody_else_is_is_no_role(text: str) -> None:
    assert said(text, "role") is None


@pytest.mark.parametrize(
    ("text", "yearly", "currency"),
    [
        ("I would not move for less than 68k EUR.", 68_000, "EUR"),
        ("I charge $95 an hour, but for a permanent role I'm after 130k.", 130_000, "USD"),
        ("Expectation is between 95,000 and 105,000 Swiss francs.", 95_000, "CHF"),
        ("Monthly 60,000 MXN would be ok.", 720_000, "MXN"),
        ("Currently 34k, would like 42k €.", 42_000, "EUR"),
        ("Forty-five grand, pounds.", 45_000, "GBP"),
        ("GHS 15k p.m.", 180_000, "GHS"),
    ],
)
def test_the_salary_is_the_one_that_is_asked_for(text: str, yearly: int, currency: str) -> None:
    assert said(text, "salary_expectation") == yearly
    assert said(text, "salary_currency") == currency


@pytest.mark.parametrize(
    "text",
    ["I'm on £18 an hour now.", "$34/hr now, let's talk.", "Twelve thousand hours on stage."],
)
def test_what_is_earned_or_counted_is_no_expectation(text: str) -> None:
    assert said(text, "salary_expectation") is None


@pytest.mark.parametrize(
    ("text", "years"),
    [
        ("Quant developer, five and a half years.", 5.5),
        ("Florist. Three and a half years.", 3.5),
        ("6 yrs QA engineer", 6),
        ("I have a green card since 2019.", None),
        ("Darmstadt since January.", None),
        ("I left 4 years ago.", None),
    ],
)
def test_years_are_those_of_work(text: str, years: float | None) -> None:
    assert said(text, "years_experience") == years


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("You asked about the notice period: it's three months.", 90),
        ("I need two weeks to leave my job.", 14),
        ("4 weeks' notice to the end of the month.", 28),
        ("I can be out of here in four weeks.", 28),
    ],
)
def test_notice_is_said_in_many_ways(text: str, days: int) -> None:
    assert said(text, "notice_period_days") == days


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("DevOps engineer in Austin, TX.", "Austin, TX"),
        ("Data engineer\nPune, India | 7 years", "Pune"),
        ("PGCE, BA. Teacher.", None),
        ("My train from Bonn to Cologne was late.", None),
    ],
)
def test_a_place_has_its_state_and_degrees_are_none(text: str, place: str | None) -> None:
    assert said(text, "location") == place


def test_names_side_by_side_vouch_for_each_other() -> None:
    assert said("sql tableau excel", "skills") == ["sql", "tableau", "excel"]


def test_a_list_ends_where_the_next_heading_begins() -> None:
    text = "Skills: Go, Terraform | Location: Toronto | Notice: 3 weeks"
    assert said(text, "skills") == ["go", "terraform"]


def test_a_yes_after_a_no_is_heard() -> None:
    assert said("It's a no to Salesforce, it's a yes to payroll.", "skills") == ["payroll"]


def test_what_is_not_finished_is_no_degree() -> None:
    assert said("I'm finishing my bachelor's this summer.", "education_level") is None
    assert said("PhD dropout, MSc though.", "education_level") == "master"
