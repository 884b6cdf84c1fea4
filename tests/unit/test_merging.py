"""Claims become values: which of them stands, and what is left when one goes."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.models.claim import FieldValue
from lineal.models.schema import FieldSpec, Schema
from lineal.policy.merging import (
    SOFT_CHARS_MAX,
    Said,
    appended,
    changed,
    current,
    origin_of,
    relived,
    soft_text,
    unmoved,
    upserted,
    without,
)
from lineal.policy.standing import CLAIMS_OF_VALUE_MAX, MEMBERS_MAX, VALUES_MAX
from lineal.testing.samples import START

from .claims_said import SCHEMA, at, denied, fields_of, read, stated, value_after


def values(fields: dict[str, FieldValue]) -> dict[str, Any]:
    return {name: field.value for name, field in fields.items()}


def test_an_append_changes_nothing_else_in_the_row() -> None:
    """A4"""
    old = fields_of(editor=(read("vim"),), years=(read(3),))
    new = appended(SCHEMA, old, {"tools": (read("ruff", 0, "ctx_2"),)}, "ctx_2")
    assert {name: new[name] for name in old} == old
    assert new["tools"].value == ["ruff"]


def test_an_append_that_says_nothing_changes_nothing() -> None:
    """A4, A5"""
    old = fields_of(editor=(read("vim"),))
    assert appended(SCHEMA, old, {}, "ctx_2") == old
    assert changed(old, appended(SCHEMA, old, {}, "ctx_2")) == ()


def test_the_old_row_is_left_as_it_was() -> None:
    old = fields_of(tools=(read("ruff"),))
    appended(SCHEMA, old, {"tools": (read("mypy", 1, "ctx_2"),)}, "ctx_2")
    assert old == fields_of(tools=(read("ruff"),))


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
    claims = [read(value, hours) for hours, value in arrived]
    assert value_after("editor", *claims) == max(events)[1]


@given(
    hours=st.lists(st.integers(min_value=-9, max_value=9), min_size=1),
    name=st.sampled_from(["editor", "birthplace"]),
)
def test_ties_go_by_order_of_receipt(hours: list[int], name: str) -> None:
    """A10"""
    claims = [read(f"value {place}", hour) for place, hour in enumerate(hours)]
    best = (max if name == "editor" else min)(hours)
    places = [place for place, hour in enumerate(hours) if hour == best]
    expected = places[-1] if name == "editor" else places[0]
    assert value_after(name, *claims) == f"value {expected}"


@given(said=st.lists(st.tuples(st.integers(), st.integers(-9, 9)), min_size=1))
def test_a_maximum_is_the_largest_ever_said(said: list[tuple[int, int]]) -> None:
    """However many smaller ones were said since."""
    claims = [read(value, hours) for value, hours in said]
    assert value_after("years", *claims) == max(value for value, _ in said)


@given(said=st.lists(st.tuples(st.sampled_from("abcdefghijkl"), st.integers(-99, 99)), min_size=1))
def test_the_first_ever_said_stays(said: list[tuple[str, int]]) -> None:
    """However many others were said since."""
    claims = [read(value, hours) for value, hours in said]
    assert value_after("birthplace", *claims) == min(said, key=lambda one: one[1])[0]


@given(lists=st.lists(st.lists(st.sampled_from("abcdef"), max_size=4), min_size=1))
def test_a_union_holds_every_member_once(lists: list[list[str]]) -> None:
    """A4, A10: nothing is overwritten, so no event can beat another."""
    fields: dict[str, FieldValue] = {}
    for n, part in enumerate(lists):
        claims = tuple(read(member, -n, f"ctx_{n}") for member in part)
        fields = appended(SCHEMA, fields, {"tools": claims}, f"ctx_{n}")
    members = values(fields).get("tools", [])
    assert set(members) == {member for part in lists for member in part}
    assert len(set(members)) == len(members)


def test_members_stand_in_the_order_in_which_they_were_first_true() -> None:
    claims = [read("mypy", 2), read("ruff", 1), read("uv", 3)]
    assert value_after("tools", *claims) == ["ruff", "mypy", "uv"]


def test_mentioning_a_member_again_moves_nothing() -> None:
    """A5"""
    again = [read("ruff", hours) for hours in range(2, 9)]
    assert value_after("tools", read("ruff", 0), read("mypy", 1), *again) == ["ruff", "mypy"]


def test_what_the_client_stated_stays_against_what_was_read() -> None:
    """A12"""
    for name, old, new in [
        ("editor", "vim", "emacs"),
        ("years", 3, 30),
        ("birthplace", "Rome", "Oslo"),
    ]:
        assert value_after(name, stated(old), read(new, 5)) == old
        assert value_after(name, stated(old), denied(old, 5)) == old


def test_what_was_stated_is_never_crowded_out_by_what_was_read() -> None:
    """A12"""
    for name in ("editor", "birthplace"):
        early = [read(f"value {hours}", -hours) for hours in range(VALUES_MAX + 5)]
        late = [read(f"value {hours}", hours) for hours in range(VALUES_MAX + 5)]
        assert value_after(name, stated("vim"), *early, *late) == "vim"
        assert value_after(name, stated("vim"), *[read("vim", -1)] * 5, read("x", 3)) == "vim"


def test_a_stated_member_is_never_crowded_out_by_what_was_read() -> None:
    """A12"""
    others = [read(f"tool {hours}", hours) for hours in range(MEMBERS_MAX + 5)]
    members = value_after("tools", stated("ruff"), *others)
    assert "ruff" in members
    assert len(members) == MEMBERS_MAX


def test_a_stated_value_gives_way_to_a_newer_stated_one() -> None:
    """A12"""
    assert value_after("editor", stated("vim"), stated("emacs", 1)) == "emacs"


def test_what_was_read_gives_way_to_what_is_stated() -> None:
    """A12"""
    assert value_after("editor", read("vim"), stated("emacs", 1)) == "emacs"
    assert value_after("editor", read("vim", 9), stated("emacs", 1)) == "emacs"


def test_what_is_taken_back_stands_no_more() -> None:
    assert value_after("editor", read("vim"), denied("vim", 1)) is None
    assert value_after("tools", read("uv"), read("ruff"), denied("uv", 1)) == ["ruff"]
    assert value_after("tools", read("uv"), denied("uv", 1)) is None
    assert value_after("years", read(3), read(8), denied(8, 1)) == 3
    assert value_after("birthplace", read("Rome"), read("Oslo", 1), denied("Rome", 2)) == "Oslo"


def test_taking_back_the_latest_brings_nothing_older_back() -> None:
    """What one used before is no answer to what one uses now."""
    assert value_after("editor", read("vim"), read("emacs", 1), denied("emacs", 2)) is None


def test_what_is_taken_back_and_said_again_stands_again() -> None:
    for name, value in [("editor", "vim"), ("tools", "vim"), ("years", 3), ("birthplace", "Rome")]:
        claims = (read(value), denied(value, 1), read(value, 2))
        for order in permutations(claims):
            assert value_after(name, *order) == ([value] if name == "tools" else value)


def test_denying_something_else_takes_nothing_back() -> None:
    """However many things are denied."""
    others = [denied(f"value {hours}", hours) for hours in range(1, VALUES_MAX + 5)]
    for name in ("editor", "birthplace", "tools"):
        assert value_after(name, read("vim"), *others) in ("vim", ["vim"])
    many = [denied(f"value {hours}", hours) for hours in range(1, MEMBERS_MAX + 5)]
    assert value_after("tools", read("vim"), *many) == ["vim"]


def test_a_denial_that_is_older_than_a_claim_takes_nothing_back() -> None:
    """A10"""
    for name, value in [("editor", "vim"), ("years", 3), ("birthplace", "vim")]:
        assert value_after(name, read(value, 2), denied(value, 1)) == value
    assert value_after("tools", read("vim", 2), denied("vim", 1)) == ["vim"]


EVENTS = st.lists(st.tuples(st.sampled_from("abc"), st.booleans()), min_size=1, max_size=9)


@given(
    said=EVENTS,
    name=st.sampled_from(["editor", "tools", "years", "birthplace"]),
    order=st.randoms(use_true_random=False),
)
def test_the_order_of_arrival_changes_nothing(
    said: list[tuple[str, bool]], name: str, order: Any
) -> None:
    """A10, denials too, while no more is said of a value than is kept."""
    numbered = {"a": 1, "b": 2, "c": 3}
    claims = [
        read(numbered[value] if name == "years" else value, hours, denied=taken_back)
        for hours, (value, taken_back) in enumerate(said)
        if sum(one[0] == value for one in said[:hours]) < CLAIMS_OF_VALUE_MAX
    ]
    arrived = list(claims)
    order.shuffle(arrived)
    assert value_after(name, *arrived) == value_after(name, *claims)


def test_of_too_many_members_those_longest_unmentioned_are_let_go() -> None:
    claims = [read(f"tool {hours}", hours) for hours in range(MEMBERS_MAX)]
    members = value_after("tools", *claims, read("tool 0", 99), read("new", 100))
    assert members == ["tool 0", *(f"tool {n}" for n in range(2, MEMBERS_MAX)), "new"]


@given(said=st.lists(st.tuples(st.integers(0, 60), st.booleans()), min_size=1, max_size=80))
def test_what_is_kept_has_a_bound(said: list[tuple[int, bool]]) -> None:
    fields: dict[str, FieldValue] = {}
    for hours, (number, taken_back) in enumerate(said):
        claim = read(str(number % 50), hours, f"ctx_{hours}", denied=taken_back)
        both = {"tools": (claim,), "editor": (claim,)}
        fields = appended(SCHEMA, fields, both, f"ctx_{hours}")
    of_value = 2 * CLAIMS_OF_VALUE_MAX
    assert len(fields["tools"].claims) <= MEMBERS_MAX * of_value
    assert len(fields["editor"].claims) <= VALUES_MAX * of_value


def test_a_value_and_its_name_in_words_are_two() -> None:
    """3 and "3", and the member "[]" beside a stated emptiness."""
    assert value_after("tools", stated([]), read("[]", 1)) == ["[]"]
    assert value_after("tools", read(3), denied("3", 1)) == [3]


def test_a_stated_emptiness_stands_until_something_is_named() -> None:
    assert value_after("tools", stated([])) == []
    fields = fields_of(tools=(stated([]), read("ruff", 1)))
    assert fields["tools"].value == ["ruff"]
    assert [fields["tools"].claims[n].value for n in fields["tools"].standing] == ["ruff"]


def test_a_list_whose_newest_stands_is_replaced_whole() -> None:
    assert value_after("ranking", read(["a", "b"]), read(["c"], 1)) == ["c"]


def test_a_replacing_upsert_drops_what_an_earlier_upsert_set() -> None:
    """U7"""
    old = fields_of(editor=(stated("vim"),), years=(read(3, origin="upsert"),))
    said = {"birthplace": (stated("Rome"),)}
    assert set(upserted(SCHEMA, old, said, replace_all=False)) == {"birthplace"}


def test_a_replacing_upsert_keeps_what_appends_brought() -> None:
    """U7"""
    old = fields_of(editor=(stated("vim"),), tools=(read("ruff"),))
    said = {"birthplace": (stated("Rome"),)}
    fields = upserted(SCHEMA, old, said, replace_all=False)
    assert fields == fields_of(tools=(read("ruff"),), birthplace=(stated("Rome"),))


def test_of_a_list_only_what_appends_brought_stays() -> None:
    """U7"""
    old = fields_of(tools=(stated("uv"), read("ruff", 1)))
    assert upserted(SCHEMA, old, {}, replace_all=False)["tools"].value == ["ruff"]


def test_the_new_payload_sets_even_what_appends_brought() -> None:
    """U7"""
    old = fields_of(tools=(read("ruff", 9),), editor=(read("vim", 9),))
    said = {"tools": (stated([]),), "editor": (read("emacs", origin="upsert"),)}
    fields = upserted(SCHEMA, old, said, replace_all=False)
    assert values(fields) == {"tools": [], "editor": "emacs"}


def test_an_upsert_that_only_denies_sets_nothing() -> None:
    """U7: what appends brought meets the denial."""
    old = fields_of(tools=(read("ruff"), read("uv")))
    said = {"tools": (denied("uv", 1, "ctx_2", origin="upsert"),)}
    assert upserted(SCHEMA, old, said, replace_all=False)["tools"].value == ["ruff"]


def test_replace_all_drops_what_appends_brought_too() -> None:
    """U7"""
    assert upserted(SCHEMA, fields_of(tools=(read("ruff"),)), {}, replace_all=True) == {}


def test_the_verb_that_brought_a_context_is_known_by_its_claims() -> None:
    """U7: reading the text of an upsert again doesn't make an append of it."""
    old = fields_of(editor=(read("vim", 0, "ctx_10", origin="upsert"),), tools=(read("uv"),))
    assert origin_of(old, "ctx_10") == "upsert"
    assert origin_of(old, "ctx_1") == "append"
    assert origin_of(old, "ctx_99") == "append"


