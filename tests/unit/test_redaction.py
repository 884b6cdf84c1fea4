"""What becomes of a request with secrets in it; the finder here knows only words like Secret7."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from lineal.errors import ErrorCode, LinealError
from lineal.models.base import Model
from lineal.models.context import AppendContext, ForgetContext, MemoryType, UpdateContext
from lineal.models.lineage import Evidence
from lineal.models.parse import parse
from lineal.models.redaction import Found, Redacted
from lineal.models.user import UpsertUser
from lineal.policy.redaction import allowing, apart, entries, redacted

GONE = "[redacted: toy]"
VALUE = "Secret7000001"

_TOY = re.compile(r"Secret\d{7}")
_NAMED = re.compile(r'"(?:password|pin)": "([^"\s]{4,})"')


def find(text: str) -> tuple[Found, ...]:
    """A toy: Secret and seven digits anywhere, or whatever is named password."""
    named = [Found("named", *match.span(1)) for match in _NAMED.finditer(text)]
    return apart([*(Found("toy", *match.span()) for match in _TOY.finditer(text)), *named])


def append(**values: Any) -> AppendContext:
    return parse(AppendContext, {"content": "Nothing special.", **values})


def clean(request: Model) -> dict[str, Any]:
    return redacted(request, find)[0].model_dump(mode="json", exclude_unset=True)


def fields(request: Model) -> list[str]:
    return [note.field for note in redacted(request, find)[1]]


def test_a_request_without_secrets_is_handed_back_itself() -> None:
    request = append(metadata={"a": [1, None, {"b": "c"}]}, tags=["x"], memory_type="fact")
    assert redacted(request, find) == (request, ())
    assert redacted(request, find)[0] is request


def test_a_secret_is_replaced_where_it_stands_and_only_its_kind_is_told() -> None:
    kept, notes = redacted(append(content=f"é: {VALUE}, and {VALUE[:-1]}2."), find)
    assert kept.content == f"é: {GONE}, and {GONE}."
    assert notes == (
        Redacted(field="content", kind="toy", start=3),
        Redacted(field="content", kind="toy", start=22),
    )


PLACES: list[tuple[dict[str, Any], str]] = [
    ({"content": VALUE}, "content"),
    ({"title": VALUE}, "title"),
    ({"summary": VALUE}, "summary"),
    ({"tags": ["a", VALUE]}, "tags[1]"),
    ({"metadata": {"env": ["A", "B", VALUE]}}, "metadata.env[2]"),
    ({"metadata": {"a": {"b": [[VALUE]]}}}, "metadata.a.b[0][0]"),
    ({"metadata": {VALUE: 1}}, f"metadata.{GONE}"),
    ({"nia_references": {"web_searches": [VALUE]}}, "nia_references.web_searches[0]"),
    ({"nia_references": {"more": {"x": VALUE}}}, "nia_references.more.x"),
    ({"edited_files": [{"file_path": VALUE}]}, "edited_files[0].file_path"),
    ({"edited_files": [{"file_path": "a", "diff": VALUE}]}, "edited_files[0].diff"),
    ({"edited_files": [{"file_path": "a", VALUE: 1}]}, f"edited_files[0].{GONE}"),
    ({"session_id": VALUE}, "session_id"),
    ({"speaker": VALUE}, "speaker"),
    ({"source": VALUE}, "source"),
    ({"lineage": {"source_ids": [VALUE]}}, "lineage.source_ids[0]"),
    ({"lineage": {"derived_from": [VALUE]}}, "lineage.derived_from[0]"),
    ({"lineage": {"tool_calls": [VALUE]}}, "lineage.tool_calls[0]"),
    ({"lineage": {"model_version": VALUE}}, "lineage.model_version"),
]


@pytest.mark.parametrize(("values", "field"), PLACES, ids=[field for _, field in PLACES])
def test_no_place_of_an_append_keeps_a_secret(values: dict[str, Any], field: str) -> None:
    kept, notes = redacted(append(**values), find)
    assert VALUE not in kept.model_dump_json()
    assert GONE in kept.model_dump_json()
    assert [note.field for note in notes] == [field]
    assert VALUE not in str(notes)


@pytest.mark.parametrize("values", [{"context": VALUE}, {"fields": {"a": {"b": VALUE}}}])
def test_no_place_of_an_upsert_keeps_a_secret(values: dict[str, Any]) -> None:
    assert VALUE not in str(clean(parse(UpsertUser, values)))


def test_what_a_client_says_of_itself_is_looked_at_too() -> None:
    evidence = Evidence(
        tool="append_context",
        client_name=VALUE,
        client_version=f"1 {VALUE}",
        tool_use_id="toolu_01ABC",
        session_id=VALUE,
        traceparent=VALUE,
        read_ids=("ctx_1",),
    )
    kept, notes = redacted(evidence, find)
    assert VALUE not in kept.model_dump_json()
    assert (kept.tool_use_id, kept.read_ids) == ("toolu_01ABC", ("ctx_1",))
    assert [n.field for n in notes] == [
        "client_name",
        "client_version",
        "session_id",
        "traceparent",
    ]


@pytest.mark.parametrize(
    ("model", "values", "field"),
    [
        (AppendContext, {"content": "x", "user_id": VALUE}, "user_id"),
        (AppendContext, {"content": "x", "domain": VALUE}, "domain"),
        (AppendContext, {"content": "x", "idempotency_key": VALUE}, "idempotency_key"),
        (UpsertUser, {"context": "x", "memory_ref": f"s3://{VALUE}@b"}, "memory_ref"),
        (UpdateContext, {"context_id": VALUE}, "context_id"),
        (ForgetContext, {"context_id": VALUE}, "context_id"),
        (ForgetContext, {"context_id": "ctx_1", "idempotency_key": VALUE}, "idempotency_key"),
    ],
)
def test_a_secret_in_an_identifier_is_refused_without_repeating_it(
    model: type[Model], values: dict[str, Any], field: str
) -> None:
    with pytest.raises(LinealError, match=f"'{field}' holds what looks like a secret") as refused:
        redacted(parse(model, values), find)
    assert refused.value.code is ErrorCode.INVALID_REQUEST
    assert refused.value.details == {"field": field, "kind": "toy"}
    assert VALUE not in str(refused.value.body())


def test_which_fields_an_update_sent_stays_as_it_was() -> None:
    request = parse(UpdateContext, {"context_id": "ctx_1", "title": VALUE, "ttl_seconds": None})
    kept, _ = redacted(request, find)
    assert kept.model_fields_set == {"context_id", "title", "ttl_seconds"}
    assert kept.title == GONE


def test_other_values_of_the_request_stay_what_they_were() -> None:
    request = append(
        content=VALUE,
        memory_type="fact",
        occurred_at="2026-05-17T22:01:09Z",
        ttl_seconds=5,
        edited_files=[{"file_path": "a.py", "lines_added": 3, "note": [1.5, True, None]}],
    )
    kept, _ = redacted(request, find)
    assert kept.memory_type is MemoryType.FACT
    assert kept.model_dump(exclude={"content"}) == request.model_dump(exclude={"content"})
    assert type(kept).model_validate(kept.model_dump(exclude_unset=True)) == kept


def test_a_key_that_names_a_password_gives_its_value_away() -> None:
    request = append(metadata={"db": {"password": "letmein"}, "hint": "letmein!", "pin": ["aaaa"]})
    kept, notes = redacted(request, find)
    assert kept.metadata == {
        "db": {"password": "[redacted: named]"},
        "hint": "letmein!",
        "pin": ["[redacted: named]"],
    }
    assert notes[0] == Redacted(field="metadata.db.password", kind="named", start=0)


def test_a_passphrase_under_its_key_goes_whole() -> None:
    request = append(metadata={"password": "correct horse battery"})
    assert clean(request)["metadata"] == {"password": "[redacted: named]"}


def test_the_name_of_a_models_field_is_no_hint() -> None:
    assert fields(parse(UpsertUser, {"context": "letmein"})) == []


def test_a_secret_found_in_one_place_goes_everywhere() -> None:
    request = append(
        title="Try letmein22 first", content="x", metadata={"password": "letmein22", "short": "aa"}
    )
    assert clean(request)["title"] == "Try [redacted: named] first"
    assert fields(request) == ["title", "metadata.password"]


def test_two_keys_that_become_the_same_stay_two() -> None:
    request = append(metadata={VALUE: 1, VALUE[:-1] + "2": 2, GONE: 3})
    assert clean(request)["metadata"] == {f"{GONE} (2)": 1, f"{GONE} (3)": 2, GONE: 3}


def test_a_path_is_short_and_shows_no_secret() -> None:
    key = f"k{VALUE}" + "k" * 500
    (first, second) = fields(append(metadata={key: {"x": VALUE}}))
    assert VALUE not in first + second
    assert len(first) <= 80
    assert second == f"{first}.x"


def test_redacting_twice_changes_nothing_more() -> None:
    once, _ = redacted(append(content=VALUE, metadata={"password": "letmein"}), find)
    assert redacted(once, find)[0].content == once.content


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["a", f"b {VALUE} c", VALUE]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["a", "b", f"x{VALUE}", VALUE]), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(st.dictionaries(st.text(max_size=5) | st.just(VALUE), JSON, max_size=4))
def test_no_nesting_hides_a_secret_or_loses_a_value(metadata: dict[str, JsonValue]) -> None:
    request = append(metadata=metadata)
    before = request.model_dump_json()
    kept, notes = redacted(request, find)
    after = kept.model_dump_json()
    assert VALUE not in after
    assert len(notes) == before.count(VALUE)
    assert request.model_dump_json() == before
    assert _leaves(kept.metadata) == _leaves(request.metadata)


def _leaves(value: Any) -> int:
    if isinstance(value, dict):
        return sum(map(_leaves, value.values()))
    return sum(map(_leaves, value)) if isinstance(value, list) else 1


def test_what_overlaps_becomes_one_under_the_first_name() -> None:
    given_ = [Found("a", 5, 9), Found("b", 0, 6), Found("c", 9, 12), Found("d", 20, 21)]
    assert apart(given_) == (Found("a", 0, 9), Found("c", 9, 12), Found("d", 20, 21))
    assert apart([]) == ()


def test_an_allowed_value_is_kept() -> None:
    other = VALUE[:-1] + "2"
    request = append(content=f"{VALUE} {other}")
    assert redacted(request, find, allowing([VALUE]))[0].content == f"{VALUE} {GONE}"
    assert redacted(request, find, allowing(["/Secret.*2/"]))[0].content == f"{GONE} {other}"
    assert redacted(request, find, allowing(["/Secret/"]))[0].content == f"{GONE} {GONE}"


def test_an_allowed_value_may_be_an_identifier() -> None:
    request = parse(ForgetContext, {"context_id": VALUE})
    assert redacted(request, find, allowing([VALUE])) == (request, ())


def test_an_allow_list_is_lines_or_commas_with_comments() -> None:
    assert entries("# tests\nabc, def\n\n/a{1,3}/\n  /x/  \n") == ("abc", "def", "/a{1,3}/", "/x/")
    assert entries("") == ()


def test_a_broken_pattern_is_refused() -> None:
    with pytest.raises(LinealError, match="can't be read as a pattern"):
        allowing(["/(/"])
