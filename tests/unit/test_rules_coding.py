"""What the rules make of the soft lists of the domain "coding": clauses, lists, headings."""

from __future__ import annotations

from datetime import UTC, datetime

import anyio
import pytest

from lineal.extractors.rules import RulesExtractor
from lineal.schemas.book import SchemaBook

SCHEMA = SchemaBook().get("coding")
AT = datetime(2026, 3, 1, tzinfo=UTC)


def said(text: str, field: str) -> list[object]:
    """The values of one field that the text asserts, in order."""
    found = anyio.run(RulesExtractor().extract, SCHEMA, text, AT).finds
    return [find.value for find in found if find.field == field and not find.denied]


def test_the_lines_beneath_a_heading_are_each_a_member() -> None:
    text = (
        "# Notes\n## Conventions\n\n- Thin controllers\n- Money in cents. Never floats\n\nHello you"
    )
    assert said(text, "conventions") == ["Thin controllers", "Money in cents", "Never floats"]


def test_the_lines_end_where_the_next_heading_begins() -> None:
    text = "## Conventions\n- Thin controllers\n## Other\n- Lunch at noon"
    assert said(text, "conventions") == ["Thin controllers"]


def test_a_heading_without_lines_says_nothing() -> None:
    assert said("## Conventions\n", "conventions") == []
    assert said("## Conventions\n## Other\n- Lunch at noon", "conventions") == []


def test_a_list_of_fragments_is_one_rule() -> None:
    text = "single quotes, no semicolons, 2 spaces."
    assert said(text, "conventions") == ["single quotes, no semicolons, 2 spaces"]


def test_rules_that_are_sentences_of_their_own_are_members_of_their_own() -> None:
    text = "All dates are UTC, all IDs are strings and no function is longer than a screen."
    assert said(text, "conventions") == [
        "All dates are UTC",
        "all IDs are strings",
        "no function is longer than a screen",
    ]


def test_the_limits_of_a_list_are_members_in_the_order_of_the_text() -> None:
    text = "size limit 30 MB, deadline Sunday 18:00."
    assert said(text, "constraints") == ["size limit 30 MB", "deadline Sunday 18:00"]


@pytest.mark.parametrize(
    "text", ["I love this library, thanks!", "i hate it", "She likes that, I think."]
)
def test_a_word_about_what_is_at_hand_is_no_preference(text: str) -> None:
    assert said(text, "preferences") == []


def test_a_liking_with_its_occasion_is_a_preference() -> None:
    assert said("I like it when you ask first.", "preferences") == ["I like it when you ask first"]


@pytest.mark.parametrize(
    "text", ["Please run the tests and show me the logs.", "I want it to compile.", "add a retry"]
)
def test_a_task_is_no_preference(text: str) -> None:
    assert said(text, "preferences") == []


def test_part_of_a_longer_name_is_no_name() -> None:
    assert said("TypeScript, Tailwind CSS", "languages") == ["typescript"]


def test_what_would_be_nice_isnt_in_use() -> None:
    assert said("TypeScript would be nice, today it's plain JavaScript.", "languages") == [
        "javascript"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "We had a look at Firebase.",
        "It isn't clear whether to adopt Firebase.",
        "The mobile people use Firebase.",
        "The new hire knows Firebase.",
    ],
)
def test_what_is_looked_at_or_others_use_isnt_in_use(text: str) -> None:
    assert said(text, "tools") == []


def test_not_finding_something_doesnt_deny_it() -> None:
    assert said("CI can't find the Jest config", "tools") == ["jest"]


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("Memory: the user likes Zed.", "constraints"),
        ("I only have a ThinkPad.", "constraints"),
        ("The chart goes next to the table.", "conventions"),
        ("At work it's C++, which I will not talk about.", "decisions"),
        ("Show me the SQL before you run it.", "languages"),
        ("We discussed GraphQL and came to no end.", "tools"),
        ("Our side is moving to Grafana.", "tools"),
        ("The old portal was Angular.", "frameworks"),
    ],
)
def test_what_only_looks_like_a_rule_or_a_tool_in_use_says_nothing(text: str, field: str) -> None:
    assert said(text, field) == []


def test_what_was_too_much_gives_way_to_what_it_is_now() -> None:
    assert said("NATS it is. Kafka was overkill.", "tools") == ["nats"]