def test_a_context_that_is_read_again_says_only_the_new() -> None:
    """N22"""
    old = fields_of(editor=(read("vim"),), tools=(read("uv"), read("ruff", 1, "ctx_2")))
    new = appended(SCHEMA, old, {"years": (read(3),)}, "ctx_1")
    assert values(new) == {"tools": ["ruff"], "years": 3}


def test_reading_a_context_again_leaves_another_with_a_longer_id_alone() -> None:
    old = fields_of(editor=(read("vim", 0, "ctx_10"),))
    assert appended(SCHEMA, old, {}, "ctx_1") == old


CONTEXTS = st.integers(0, 4)
SAYINGS = st.lists(
    st.tuples(
        CONTEXTS, st.sampled_from(["editor", "tools", "years", "birthplace"]), st.sampled_from("ab")
    ),
    max_size=10,
    unique=True,
)


@given(said=SAYINGS, gone=CONTEXTS, taken_back=st.sets(st.integers(0, 9)))
def test_what_a_context_said_goes_as_if_it_had_never_been_said(
    said: list[tuple[int, str, str]], gone: int, taken_back: set[int]
) -> None:
    """L6, while no more is said of a value than is kept."""

    def after(contexts: set[int]) -> dict[str, FieldValue]:
        fields: dict[str, FieldValue] = {}
        for hours, (context, name, letter) in enumerate(said):
            heard = [one[1:] for one in said[:hours] if one[0] in contexts]
            value = ord(letter) if name == "years" else letter
            claim = read(value, hours, f"ctx_{context}", denied=hours in taken_back)
            if context in contexts and heard.count((name, letter)) < CLAIMS_OF_VALUE_MAX:
                fields = appended(SCHEMA, fields, {name: (claim,)}, f"ctx_{hours}_none")
        return fields

    all_of_them = set(range(5))
    if all(sum(one[1:] == other[1:] for other in said) <= CLAIMS_OF_VALUE_MAX for one in said):
        left = without(SCHEMA, after(all_of_them), frozenset((f"ctx_{gone}",)))
        assert left == after(all_of_them - {gone})


