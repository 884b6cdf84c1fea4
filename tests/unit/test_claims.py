"""Claims as they are kept, and as they are shown."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.models.claim import Claim, Claims, FieldValue, Provenance, ValueSource
from lineal.models.user import UserAnswer, UserRow
from lineal.policy.merging import appended, without
from lineal.testing.samples import START, a_user

from .claims_said import SCHEMA, at, denied, fields_of, read, stated

OLD: dict[str, Any] = {
    "value": "vim",
    "source": "extracted",
    "origin": "append",
    "occurred_at": "2026-03-01T12:00:00Z",
    "recorded_at": "2026-03-01T12:00:01Z",
    "context_id": "ctx_1",
    "span": [3, 6],
    "confidence": 0.9,
    "model_version": "rules.v1",
}
"""A field as the store's first version wrote it."""


def shown(*claims: Claim, name: str = "editor") -> Provenance:
    return Provenance.of(fields_of(**{name: claims})[name])


def said_otherwise(*claims: Claim, name: str = "editor") -> list[Any]:
    return [claim.value for claim in shown(*claims, name=name).conflicts]


CLAIMS = st.lists(
    st.builds(
        read,
        st.one_of(st.text(max_size=5), st.integers(), st.booleans(), st.lists(st.text(max_size=3))),
        st.integers(-9, 9),
        st.sampled_from(["ctx_1", None]),
        denied=st.booleans(),
        confidence=st.one_of(st.none(), st.floats(0, 1)),
        span=st.one_of(st.none(), st.tuples(st.integers(0, 9), st.integers(9, 20))),
        expires_at=st.one_of(st.none(), st.just(at(5))),
    )
)


@given(claims=CLAIMS)
def test_claims_come_back_as_they_were_kept(claims: list[Claim]) -> None:
    kept = Claims(Claims(claims).text)
    assert tuple(kept) == tuple(claims)
    assert kept == Claims(claims)
    assert kept.text == Claims(kept.items).text
    assert len(kept) == len(claims)


def test_claims_are_read_only_when_looked_at() -> None:
    """Most writes touch few of a row's fields."""
    field = FieldValue.model_validate_json('{"value": "vim", "claims": "not yet looked at"}')
    assert field.claims.text == "not yet looked at"
    assert "items" not in vars(field.claims)
    with pytest.raises(ValueError, match="expected"):
        list(field.claims)


def test_what_is_at_its_default_is_not_written() -> None:
    assert "null" not in Claims((stated("vim"),)).text
    assert "denied" not in Claims((read("vim"),)).text


@given(claims=CLAIMS)
def test_a_row_comes_back_as_it_was_kept(claims: list[Claim]) -> None:
    row = a_user(fields=fields_of(editor=tuple(claims), tools=tuple(claims)))
    assert UserRow.model_validate_json(row.model_dump_json()) == row


def test_equal_claims_are_one_in_a_set() -> None:
    assert {Claims((read("vim"),)), Claims(Claims((read("vim"),)).text)} == {Claims((read("vim"),))}
    assert Claims((read("vim"),)) != "vim"
    assert "vim" in repr(Claims((read("vim"),)))


def test_an_old_value_is_one_claim_that_stands() -> None:
    field = FieldValue.model_validate(OLD)
    assert field.value == "vim"
    (claim,) = field.claims
    assert field.standing == (0,)
    assert (claim.value, claim.source, claim.origin) == ("vim", ValueSource.EXTRACTED, "append")
    assert (claim.context_id, claim.span, claim.model_version) == ("ctx_1", (3, 6), "rules.v1")
    assert claim.occurred_at == START


def test_an_old_row_is_read_from_its_json() -> None:
    row = a_user().model_dump(mode="json")
    old = UserRow.model_validate({**row, "fields": {"editor": OLD}, "derived": {"level": OLD}})
    assert UserAnswer.of(old).fields == {"editor": "vim"}
    assert UserRow.model_validate_json(old.model_dump_json()) == old


def test_an_old_list_becomes_a_claim_for_each_text_that_named_a_member() -> None:
    said_by = {"uv": ["ctx_1", "ctx_2"], "ruff": ["ctx_2"], "mypy": [""]}
    old = {**OLD, "value": ["uv", "ruff", "mypy"], "said_by": said_by}
    field = FieldValue.model_validate(old)
    assert field.value == ["uv", "ruff", "mypy"]
    named = [(claim.value, claim.context_id) for claim in field.claims]
    assert named == [("uv", "ctx_1"), ("uv", "ctx_2"), ("ruff", "ctx_2"), ("mypy", None)]
    assert [field.claims[place].value for place in field.standing] == field.value


