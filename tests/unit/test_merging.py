"""New values meet old ones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.models.schema import FieldSpec, Schema
from lineal.models.user import FieldValue, ValueSource
from lineal.policy.merging import appended, changed, soft_text, upserted

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)

SCHEMA = Schema(
    domain="coding",
    version=1,
    fields={
        "editor": FieldSpec(kind="hard", type="string"),
        "tools": FieldSpec(kind="hard", type="list", merge="union"),
        "years": FieldSpec(kind="hard", type="number", merge="max"),
        "birthplace": FieldSpec(kind="hard", type="string", merge="first"),
        "preferences": FieldSpec(kind="soft", type="list", merge="union"),
        "values_text": FieldSpec(kind="soft", type="string"),
    },
)


def read(value: Any, at: int = 0, **other: Any) -> FieldValue:
    """Extracted from an append whose event was `at` hours after NOW."""
    return FieldValue(
        **{
            "value": value,
            "source": ValueSource.EXTRACTED,
            "origin": "append",
            "occurred_at": NOW + timedelta(hours=at),
            "recorded_at": NOW,
            **other,
        }
    )


def stated(value: Any, at: int = 0, origin: Literal["upsert", "append"] = "upsert") -> FieldValue:
    return read(value, at, source=ValueSource.STATED, origin=origin)


def value_after(name: str, *events: FieldValue) -> Any:
    fields: dict[str, FieldValue] = {}
    for event in events:
        fields = appended(SCHEMA, fields, {name: event})
    return fields[name].value


def test_an_append_changes_nothing_else_in_the_row() -> None:
    """A4"""
    old = {"editor": read("vim"), "years": read(3)}
    new = appended(SCHEMA, old, {"tools": read(["ruff"])})
    assert {name: new[name] for name in old} == old
    assert new["tools"].value == ["ruff"]


def test_an_append_that_says_nothing_changes_nothing() -> None:
    """A4, A5"""
    old = {"editor": read("vim")}
    assert appended(SCHEMA, old, {}) == old
    assert changed(old, appended(SCHEMA, old, {})) == ()


def test_the_old_row_is_left_as_it_was() -> None:
    old = {"tools": read(["ruff"])}
    appended(SCHEMA, old, {"tools": read(["mypy"])})
    assert old["tools"].value == ["ruff"]


def test_a_newer_event_wins() -> None:
    """A10"""
    assert value_after("editor", read("vim", 1), read("emacs", 2)) == "emacs"


def test_an_older_event_that_arrives_late_does_not_overwrite() -> None:
    """A10"""
    assert value_after("editor", read("emacs", 2), read("vim", 1)) == "emacs"


def test_at_the_same_instant_the_later_received_wins() -> None:
    """A10"""
    assert value_after("editor", read("vim", 1), read("emacs", 1)) == "emacs"


@given(
    events=st.lists(
        st.tuples(st.integers(min_value=-50, max_value=50), st.text(max_size=3)),
        min_size=1,
        unique_by=lambda event: event[0],
    ),
    order=st.randoms(use_true_random=False),
)
def test_an_older_event_never_beats_a_newer_one_whatever_the_order_of_arrival(
    events: list[tuple[int, str]], order: Any
) -> None:
    """A10; the oracle is the newest of all."""
    arrived = list(events)
    order.shuffle(arrived)
    assert value_after("editor", *(read(value, at) for at, value in arrived)) == max(events)[1]


@given(
    events=st.lists(st.integers(min_value=-9, max_value=9), min_size=1),
    name=st.sampled_from(["editor", "birthplace"]),
)
def test_ties_go_by_order_of_receipt(events: list[int], name: str) -> None:
    """A10"""
    numbered = [read(place, at) for place, at in enumerate(events)]
    pick = max if name == "editor" else min
    best = pick(events)
    places = [place for place, at in enumerate(events) if at == best]
    assert value_after(name, *numbered) == (places[-1] if name == "editor" else places[0])


@given(values=st.lists(st.integers(), min_size=1), hours=st.lists(st.integers(-9, 9), min_size=1))
def test_a_maximum_is_the_largest_ever_said(values: list[int], hours: list[int]) -> None:
    events = [read(value, at) for value, at in zip(values, hours, strict=False)]
    assert value_after("years", *events) == max(event.value for event in events)


@given(lists=st.lists(st.lists(st.sampled_from("abcdef"), max_size=4), min_size=1))
def test_a_union_holds_every_member_once(lists: list[list[str]]) -> None:
    """A4, A10: nothing is overwritten, so no event can beat another."""
    members = value_after("tools", *(read(part, -n) for n, part in enumerate(lists)))
    assert set(members) == {member for part in lists for member in part}
    if len(lists) > 1:
        assert len(set(members)) == len(members)


def test_what_the_client_stated_stays_against_what_was_read() -> None:
    """A12"""
    for name, old, new in [
        ("editor", "vim", "emacs"),
        ("years", 3, 30),
        ("birthplace", "Rome", "Oslo"),
    ]:
        assert value_after(name, stated(old), read(new, 5)) == old


def test_a_stated_value_gives_way_to_a_newer_stated_one() -> None:
    """A12"""
    assert value_after("editor", stated("vim"), stated("emacs", 1)) == "emacs"


def test_what_was_read_gives_way_to_what_is_stated() -> None:
    """A12"""
    assert value_after("editor", read("vim"), stated("emacs", 1)) == "emacs"


def test_a_replacing_upsert_drops_what_an_earlier_upsert_set() -> None:
    """U7"""
    old = {"editor": stated("vim"), "years": read(3, origin="upsert")}
    fields = upserted(SCHEMA, old, {"birthplace": stated("Rome")}, replace_all=False)
    assert set(fields) == {"birthplace"}


def test_a_replacing_upsert_keeps_what_appends_brought() -> None:
    """U7"""
    old = {"editor": stated("vim"), "tools": read(["ruff"])}
    fields = upserted(SCHEMA, old, {"birthplace": stated("Rome")}, replace_all=False)
    assert fields == {"tools": old["tools"], "birthplace": stated("Rome")}


def test_the_new_payload_sets_even_what_appends_brought() -> None:
    """U7"""
    fields = upserted(
        SCHEMA, {"tools": read(["ruff"], 9)}, {"tools": stated([])}, replace_all=False
    )
    assert fields["tools"].value == []


def test_replace_all_drops_what_appends_brought_too() -> None:
    """U7"""
    assert upserted(SCHEMA, {"tools": read(["ruff"])}, {}, replace_all=True) == {}


NAMES = st.sampled_from([*SCHEMA.fields, "zebra", "apple"])
VALUES = st.builds(
    lambda value, said: stated(value) if said else read(value), st.integers(), st.booleans()
)
FIELDS = st.dictionaries(NAMES, VALUES)


@given(old=FIELDS, incoming=FIELDS, replace_all=st.booleans())
def test_the_same_upsert_twice_gives_the_same_row(
    old: dict[str, FieldValue], incoming: dict[str, FieldValue], replace_all: bool
) -> None:
    """U1, in the same order too"""
    once = upserted(SCHEMA, old, incoming, replace_all=replace_all)
    twice = upserted(SCHEMA, once, incoming, replace_all=replace_all)
    assert list(twice.items()) == list(once.items())


@given(old=FIELDS, incoming=FIELDS)
def test_a_row_keeps_its_schemas_order(
    old: dict[str, FieldValue], incoming: dict[str, FieldValue]
) -> None:
    """U1"""
    order = [*SCHEMA.fields, "apple", "zebra"]
    for fields in (upserted(SCHEMA, old, incoming, replace_all=False), appended(SCHEMA, {}, old)):
        assert list(fields) == sorted(fields, key=order.index)


def test_changed_names_the_fields_whose_value_differs_in_alphabetical_order() -> None:
    """A5"""
    old = {"editor": read("vim"), "years": read(3), "tools": read(["ruff"])}
    new = {"editor": read("emacs"), "years": read(3, 7), "birthplace": read("Rome")}
    assert changed(old, new) == ("birthplace", "editor", "tools")


@given(old=FIELDS, new=FIELDS)
def test_changed_is_empty_only_for_equal_values(
    old: dict[str, FieldValue], new: dict[str, FieldValue]
) -> None:
    """A5"""
    same = {n: v.value for n, v in old.items()} == {n: v.value for n, v in new.items()}
    assert (changed(old, new) == ()) == same
    assert changed(old, old) == ()


def test_a_head_is_made_of_soft_fields_only() -> None:
    """U6, U9"""
    fields = {
        "values_text": read("Honesty."),
        "editor": read("vim"),
        "extra": read("ignored"),
        "preferences": read(["tabs", "dark mode"]),
    }
    assert soft_text(SCHEMA, fields) == "tabs, dark mode\nHonesty."


@pytest.mark.parametrize("fields", [{}, {"editor": read("vim")}, {"extra": read("x")}])
def test_there_is_nothing_to_embed_without_soft_fields(fields: dict[str, FieldValue]) -> None:
    """A6, U11"""
    assert soft_text(SCHEMA, fields) == ""