def test_forgetting_one_text_leaves_what_another_said_too() -> None:
    """L6"""
    old = fields_of(tools=(read("ruff"), read("ruff", 1, "ctx_2"), read("uv")))
    fields = without(SCHEMA, old, frozenset(("ctx_1",)))
    assert fields["tools"].value == ["ruff"]
    assert without(SCHEMA, fields, frozenset(("ctx_2",))) == {}


def test_a_forgotten_denial_brings_back_what_it_took() -> None:
    old = fields_of(editor=(read("vim"), denied("vim", 1, "ctx_2")))
    assert values(old) == {"editor": None}
    assert values(without(SCHEMA, old, frozenset(("ctx_2",)))) == {"editor": "vim"}


def test_a_value_is_gone_from_the_instant_its_context_ends() -> None:
    """T1"""
    old = fields_of(editor=(read("vim"), read("emacs", 1, "ctx_2", expires_at=at(5))))
    assert current(SCHEMA, old, at(4.999)) is old
    assert values(dict(current(SCHEMA, old, at(5)))) == {"editor": "vim"}
    assert current(SCHEMA, fields_of(tools=(read("uv", expires_at=at(1)),)), at(1)) == {}


def test_the_first_of_several_ends_is_the_fields() -> None:
    """T1, of values that don't stand too: they are shown as conflicts."""
    claims = (read("vim", 0, expires_at=at(3)), read("emacs", 1, "ctx_2", expires_at=at(5)))
    assert fields_of(editor=claims)["editor"].ends_at == at(3)
    left = dict(current(SCHEMA, fields_of(editor=claims), at(3)))
    assert (left["editor"].value, left["editor"].ends_at) == ("emacs", at(5))


