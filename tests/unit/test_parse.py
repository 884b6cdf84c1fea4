"""Words into models: what is wrong is said by field, kind and bound."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lineal.errors import ErrorCode, LinealError
from lineal.models.base import Model
from lineal.models.context import AppendContext, ForgetContext, GetContext, UpdateContext
from lineal.models.lineage import TraceLineage
from lineal.models.parse import kind_of, parse
from lineal.models.search import SearchContext
from lineal.models.user import GetUser, UpsertUser

ANY = {"context_id": "ctx_1"}
SAID = {"content": "A fact."}


def refused(model: type[Model], arguments: dict[str, Any]) -> LinealError:
    with pytest.raises(LinealError) as caught:
        parse(model, arguments)
    assert caught.value.code is ErrorCode.INVALID_REQUEST
    return caught.value


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (-1, "integer"),
        (1e18, "number"),
        (1.5, "number"),
        (60.0, "number"),
        (math.nan, "number"),
        (math.inf, "number"),
        (-math.inf, "number"),
        ("1d", "string"),
        ("60", "string"),
        ("", "string"),
        (2**63, "integer"),
        (10**400, "integer"),
        (3_155_760_001, "integer"),
        (True, "boolean"),
        (False, "boolean"),
        ([], "array"),
        ({}, "object"),
    ],
)
@pytest.mark.parametrize(
    ("model", "others"), [(UpdateContext, ANY), (AppendContext, SAID), (UpsertUser, {"fields": {}})]
)
def test_a_wrong_ttl_is_named_with_its_kind(
    model: type[Model], others: dict[str, Any], value: Any, kind: str
) -> None:
    """N6"""
    error = refused(model, {**others, "ttl_seconds": value})
    assert error.details["field"] == "ttl_seconds"
    assert "Field 'ttl_seconds'" in error.message
    assert kind in error.message
    assert len(error.message) < 300


@pytest.mark.parametrize("value", [0, 1, 3_600, 3_155_760_000, None])
def test_a_whole_number_of_seconds_or_null_is_taken(value: int | None) -> None:
    """N6, N12, N13"""
    request = parse(UpdateContext, {**ANY, "ttl_seconds": value})
    assert request.ttl_seconds == value
    assert "ttl_seconds" in request.model_fields_set


def test_a_ttl_beyond_its_bound_is_told_the_bound() -> None:
    assert "3155760000" in refused(UpdateContext, {**ANY, "ttl_seconds": 2**63}).message
    assert "0" in refused(UpdateContext, {**ANY, "ttl_seconds": -1}).message


WRONG: list[tuple[type[Model], dict[str, Any], str, str]] = [
    (AppendContext, {}, "content", "is required"),
    (AppendContext, {"content": None}, "content", "is required"),
    (AppendContext, {"content": 5}, "content", "integer 5"),
    (AppendContext, {"content": ["a"]}, "content", "array"),
    (AppendContext, {"content": {"a": 1}}, "content", "object"),
    (AppendContext, {"content": True}, "content", "boolean"),
    (AppendContext, {**SAID, "user_id": ""}, "user_id", "at least 1 character"),
    (AppendContext, {**SAID, "user_id": "x" * 257}, "user_id", "at most 256"),
    (AppendContext, {**SAID, "user_id": 7}, "user_id", "integer 7"),
    (AppendContext, {**SAID, "memory_type": "semantic"}, "memory_type", "'procedural'"),
    (AppendContext, {**SAID, "memory_type": 3}, "memory_type", "integer 3"),
    (AppendContext, {**SAID, "occurred_at": "2026-05-17T22:01:09"}, "occurred_at", "offset"),
    (AppendContext, {**SAID, "occurred_at": "2026-05-17"}, "occurred_at", "offset"),
    (AppendContext, {**SAID, "occurred_at": "yesterday"}, "occurred_at", "2026-05-17T22:01:09Z"),
    (AppendContext, {**SAID, "occurred_at": 1_700_000_000}, "occurred_at", "integer"),
    (AppendContext, {**SAID, "occurred_at": "0001-01-01T00:00:00+14:00"}, "occurred_at", "year"),
    (AppendContext, {**SAID, "tags": "python"}, "tags", "string 'python'"),
    (AppendContext, {**SAID, "tags": [""]}, "tags.0", "at least 1 character"),
    (AppendContext, {**SAID, "tags": ["a", 5]}, "tags.1", "integer 5"),
    (AppendContext, {**SAID, "tags": ["a"] * 65}, "tags", "at most 64"),
    (AppendContext, {**SAID, "metadata": []}, "metadata", "array"),
    (AppendContext, {**SAID, "idempotency_key": ""}, "idempotency_key", "at least 1"),
    (UpdateContext, {}, "context_id", "is required"),
    (UpdateContext, {**ANY, "edited_files": [{}]}, "edited_files.0.file_path", "is required"),
    (
        UpdateContext,
        {**ANY, "edited_files": [{"file_path": "a", "operation": "renamed"}]},
        "edited_files.0.operation",
        "'created', 'modified' or 'deleted'",
    ),
    (
        UpdateContext,
        {**ANY, "edited_files": [{"file_path": "a", "lines_added": -1}]},
        "edited_files.0.lines_added",
        "0",
    ),
    (UpdateContext, {**ANY, "lineage": {"confidence": 1.01}}, "lineage.confidence", "1"),
    (UpdateContext, {**ANY, "lineage": {"confidence": -0.1}}, "lineage.confidence", "0"),
    (UpdateContext, {**ANY, "lineage": {"confidence": True}}, "lineage.confidence", "boolean"),
    (UpdateContext, {**ANY, "lineage": {"confidence": "0.9"}}, "lineage.confidence", "string"),
    (UpdateContext, {**ANY, "lineage": {"confidence": math.nan}}, "lineage.confidence", "finite"),
    (UpdateContext, {**ANY, "lineage": {"created_at": "now"}}, "lineage.created_at", "not known"),
    (UpdateContext, {**ANY, "lineage": "mine"}, "lineage", "string 'mine'"),
    (UpdateContext, {**ANY, "lineage": {"source_ids": [1]}}, "lineage.source_ids.0", "integer 1"),
    (UpdateContext, {**ANY, "expected_revision": 0}, "expected_revision", "1"),
    (UpdateContext, {**ANY, "expected_revision": "1"}, "expected_revision", "string '1'"),
    (SearchContext, {"limit": 0}, "limit", "1"),
    (SearchContext, {"limit": 10**9}, "limit", "200"),
    (SearchContext, {"limit": 2.0}, "limit", "number 2.0"),
    (SearchContext, {"max_tokens": 99}, "max_tokens", "100"),
    (SearchContext, {"query": "x" * 100_001}, "query", "100001 characters"),
    (SearchContext, {"memory_types": ["fact", "dream"]}, "memory_types.1", "'dream'"),
    (GetContext, {**ANY, "revision": 0}, "revision", "1"),
    (GetContext, {**ANY, "max_chars": 10}, "max_chars", "200"),
    (ForgetContext, {**ANY, "cascade": "yes"}, "cascade", "string 'yes'"),
    (ForgetContext, {**ANY, "dry_run": 1}, "dry_run", "integer 1"),
    (TraceLineage, {**ANY, "direction": "sideways"}, "direction", "'up', 'down' or 'both'"),
    (TraceLineage, {**ANY, "depth": 33}, "depth", "32"),
    (UpsertUser, {"fields": [1]}, "fields", "array"),
    (UpsertUser, {"memory_ref": "x" * 2_049}, "memory_ref", "2048"),
    (GetUser, {"provenance": "true"}, "provenance", "string 'true'"),
]


@pytest.mark.parametrize(("model", "arguments", "field", "words"), WRONG)
def test_a_wrong_value_is_named_with_its_kind_and_its_bound(
    model: type[Model], arguments: dict[str, Any], field: str, words: str
) -> None:
    """E2"""
    error = refused(model, arguments)
    assert error.details["field"] == field
    assert error.message.startswith(f"Field '{field}' ")
    assert words in error.message


PYTHON_WORDS = ("tuple", "dictionary", "instance of", "must be string should", " None", "recursion")


@pytest.mark.parametrize(("model", "arguments", "field", "words"), WRONG)
def test_a_message_speaks_json_and_not_python(
    model: type[Model], arguments: dict[str, Any], field: str, words: str
) -> None:
    """E2: whoever reads it knows arrays and objects."""
    message = refused(model, arguments).message
    assert [word for word in PYTHON_WORDS if word in message] == []
    assert "is a array" not in message
    assert "is a object" not in message


@pytest.mark.parametrize(
    "key", ["id", "user_id", "organization_id", "agent_source", "created_at", "nonsense"]
)
def test_a_key_that_never_changes_or_isnt_known_is_named(key: str) -> None:
    """N18"""
    error = refused(UpdateContext, {**ANY, "title": "t", key: "x"})
    assert error.details["field"] == key
    assert f"'{key}'" in error.message
    assert "ttl_seconds" in error.message


def test_an_unknown_key_is_refused_even_with_null() -> None:
    """N18, N19"""
    assert refused(UpdateContext, {**ANY, "nonsense": None}).details["field"] == "nonsense"


@pytest.mark.parametrize("key", ["title[0]", "f(x)", "tuple[int, ...]"])
def test_an_unknown_key_with_brackets_is_named_too(key: str) -> None:
    """N18"""
    assert refused(UpdateContext, {**ANY, key: 1}).details["field"] == key


def test_a_very_long_key_is_not_repeated_whole() -> None:
    """E2"""
    error = refused(UpdateContext, {**ANY, "k" * 100_000: 1})
    assert len(error.message) < 1_000
    assert len(str(error.details)) < 1_000


def test_a_long_wrong_value_is_measured_and_not_repeated() -> None:
    error = refused(UpdateContext, {**ANY, "memory_type": "secret " * 1_000})
    assert "7000 characters" in error.message
    assert "secret" not in error.message


def test_all_errors_are_counted_and_the_first_is_told() -> None:
    error = refused(AppendContext, {"user_id": 5, "tags": 5, "ttl_seconds": "x"})
    assert error.details["errors"] == 4
    assert error.details["field"] == "content"


@pytest.mark.parametrize(
    ("model", "arguments"),
    [
        (AppendContext, {**SAID, "tags": None, "user_id": None, "metadata": None}),
        (SearchContext, {"limit": None, "query": None, "memory_types": None, "tags": None}),
        (ForgetContext, {**ANY, "cascade": None}),
        (GetUser, {"provenance": None}),
    ],
)
def test_null_is_the_same_as_not_sent(model: type[Model], arguments: dict[str, Any]) -> None:
    """N19"""
    unsaid = {name: value for name, value in arguments.items() if value is not None}
    assert parse(model, arguments) == parse(model, unsaid)


def test_both_public_shapes_of_references_are_taken_and_kept() -> None:
    """N21"""
    names = {"indexed_repositories": ["a/b"], "web_searches": ["q"], "their_own": [1]}
    rich = {"indexed_repositories": [{"repo": "a/b", "tool": "x"}]}
    for shape in (names, rich):
        request = parse(UpdateContext, {**ANY, "nia_references": shape})
        assert request.nia_references is not None
        assert request.nia_references.model_dump(mode="json", exclude_unset=True) == shape


def test_a_time_is_taken_with_any_offset_and_told_in_utc() -> None:
    """A10"""
    request = parse(AppendContext, {**SAID, "occurred_at": "2026-05-17T18:01:09.123456-04:00"})
    assert request.model_dump(mode="json")["occurred_at"] == "2026-05-17T22:01:09.123Z"


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, "null"),
        (True, "boolean"),
        (1, "integer"),
        (1.0, "number"),
        ("", "string"),
        ([], "array"),
        ((), "array"),
        ({}, "object"),
    ],
)
def test_a_values_kind_is_its_json_name(value: Any, kind: str) -> None:
    assert kind_of(value) == kind


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=80),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=8,
)
REQUESTS: list[type[Model]] = [
    AppendContext,
    UpdateContext,
    UpsertUser,
    SearchContext,
    GetContext,
    GetUser,
    ForgetContext,
    TraceLineage,
]
NAMES = sorted({name for model in REQUESTS for name in model.model_fields})


@settings(max_examples=40)
@pytest.mark.parametrize("model", REQUESTS)
@given(sent=st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=9), JSON, max_size=6))
def test_any_json_is_parsed_or_refused_with_words_that_can_be_sent(
    model: type[Model], sent: dict[str, Any]
) -> None:
    """E1, E2: nothing but LinealError, and its field is one of those sent or needed."""
    refusal = _refusal(model, sent)
    if refusal is not None:
        top = {*sent, *model.model_fields}
        assert any(refusal.details["field"].startswith(name) for name in top)
        assert len(refusal.message.encode()) < 2_000


def _refusal(model: type[Model], sent: dict[str, Any]) -> LinealError | None:
    try:
        parse(model, sent)
    except LinealError as refusal:
        return refusal
    return None


def test_a_numbered_session_is_a_session() -> None:
    request = parse(AppendContext, {"content": "x", "session_id": 7})
    assert request.session_id == "7"
    with pytest.raises(LinealError):
        parse(AppendContext, {"content": "x", "session_id": True})
