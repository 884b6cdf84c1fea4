"""What follows from a row's fields follows every time, and says from what (U15)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.models.claim import FieldValue, ValueSource
from lineal.models.schema import Case, Condition, Derive, FieldSpec, Schema
from lineal.policy.deriving import derived
from lineal.policy.merging import appended

from .claims_said import SCHEMA, at, denied, fields_of, read, stated


def follows(condition: Condition, value: Any) -> bool:
    """Whether the condition holds of this value of a field."""
    derive = Derive(cases=(Case(value="yes", when={"field": condition}),))
    spec = FieldSpec(kind="derived", type="string", derive=derive)
    schema = Schema(domain="d", version=1, fields={"follows": spec})
    return "follows" in derived(schema, {"field": FieldValue(value=value)}, {}, at(0))


def of(**said: Any) -> dict[str, FieldValue]:
    return derived(SCHEMA, fields_of(**said), {}, at(9))


def test_the_first_case_that_holds_gives_the_value() -> None:
    assert of(years=(read(8),))["level"].value == "senior"
    assert of(years=(read(2),))["level"].value == "junior"


def test_nothing_follows_where_no_case_holds() -> None:
    assert of(years=(read(5),)) == {}
    assert of() == {}


def test_nothing_follows_from_what_was_taken_back() -> None:
    assert of(years=(read(8), denied(8, 1))) == {}


@pytest.mark.parametrize(
    ("condition", "holds", "fails"),
    [
        (Condition(any_of=("vim", "emacs")), ["vim", ["nano", "emacs"]], ["nano", ["nano"], []]),
        (Condition(minimum=2), [2, 2.5], [1, "3", True, [3], None]),
        (Condition(maximum=2), [2, -1], [3, "1", False, None]),
        (Condition(minimum=1, maximum=2), [1, 2], [0, 3]),
        (Condition(words=("type safe",)), ["Type safe code", ["a", "type safe"]], ["typesafe", ""]),
        (Condition(words=("C++",)), ["I like c++.", "C++"], ["C", "xC++"]),
        (Condition(any_of=("vim",), words=("vim",)), ["vim"], ["emacs"]),
    ],
)
def test_a_condition_holds_when_everything_given_does(
    condition: Condition, holds: list[Any], fails: list[Any]
) -> None:
    assert [follows(condition, value) for value in holds] == [True] * len(holds)
    assert [follows(condition, value) for value in fails] == [False] * len(fails)


@given(
    tools=st.lists(st.sampled_from("abc"), unique=True),
    likes=st.lists(st.sampled_from("bcd"), unique=True),
)
def test_a_union_holds_every_member_of_every_field_once(tools: list[str], likes: list[str]) -> None:
    claims = {
        "tools": tuple(map(read, tools)),
        "preferences": tuple(map(read, likes)),
    }
    stack = of(**{name: said for name, said in claims.items() if said}).get("stack")
    assert (stack.value if stack else []) == list(dict.fromkeys([*tools, *likes]))


def test_a_stated_emptiness_gives_no_union() -> None:
    assert of(tools=(stated([]),)) == {}


def test_a_derived_value_is_as_old_as_the_newest_and_as_sure_as_the_least_that_it_rests_on() -> (
    None
):
    stack = of(
        tools=(read("uv", 3, "ctx_1", confidence=0.7), read("ruff", 1, "ctx_2", confidence=0.9)),
        preferences=(stated("tabs", 2),),
    )["stack"]
    (claim,) = stack.claims
    assert claim.source is ValueSource.DERIVED
    assert (claim.occurred_at, claim.recorded_at, claim.confidence) == (at(3), at(9), 0.7)
    assert claim.context_id is None


def test_a_rules_own_doubt_counts_too() -> None:
    (claim,) = of(years=(read(8, confidence=0.5),))["level"].claims
    assert (claim.confidence, claim.context_id) == (0.4, "ctx_1")


def test_what_only_stands_counts_as_what_it_rests_on() -> None:
    """A value that lost is no reason for the one that follows."""
    (claim,) = of(years=(read(8), read(3, 5, "ctx_2", confidence=0.1)))["level"].claims
    assert (claim.context_id, claim.confidence, claim.occurred_at) == ("ctx_1", 0.72, at(0))


def test_what_does_not_move_keeps_its_times() -> None:
    """U1"""
    fields = fields_of(years=(stated(8),))
    old = derived(SCHEMA, fields, {}, at(1))
    assert derived(SCHEMA, fields, old, at(2)) == old
    more = {**fields, **fields_of(editor=(read("vim", 5),), years=(stated(8), read(3, 7)))}
    assert derived(SCHEMA, more, old, at(8)) == old


def test_what_follows_from_another_text_says_so() -> None:
    old = derived(SCHEMA, fields_of(years=(read(8),)), {}, at(1))
    fields = fields_of(years=(read(9, 1, "ctx_2"),))
    (claim,) = derived(SCHEMA, fields, old, at(2))["level"].claims
    assert (claim.context_id, claim.recorded_at) == ("ctx_2", at(2))


def test_what_follows_goes_with_what_it_follows_from() -> None:
    fields = fields_of(years=(read(8),))
    old = derived(SCHEMA, fields, {}, at(1))
    assert derived(SCHEMA, appended(SCHEMA, fields, {}, "ctx_1"), old, at(2)) == {}