def test_a_context_that_lives_longer_keeps_what_it_said_longer() -> None:
    """A7, T1"""
    old = fields_of(editor=(read("vim", expires_at=at(1)),), tools=(read("uv", 0, "ctx_2"),))
    assert relived(SCHEMA, old, "ctx_1", at(9))["editor"].ends_at == at(9)
    forever = relived(SCHEMA, old, "ctx_1", None)
    assert current(SCHEMA, forever, at(10_000)) is forever
    assert relived(SCHEMA, old, "ctx_3", at(0)) == old


def test_a_field_that_the_schema_has_no_more_goes_on_as_it_was() -> None:
    gone = Schema(domain="coding", version=2)
    old = fields_of(
        editor=(read("vim"), read("emacs", 1, "ctx_2")),
        tools=(read("uv"), read("ruff", 1, "ctx_2")),
        ranking=(read(["a"]), read(["b"], 1, "ctx_2")),
    )
    left = without(gone, old, frozenset(("ctx_2",)))
    assert values(left) == {"editor": "vim", "tools": ["uv"], "ranking": ["a"]}


def test_a_field_whose_rule_changed_takes_what_was_said_before() -> None:
    """A list may become one of members, and a maximum be sought among values of another type."""
    one = Schema(domain="d", version=1, fields={"f": FieldSpec(kind="hard", type="list")})
    spec = FieldSpec(kind="hard", type="list", merge="union")
    two = Schema(domain="d", version=2, fields={"f": spec})
    old = appended(one, {}, {"f": (read(["a", "b"]),)}, "ctx_1")
    new = appended(two, old, {"f": (read("c", 1, "ctx_2"),)}, "ctx_2")
    assert new["f"].value == ["a", "b", "c"]
    assert value_after("years", read("three"), read(2, 1), read("nine", 2)) == 2