def test_forgetting_takes_from_an_old_list_what_only_that_text_said() -> None:
    said_by = {"uv": ["ctx_1", "ctx_2"], "ruff": ["ctx_2"]}
    old = FieldValue.model_validate({**OLD, "value": ["uv", "ruff"], "said_by": said_by})
    left = without(SCHEMA, {"tools": old}, frozenset(("ctx_2",)))
    assert left["tools"].value == ["uv"]


def test_an_old_list_of_one_text_is_of_that_text() -> None:
    old = FieldValue.model_validate({**OLD, "value": ["uv", "ruff"]})
    assert without(SCHEMA, {"tools": old}, frozenset(("ctx_1",))) == {}
    new = appended(SCHEMA, {"tools": old}, {"tools": (read("mypy", 9, "ctx_2"),)}, "ctx_2")
    assert new["tools"].value == ["uv", "ruff", "mypy"]


def test_an_old_stated_value_still_stays_against_what_is_read() -> None:
    """A12"""
    old = FieldValue.model_validate({**OLD, "source": "stated", "origin": "upsert"})
    new = appended(SCHEMA, {"editor": old}, {"editor": (read("emacs", 9, "ctx_2"),)}, "ctx_2")
    assert new["editor"].value == "vim"


def test_a_value_is_shown_with_where_it_came_from() -> None:
    claim = read("vim", 2, "ctx_1", span=(3, 6), model_version="rules.v1")
    found = shown(read("emacs", 1), claim)
    assert found.value == "vim"
    assert (found.source, found.context_id) == (ValueSource.EXTRACTED, "ctx_1")
    assert (found.span, found.confidence) == ((3, 6), 0.9)
    assert (found.occurred_at, found.recorded_at) == (at(2), START)
    assert found.model_version == "rules.v1"


def test_instants_of_claims_are_shown_as_everywhere() -> None:
    written = shown(stated("vim", 1), read("emacs", 2)).model_dump(mode="json")
    assert written["occurred_at"] == "2026-03-01T13:00:00Z"
    assert written["conflicts"][0]["occurred_at"] == "2026-03-01T14:00:00Z"


def test_what_contradicts_a_stated_value_is_a_conflict() -> None:
    """A12"""
    assert said_otherwise(stated("vim"), read("emacs", 1)) == ["emacs"]
    assert said_otherwise(stated("vim"), denied("vim", 1)) == ["vim"]


def test_what_was_said_at_the_same_instant_is_a_conflict() -> None:
    """U5: one upsert's text and its fields."""
    assert said_otherwise(read("emacs", origin="upsert"), stated("vim")) == ["emacs"]


def test_what_was_only_said_before_is_no_conflict() -> None:
    assert said_otherwise(read("emacs"), read("vim", 1)) == []
    assert said_otherwise(stated("vim", 1), read("emacs")) == []


def test_what_says_the_same_is_no_conflict() -> None:
    assert said_otherwise(stated("vim"), read("vim", 1)) == []
    assert said_otherwise(stated("vim"), denied("emacs", 1)) == []


def test_a_smaller_number_said_later_contradicts_a_maximum() -> None:
    assert said_otherwise(read(8), read(3, 1), name="years") == [3]


def test_members_are_shown_each_with_its_own() -> None:
    found = shown(read("uv", 1, "ctx_1"), read("ruff", 2, "ctx_2"), name="tools")
    assert [(one.value, one.context_id) for one in found.members] == [
        ("uv", "ctx_1"),
        ("ruff", "ctx_2"),
    ]
    assert (found.context_id, found.conflicts) == ("ctx_2", ())


def test_a_denied_member_that_was_stated_is_a_conflict() -> None:
    """A12"""
    assert said_otherwise(stated("uv"), denied("uv", 1), name="tools") == ["uv"]
    assert said_otherwise(stated("uv"), denied("ruff", 1), name="tools") == []


def test_of_what_was_taken_back_the_whole_dispute_is_shown() -> None:
    found = shown(read("vim"), denied("vim", 1))
    assert (found.value, found.source) == (None, None)
    assert [(claim.value, claim.denied) for claim in found.conflicts] == [
        ("vim", False),
        ("vim", True),
    ]


def test_without_members_and_conflicts_nothing_is_written_of_them() -> None:
    assert {"members", "conflicts"}.isdisjoint(shown(read("vim")).model_dump())


def test_provenance_is_shown_only_when_asked_for() -> None:
    row = a_user(fields=fields_of(editor=(read("vim"),), tools=(read("uv"), denied("uv", 1))))
    assert UserAnswer.of(row).provenance is None
    asked = UserAnswer.of(row, provenance=True)
    assert asked.fields == {"editor": "vim"}
    assert asked.provenance is not None
    assert {name: found.value for name, found in asked.provenance.items()} == {
        "editor": "vim",
        "tools": None,
    }
