"""What a request may hold."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.errors import ErrorCode, LinealError
from lineal.models.context import SOURCES, AppendContext, UpdateContext
from lineal.models.lineage import DeclaredLineage
from lineal.models.parse import parse
from lineal.models.search import SearchContext
from lineal.models.user import UpsertUser
from lineal.policy.limits import (
    JSON_CHARS_MAX,
    JSON_DEPTH_MAX,
    Limits,
    check_append,
    check_id,
    check_query,
    check_search,
    check_update,
    check_upsert,
    text_flags,
)

LIMITS = Limits()

BOUNDS = [("title", 1, 200), ("summary", 10, 1_000), ("content", 50, 1_000_000)]

HIDDEN = {
    "zero width space": "\u200b",
    "zero width joiner": "\u200d",
    "zero width non-joiner": "\u200c",
    "word joiner": "\u2060",
    "invisible times": "\u2062",
    "byte order mark": "\ufeff",
    "soft hyphen": "\u00ad",
    "right-to-left override": "\u202e",
    "left-to-right isolate": "\u2066",
    "arabic letter mark": "\u061c",
    "tag letter": "\U000e0041",
    "language tag": "\U000e0001",
    "variation selector 17": "\U000e0100",
    "line separator": "\u2028",
    "interlinear annotation": "\ufff9",
    "escape": "\x1b",
    "NUL": "\x00",
    "bell": "\x07",
    "next line": "\x85",
    "line feed": "\n",
    "tab": "\t",
}


def update(**values: Any) -> None:
    check_update(parse(UpdateContext, {"context_id": "ctx_1", **values}), LIMITS)


def append(**values: Any) -> None:
    check_append(parse(AppendContext, {"content": "A fact.", **values}), LIMITS)


def upsert(**values: Any) -> None:
    check_upsert(parse(UpsertUser, values), LIMITS)


def refused(check: Any, **values: Any) -> LinealError:
    with pytest.raises(LinealError) as caught:
        check(**values)
    assert caught.value.code is ErrorCode.INVALID_REQUEST
    return caught.value


@pytest.mark.parametrize(("field", "least", "most"), BOUNDS)
@pytest.mark.parametrize("letter", ["x", "é", "🐈"])
def test_the_bounds_are_inclusive_and_count_code_points(
    field: str, least: int, most: int, letter: str
) -> None:
    """N2"""
    update(**{field: letter * least})
    update(**{field: letter * most})
    refused(update, **{field: letter * (most + 1)})
    refused(update, **{field: letter * (least - 1)})


@pytest.mark.parametrize(("field", "least", "most"), BOUNDS)
def test_nothing_is_trimmed_before_it_is_counted(field: str, least: int, most: int) -> None:
    """N2: white space counts, within a text that holds any."""
    update(**{field: "x".ljust(least)})
    refused(update, **{field: "x".ljust(most + 1)})


@pytest.mark.parametrize(("field", "least", "most"), BOUNDS)
def test_a_message_says_the_length_the_bound_and_what_to_do(
    field: str, least: int, most: int
) -> None:
    """N2, E2"""
    long = refused(update, **{field: "x" * (most + 7)})
    assert f"'{field}' has {most + 7} characters; at most {most}" in long.message
    assert long.details == {
        "field": field,
        "length": most + 7,
        "minimum": least,
        "maximum": most,
    }
    short = refused(update, **{field: "x" * (least - 1)})
    assert f"has {least - 1} characters; at least {least}" in short.message


def test_a_short_content_says_how_to_allow_it() -> None:
    """N2"""
    error = refused(update, content="too short")
    assert "LINEAL_CONTENT_MIN" in error.message


def test_the_minimum_of_content_can_be_lowered() -> None:
    """N2"""
    request = parse(UpdateContext, {"context_id": "ctx_1", "content": "Short fact."})
    check_update(request, Limits(content_min=1))


def test_an_appended_content_has_no_minimum_but_a_maximum() -> None:
    """N2: facts are short."""
    append(content="x")
    append(content="x" * LIMITS.content_max)
    error = refused(append, content="x" * (LIMITS.content_max + 1))
    assert error.details["maximum"] == LIMITS.content_max


@pytest.mark.parametrize("blank", ["", " ", "\n\t ", "\u3000", "\u00a0 \u2003"])
def test_a_blank_content_is_refused(blank: str) -> None:
    """A11"""
    assert refused(append, content=blank).details["field"] == "content"
    assert refused(upsert, context=blank).details["field"] == "context"


def test_an_update_with_fifty_blanks_is_refused() -> None:
    """A11, N2"""
    assert "blank" in refused(update, content=" " * 60).message


@pytest.mark.parametrize("source", SOURCES)
def test_the_six_sources_are_taken(source: str) -> None:
    """A9"""
    append(source=source)


def test_another_source_is_refused_with_the_list() -> None:
    """A9"""
    error = refused(append, source="telepathy")
    assert "telepathy" in error.message
    assert error.details["allowed"] == list(SOURCES)
    assert all(source in error.message for source in SOURCES)


def test_the_configuration_can_list_more_sources() -> None:
    """A9"""
    request = AppendContext(content="A fact.", source="telepathy")
    check_append(request, Limits(sources=(*SOURCES, "telepathy")))


def test_a_long_wrong_source_is_not_repeated_whole() -> None:
    assert len(refused(append, source="x" * 100_000).message) < 300


def test_an_update_that_sends_nothing_is_refused() -> None:
    """N20"""
    error = refused(update)
    assert "at least one of title" in error.message


@pytest.mark.parametrize("extra", [{"expected_revision": 1}, {"idempotency_key": "k"}])
def test_a_key_or_an_expected_revision_alone_changes_nothing(extra: dict[str, Any]) -> None:
    """N20"""
    refused(update, **extra)


def test_null_on_a_field_is_the_same_as_not_sent() -> None:
    """N19, N20"""
    refused(update, title=None, tags=None, metadata=None, lineage=None)


def test_a_null_ttl_is_something_sent() -> None:
    """N13"""
    update(ttl_seconds=None)


def test_an_upsert_needs_context_fields_or_memory_ref() -> None:
    """U13"""
    error = refused(upsert, user_id="ada", domain="coding")
    assert all(f"'{name}'" in error.message for name in ("context", "fields", "memory_ref"))
    upsert(fields={})
    upsert(memory_ref="mem0://abc")
    upsert(context="I use uv.")


@pytest.mark.parametrize("character", HIDDEN.values(), ids=HIDDEN)
def test_an_id_holds_no_hidden_characters(character: str) -> None:
    """Two ids that look the same must not differ."""
    with pytest.raises(LinealError) as caught:
        check_id("user_id", f"a{character}da")
    assert caught.value.details["field"] == "user_id"
    assert character not in caught.value.message


@pytest.mark.parametrize("name", [" ada", "ada ", "\u00a0ada", "ada\u3000"])
def test_an_id_has_no_white_space_at_its_ends(name: str) -> None:
    with pytest.raises(LinealError):
        check_id("user_id", name)


@pytest.mark.parametrize(
    "name", ["ada", "Ada Lovelace", "a:b/c", "..", "Zoë", "李雷", "user+tag@example.org", "🐈"]
)
def test_an_id_may_be_any_visible_name(name: str) -> None:
    check_id("user_id", name)


def _is_at(error: LinealError, field: str) -> bool:
    """Said of the field or of a part of it."""
    named: str = error.details["field"]
    return named == field or named.startswith(f"{field}.")


PLACES: list[tuple[Any, str, dict[str, Any]]] = [
    (append, "user_id", {"user_id": "?"}),
    (append, "domain", {"domain": "?"}),
    (append, "session_id", {"session_id": "?"}),
    (append, "speaker", {"speaker": "?"}),
    (append, "project", {"project": "?"}),
    (append, "tags", {"tags": ["fine", "?"]}),
    (append, "idempotency_key", {"idempotency_key": "?"}),
    (append, "lineage.source_ids", {"lineage": {"source_ids": ["?"]}}),
    (append, "lineage.derived_from", {"lineage": {"derived_from": ["ctx_1", "?"]}}),
    (append, "lineage.tool_calls", {"lineage": {"tool_calls": ["?"]}}),
    (append, "lineage.model_version", {"lineage": {"model_version": "?"}}),
    (update, "tags", {"tags": ["?"]}),
    (update, "context_id", {"context_id": "?", "title": "t"}),
    (update, "lineage.derived_from", {"lineage": {"derived_from": ["?"]}}),
    (upsert, "user_id", {"user_id": "?", "fields": {}}),
    (upsert, "memory_ref", {"memory_ref": "?"}),
    (upsert, "idempotency_key", {"idempotency_key": "?", "fields": {}}),
]


def _with(values: Any, text: str) -> Any:
    """The values with `text` in place of the question mark."""
    if isinstance(values, dict):
        return {name: _with(value, text) for name, value in values.items()}
    if isinstance(values, list):
        return [_with(value, text) for value in values]
    return text if values == "?" else values


@pytest.mark.parametrize(("check", "field", "values"), PLACES)
@pytest.mark.parametrize(
    "bad", ["a\u202eb", "a\u200bb", "a\U000e0041b", "\x1b[31m", "a\x00", "\ud800"]
)
def test_every_name_and_tag_is_looked_at(
    check: Any, field: str, values: dict[str, Any], bad: str
) -> None:
    assert _is_at(refused(check, **_with(values, bad)), field)


TEXTS: list[tuple[Any, str, dict[str, Any]]] = [
    (append, "content", {"content": "?"}),
    (append, "title", {"title": "?"}),
    (append, "summary", {"summary": "?"}),
    (append, "source", {"source": "?"}),
    (append, "metadata", {"metadata": {"a": ["?"]}}),
    (append, "edited_files", {"edited_files": [{"file_path": "?"}]}),
    (append, "nia_references", {"nia_references": {"anything": "?"}}),
    (update, "content", {"content": "?"}),
    (update, "metadata", {"metadata": {"a": {"b": "?"}}}),
    (upsert, "context", {"context": "?"}),
    (upsert, "fields", {"fields": {"diet": "?"}}),
]


@pytest.mark.parametrize(("check", "field", "values"), TEXTS)
def test_half_a_surrogate_pair_is_refused_wherever_it_stands(
    check: Any, field: str, values: dict[str, Any]
) -> None:
    """No file can hold it, and no answer can repeat it."""
    error = refused(check, **_with(values, "x" * 60 + "\ud83d"))
    assert _is_at(error, field)
    error.message.encode()


def test_half_a_surrogate_pair_is_refused_early_in_a_source_too() -> None:
    """The message repeats the value, and must still be text."""
    refused(append, source="\ud83d").message.encode()


def test_a_broken_query_is_refused_and_any_other_is_taken() -> None:
    check_query('NEAR( "\x00 \u202e -x *')
    with pytest.raises(LinealError) as caught:
        check_query("cat \udc00")
    assert caught.value.details["field"] == "query"


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("wrap", [lambda n: {"n": n}, lambda n: {"n": [1, {"m": n}]}])
def test_numbers_that_json_has_no_word_for_are_refused(number: float, wrap: Any) -> None:
    assert refused(append, metadata=wrap(number)).details["field"] == "metadata"
    assert refused(update, metadata=wrap(number)).details["field"] == "metadata"
    assert refused(upsert, fields=wrap(number)).details["field"] == "fields"


def _nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth - 1):
        value = {"a": value}
    return value


def test_json_may_be_nested_to_the_bound_and_no_deeper() -> None:
    append(metadata=_nested(JSON_DEPTH_MAX))
    error = refused(append, metadata=_nested(JSON_DEPTH_MAX + 2))
    assert error.details["maximum"] == JSON_DEPTH_MAX


@pytest.mark.parametrize("depth", [300, 5_000])
def test_absurd_nesting_is_refused_in_a_short_message(depth: int) -> None:
    error = refused(append, metadata=_nested(depth))
    assert len(error.message) < 500
    assert len(error.details["field"]) < 200


def test_json_may_be_large_to_the_bound_and_no_larger() -> None:
    append(metadata={"a": "x" * (JSON_CHARS_MAX - 20)})
    error = refused(append, metadata={"a": "x" * JSON_CHARS_MAX})
    assert error.details["maximum"] == JSON_CHARS_MAX
    assert refused(append, metadata={"x" * JSON_CHARS_MAX: 1}).details["field"] == "metadata"
    assert refused(append, metadata={"a": [0] * JSON_CHARS_MAX}).details["field"] == "metadata"
    files = [{"file_path": f"src/{n}.py", "note": "x" * 100} for n in range(1_000)]
    assert refused(append, edited_files=files).details["field"] == "edited_files"


def test_tags_have_a_bound_in_number_and_in_length() -> None:
    append(tags=["x" * 100] * 64)
    refused(append, tags=["x"] * 65)
    refused(append, tags=["x" * 101])


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("plain words", ()),
        ("two\nlines\twith a tab", ()),
        ("Zoë 李雷 🐈", ()),
        ("\u202eevil", ("bidi",)),
        ("in\u200bvisible", ("zero_width",)),
        ("\U000e0049\U000e0067", ("tag_characters",)),
        ("\x1b[31mred", ("control",)),
        ("\x00\u202e\u200b", ("bidi", "control", "zero_width")),
    ],
)
def test_a_body_is_kept_and_its_hidden_characters_are_named(
    text: str, flags: tuple[str, ...]
) -> None:
    assert text_flags(text) == flags


def test_a_body_may_hold_what_an_id_may_not() -> None:
    """Bodies are kept byte-exact."""
    append(content="\x1b[31m \u202e \x00 words")


@given(text=st.text())
def test_flags_are_of_the_characters_and_not_of_their_order(text: str) -> None:
    assert text_flags(text) == text_flags(text[::-1]) == text_flags(text * 2)


def test_a_declared_lineage_may_be_empty() -> None:
    """N17"""
    check_append(AppendContext(content="A fact.", lineage=DeclaredLineage()), LIMITS)


def test_no_memory_belongs_to_all_projects_and_a_search_may_ask_for_them() -> None:
    assert "'*'" in refused(append, project="*").message
    check_search(SearchContext(project="*"))
    check_search(SearchContext(project=""))
    with pytest.raises(LinealError):
        check_search(SearchContext(project="a\u202eb"))