NAMES = st.sampled_from([name for name, spec in SCHEMA.fields.items() if spec.kind != "derived"])
CLAIMS = st.builds(
    lambda value, said: (stated(value),) if said else (read(value, origin="upsert"),),
    st.integers(),
    st.booleans(),
)
SAID = st.dictionaries(NAMES, CLAIMS)
APPENDED = st.dictionaries(NAMES, st.integers().map(lambda value: (read(value),)))


@given(first=SAID, later=APPENDED, said=SAID, replace_all=st.booleans())
def test_the_same_upsert_twice_gives_the_same_row(
    first: Said, later: Said, said: Said, replace_all: bool
) -> None:
    """U1, in the same order too"""
    old = appended(SCHEMA, upserted(SCHEMA, {}, first, replace_all=False), later, "ctx_2")
    once = upserted(SCHEMA, old, said, replace_all=replace_all)
    twice = upserted(SCHEMA, once, said, replace_all=replace_all)
    assert list(twice.items()) == list(once.items())
    assert unmoved(once, twice)


@given(said=SAID)
def test_a_row_keeps_its_schemas_order(said: Said) -> None:
    """U1"""
    known = upserted(SCHEMA, {}, said, replace_all=False)
    fields = {**known, "zebra": FieldValue(value=1), "apple": FieldValue(value=1)}
    order = [*SCHEMA.fields, "apple", "zebra"]
    for made in (appended(SCHEMA, fields, {}, "ctx_2"), without(SCHEMA, fields, frozenset("x"))):
        assert list(made) == sorted(made, key=order.index)


def test_the_same_said_later_has_not_moved() -> None:
    """U1"""
    old = fields_of(editor=(stated("vim"),))
    assert unmoved(old, fields_of(editor=(stated("vim", 9),)))
    assert not unmoved(old, fields_of(editor=(stated("emacs"),)))
    assert not unmoved(old, {})


def test_changed_names_the_fields_whose_value_differs_in_alphabetical_order() -> None:
    """A5"""
    old = fields_of(editor=(read("vim"),), years=(read(3),), tools=(read("uv"),))
    new = fields_of(editor=(read("emacs"),), years=(read(3, 7),), birthplace=(read("Rome"),))
    assert changed(old, new) == ("birthplace", "editor", "tools")


def test_a_field_of_which_nothing_stands_is_as_good_as_none() -> None:
    """A5"""
    assert changed({}, fields_of(editor=(denied("vim"),))) == ()
    assert changed(fields_of(editor=(denied("vim"),)), {}) == ()


def test_a_head_is_made_of_soft_fields_only() -> None:
    """U6, U9"""
    fields = fields_of(
        values_text=(read("Honesty."),),
        editor=(read("vim"),),
        preferences=(read("tabs"), read("dark mode", 1), denied("light mode", 2)),
    )
    assert soft_text(SCHEMA, fields) == "tabs, dark mode\nHonesty."
    assert soft_text(SCHEMA, {**fields, "extra": FieldValue(value="x")}) == soft_text(
        SCHEMA, fields
    )


def test_a_head_is_made_of_so_much_text_at_most() -> None:
    fields = fields_of(values_text=(read("x" * SOFT_CHARS_MAX + "the latest"),))
    assert len(soft_text(SCHEMA, fields)) == SOFT_CHARS_MAX
    assert soft_text(SCHEMA, fields).endswith("the latest")


@pytest.mark.parametrize(
    "fields",
    [
        {},
        fields_of(editor=(read("vim"),)),
        fields_of(preferences=(stated([]),)),
        fields_of(values_text=(read("x"), denied("x", 1))),
        {"extra": FieldValue(value="x")},
    ],
)
def test_there_is_nothing_to_embed_without_soft_fields(fields: dict[str, FieldValue]) -> None:
    """A6, U11"""
    assert soft_text(SCHEMA, fields) == ""


def test_the_present_row_is_the_stored_one_where_nothing_has_ended() -> None:
    fields = fields_of(editor=(read("vim", expires_at=at(1)),))
    assert current(SCHEMA, fields, START) is fields


def test_what_a_lasting_text_says_stays_when_others_that_say_it_end() -> None:
    """A13: of many claims few are kept, and one of those that live longest is among them."""
    claims = [
        read("hiking", 0, "ctx_0", expires_at=at(1)),
        read("hiking", 0.1, "ctx_1"),
        *(read("hiking", 0.2 + n / 100, f"ctx_{n + 2}", expires_at=at(1)) for n in range(6)),
    ]
    fields: dict[str, FieldValue] = {}
    for claim in claims:
        fields = appended(SCHEMA, fields, {"tools": (claim,)}, claim.context_id or "")
    assert current(SCHEMA, fields, at(2))["tools"].value == ["hiking"]


def test_no_member_that_a_client_stated_is_let_go_for_want_of_room() -> None:
    """A12: the bound is for what was read."""
    names = [f"tool {n:03}" for n in range(3 * MEMBERS_MAX)]
    fields = upserted(SCHEMA, {}, {"tools": tuple(map(stated, names))}, replace_all=False)
    assert fields["tools"].value == names
    fields = appended(SCHEMA, fields, {"tools": (read("ruff", 1, "ctx_2"),)}, "ctx_2")
    assert set(names) <= set(fields["tools"].value)
