"""Schemas: which values are taken, and which files."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.errors import ErrorCode, LinealError
from lineal.models.schema import FieldSpec, FieldType, Schema
from lineal.policy.schemas import sorted_out, taken
from lineal.schemas.book import SHIPPED, SchemaBook, read_schema

SCHEMA = Schema(
    domain="dating",
    version=3,
    fields={
        "age": FieldSpec(kind="hard", type="integer", minimum=18, maximum=120),
        "height": FieldSpec(kind="hard", type="number", minimum=0.5, maximum=2.5),
        "location": FieldSpec(kind="hard", type="string"),
        "diet": FieldSpec(kind="hard", type="enum", values={"vegan": (), "omnivore": ()}),
        "smokes": FieldSpec(kind="hard", type="boolean"),
        "born_on": FieldSpec(kind="hard", type="date"),
        "interests": FieldSpec(kind="soft", type="list", items="string"),
        "scores": FieldSpec(kind="hard", type="list", items="integer", minimum=0, maximum=9),
        "style": FieldSpec(kind="derived", type="string"),
    },
)

RIGHT: list[tuple[str, Any]] = [
    ("age", 18),
    ("age", 120),
    ("height", 1.75),
    ("height", 2),
    ("location", "Rome"),
    ("diet", "vegan"),
    ("smokes", False),
    ("born_on", "1990-02-28"),
    ("interests", ["hiking", "chess"]),
    ("interests", []),
    ("scores", [0, 9]),
]

WRONG: list[tuple[str, Any]] = [
    ("age", 17),
    ("age", 121),
    ("age", 30.0),
    ("age", "30"),
    ("age", True),
    ("age", [30]),
    ("height", "1.75"),
    ("height", True),
    ("height", 0.49),
    ("height", math.nan),
    ("height", math.inf),
    ("location", 5),
    ("location", ""),
    ("location", "  "),
    ("location", ["Rome"]),
    ("diet", "carnivore"),
    ("diet", "Vegan"),
    ("diet", ["vegan"]),
    ("smokes", "no"),
    ("smokes", 0),
    ("born_on", "1990-02-30"),
    ("born_on", "28 February"),
    ("born_on", 19900228),
    ("interests", {"a": 1}),
    ("interests", [["hiking"]]),
    ("interests", ["hiking", 5]),
    ("scores", [1, 10]),
    ("scores", [1, "2"]),
    ("scores", [1, True]),
]


def refused(fields: dict[str, Any]) -> LinealError:
    with pytest.raises(LinealError) as caught:
        sorted_out(SCHEMA, fields)
    assert caught.value.code is ErrorCode.INVALID_REQUEST
    return caught.value


@pytest.mark.parametrize(("name", "value"), RIGHT)
def test_a_value_of_the_right_type_is_taken_as_it_is(name: str, value: Any) -> None:
    """U6"""
    assert sorted_out(SCHEMA, {name: value}) == ({name: value}, {})


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_value_of_a_known_key_is_refused_by_name(name: str, value: Any) -> None:
    """U6: with details.field"""
    error = refused({"location": "Rome", name: value})
    assert error.details["field"] == name
    assert f"Field '{name}' is" in error.message
    assert "the schema takes" in error.message


@pytest.mark.parametrize("name", ["height", "age", "scores"])
def test_a_number_beyond_every_measure_is_refused_like_any_other(name: str) -> None:
    """U6: an error of the caller's, not of ours."""
    assert len(refused({name: 10**4_000}).message) < 500


def test_a_number_out_of_range_is_told_the_range() -> None:
    error = refused({"age": 7})
    assert "is 7" in error.message
    assert "18 to 120" in error.message
    assert (error.details["minimum"], error.details["maximum"]) == (18, 120)


def test_an_unknown_word_is_told_the_known_ones() -> None:
    message = refused({"diet": "carnivore"}).message
    assert "'carnivore'" in message
    assert "one of vegan, omnivore" in message


def test_a_long_wrong_value_is_not_repeated_whole() -> None:
    assert len(refused({"diet": "x" * 60_000}).message) < 300


def test_keys_that_the_schema_doesnt_know_are_extras_as_they_came() -> None:
    """U6"""
    extras = {"shoe_size": 43, "Age": 30, "nested": {"a": [1, None]}}
    assert sorted_out(SCHEMA, {**extras, "age": 30}) == ({"age": 30}, extras)


def test_a_derived_value_cant_be_set_and_goes_to_the_extras() -> None:
    """U15"""
    assert sorted_out(SCHEMA, {"style": "secure"}) == ({}, {"style": "secure"})


def test_a_null_is_not_a_value() -> None:
    assert sorted_out(SCHEMA, {"age": None}) == ({}, {})


def test_one_value_for_a_list_is_a_list_of_one() -> None:
    assert taken("interests", SCHEMA.fields["interests"], "hiking") == ["hiking"]


def test_a_list_holds_each_member_once_in_order() -> None:
    assert taken("interests", SCHEMA.fields["interests"], ["b", "a", "b"]) == ["b", "a"]


def test_a_domain_that_isnt_registered_keeps_everything_as_extras() -> None:
    """U11"""
    schema = SchemaBook().get("gardening")
    assert schema.schema_version == "gardening.v0"
    assert sorted_out(schema, {"roses": 5}) == ({}, {"roses": 5})


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(fields=st.dictionaries(st.sampled_from([*SCHEMA.fields, "other"]), JSON))
def test_any_json_is_sorted_out_or_refused_and_what_is_taken_is_taken_again(
    fields: dict[str, Any],
) -> None:
    """U1, U6"""
    try:
        known, extras = sorted_out(SCHEMA, fields)
    except LinealError as refusal:
        known, extras = {}, {}
        named = [refusal.details["field"]]
    else:
        named = list(known)
    assert set(named) <= set(fields)
    assert sorted_out(SCHEMA, known) == (known, {})
    assert set(extras) <= {"style", "other"}


SHIPPED_FIELDS = {
    "dating.v3": {
        "hard": "age gender location relationship_goal diet children smoking",
        "soft": "interests values_text",
        "derived": "attachment_style",
    },
    "hiring.v1": {
        "hard": "role years_experience skills location remote salary_expectation "
        "notice_period_days education_level languages work_authorization",
        "soft": "interests values_text",
        "derived": "seniority",
    },
    "coding.v1": {
        "hard": "languages frameworks tools package_manager test_command os editor",
        "soft": "preferences conventions decisions constraints",
        "derived": "stack",
    },
}


@pytest.mark.parametrize("version", SHIPPED_FIELDS)
def test_a_shipped_schema_has_the_fields_that_others_rely_on(version: str) -> None:
    schema = SchemaBook().get(version.split(".")[0])
    assert schema.schema_version == version
    for kind, names in SHIPPED_FIELDS[version].items():
        for name in names.split():
            assert schema.fields[name].kind == kind, name


def test_the_words_that_others_rely_on_are_taken() -> None:
    dating, hiring = SchemaBook().get("dating"), SchemaBook().get("hiring")
    goals = dating.fields["relationship_goal"].values
    assert set(goals) >= {"serious", "casual", "friendship", "marriage", "unsure"}
    assert set(hiring.fields["remote"].values) >= {"onsite", "hybrid", "remote"}


def test_every_shipped_file_is_registered() -> None:
    files = sorted(path.stem for path in SHIPPED.glob("*.json"))
    assert list(SchemaBook().domains()) == files
    for domain in files:
        assert SchemaBook().get(domain).domain == domain


def test_every_shipped_field_is_described_and_makes_sense() -> None:
    book = SchemaBook()
    for schema in map(book.get, book.domains()):
        for name, spec in schema.fields.items():
            kind = spec.items if spec.type == "list" else spec.type
            assert spec.description, name
            assert kind != "enum" or spec.values, name
            assert spec.merge != "union" or spec.type == "list", name
            assert spec.merge != "max" or spec.type in ("integer", "number"), name


BROKEN = {
    "not json": '{"domain": "garden",\n "version": 1,\n "fields": {,}}',
    "cut short": '{"domain": "garden",\n "version": 1,\n',
    "a list": "[1, 2]",
    "no version": '{"domain": "garden"}',
    "a wrong kind": '{"domain": "garden", "version": 1,\n "fields": {"a": {"kind": "firm"}}}',
    "an unknown key": '{"domain": "garden", "version": 1, "colour": "green"}',
    "a broken pattern": '{"domain": "garden", "version": 1, "fields": '
    '{"a": {"kind": "hard", "type": "string", "patterns": ["("]}}}',
    "a phrase that isn't closed": '{"domain": "garden", "version": 1, "fields": '
    '{"a": {"kind": "hard", "type": "string", "says": ["grows (in|on {name}"]}}}',
    "a phrase without a place for the value": '{"domain": "garden", "version": 1, "fields": '
    '{"a": {"kind": "hard", "type": "string", "says": ["grows well"]}}}',
    "a place that isn't known": '{"domain": "garden", "version": 1, "fields": '
    '{"a": {"kind": "hard", "type": "string", "says": ["grows {there}"]}}}',
    "a pattern without a group": '{"domain": "garden", "version": 1, "fields": '
    '{"a": {"kind": "hard", "type": "string", "patterns": ["roses"]}}}',
    "an enum without values": '{"domain": "garden", "version": 1, "fields": '
    '{"a": {"kind": "hard", "type": "enum"}}}',
    "a union of numbers": '{"domain": "garden", "version": 1, "fields": '
    '{"a": {"kind": "hard", "type": "number", "merge": "union"}}}',
    "the greatest string": '{"domain": "garden", "version": 1, "fields": '
    '{"a": {"kind": "hard", "type": "string", "merge": "max"}}}',
    "a minimum above the maximum": '{"domain": "garden", "version": 1, "fields": '
    '{"a": {"kind": "hard", "type": "number", "minimum": 2, "maximum": 1}}}',
    "a derived hard field": '{"domain": "garden", "version": 1, "fields": '
    '{"a": {"kind": "hard", "type": "string", "derive": {"union": ["a"]}}}}',
    "derived from nothing": '{"domain": "garden", "version": 1, "fields": '
    '{"a": {"kind": "derived", "type": "list", "derive": {"union": ["b"]}}}}',
    "a match that can't be": '{"domain": "garden", "version": 1, "fields": '
    '{"a": {"kind": "hard", "type": "string", "match": {"rule": "overlap"}}}}',
    "near without a scale": '{"domain": "garden", "version": 1, "fields": '
    '{"a": {"kind": "hard", "type": "number", "match": {"rule": "near"}}}}',
    "an opposite that isn't there": '{"domain": "garden", "version": 1, "fields": '
    '{"a": {"kind": "hard", "type": "enum", "values": {"x": []}, "opposite": {"x": "y"}}}}',
    "a name that stands twice": '{"domain": "garden", "version": 1, "version": 2}',
    "a place that gives no number": '{"domain": "garden", "version": 1, "fields": '
    '{"a": {"kind": "hard", "type": "integer", "says": ["live in {place}"]}}}',
    "a place that gives no text": '{"domain": "garden", "version": 1, "fields": '
    '{"a": {"kind": "hard", "type": "string", "denies": ["no {number} roses"]}}}',
    "a known name where none is": '{"domain": "garden", "version": 1, "fields": '
    '{"a": {"kind": "hard", "type": "string", "says": ["grows {known}"]}}}',
    "a bound of a string": '{"domain": "garden", "version": 1, "fields": '
    '{"a": {"kind": "hard", "type": "string", "maximum": 3}}}',
    "the highest string": '{"domain": "garden", "version": 1, "fields": '
    '{"a": {"kind": "hard", "type": "string", "choose": "highest"}}}',
    "a name that is no number": '{"domain": "garden", "version": 1, "fields": '
    '{"a": {"kind": "hard", "type": "integer", "values": {"few": ["a few"]}}}}',
    "a name that is neither yes nor no": '{"domain": "garden", "version": 1, "fields": '
    '{"a": {"kind": "hard", "type": "boolean", "values": {"perhaps": []}}}}',
    "a case of another type": '{"domain": "garden", "version": 1, "fields": {"a": {"kind": '
    '"derived", "type": "integer", "derive": {"cases": [{"value": "x", "when": {"a": {}}}]}}}}',
    "a string that is derived by union": '{"domain": "garden", "version": 1, "fields": '
    '{"a": {"kind": "derived", "type": "string", "derive": {"union": ["a"]}}}}',
    "lists within a list": '{"domain": "garden", "version": 1, "fields": '
    '{"a": {"kind": "hard", "type": "list", "items": "list"}}}',
    "not a number": '{"domain": "garden", "version": 1, "fields": '
    '{"a": {"kind": "hard", "type": "number", "minimum": NaN}}}',
    "an infinite number": '{"domain": "garden", "version": 1, "fields": '
    '{"a": {"kind": "hard", "type": "number", "maximum": -Infinity}}}',
    "a number beyond every float": '{"domain": "garden", "version": 1, "fields": '
    '{"a": {"kind": "hard", "type": "number", "maximum": 1e999}}}',
    "nested too deep": "[" * 100_000,
    "a number too long": '{"domain": "garden", "version": 1' + "0" * 5_000 + "}",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_broken_file_refuses_its_own_domain_only(tmp_path: Path, text: str) -> None:
    (tmp_path / "garden.json").write_text(text, encoding="utf-8")
    (tmp_path / "sound.json").write_text('{"domain": "sound", "version": 2}', encoding="utf-8")
    book = SchemaBook([SHIPPED, tmp_path])
    with pytest.raises(LinealError) as caught:
        book.get("garden")
    assert caught.value.code is ErrorCode.INVALID_REQUEST
    assert str(tmp_path / "garden.json") in caught.value.message
    assert "Mend or remove it" in caught.value.message
    assert book.get("sound").schema_version == "sound.v2"
    assert book.get("coding").version > 0
    assert "garden" not in book.domains()


@pytest.mark.parametrize(
    ("text", "line"), [(BROKEN["not json"], 3), (BROKEN["cut short"], 3), ('\n\n{"a" 1}', 3)]
)
def test_a_file_that_isnt_json_is_refused_by_line(tmp_path: Path, text: str, line: int) -> None:
    (tmp_path / "garden.json").write_text(text, encoding="utf-8")
    with pytest.raises(LinealError, match=f"line {line}"):
        SchemaBook([tmp_path]).get("garden")


def test_a_file_with_a_wrong_value_is_refused_by_place(tmp_path: Path) -> None:
    (tmp_path / "garden.json").write_text(BROKEN["a wrong kind"], encoding="utf-8")
    with pytest.raises(LinealError, match=r"fields\.a\.kind"):
        SchemaBook([tmp_path]).get("garden")


@pytest.mark.parametrize(
    ("field", "line"),
    [
        ('"minimum": 2,\n"maximum": 1', 3),
        ('"minimum": 1,\n"merge": "union"', 4),
        ('"minimum": 1,\n"says": ["it (is"]', 4),
    ],
)
def test_what_is_wrong_in_a_field_is_refused_by_line(tmp_path: Path, field: str, line: int) -> None:
    text = (
        '{"domain": "garden", "version": 1, "fields": {\n'
        '"height": {"kind": "hard", "type": "number",\n' + field + "}}}"
    )
    (tmp_path / "garden.json").write_text(text, encoding="utf-8")
    with pytest.raises(LinealError, match=rf"line {line}: fields\.height"):
        SchemaBook([tmp_path]).get("garden")


def test_a_file_that_cant_be_read_as_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "garden.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(LinealError, match=r"garden\.json"):
        SchemaBook([tmp_path]).get("garden")


def test_ones_own_schema_takes_the_place_of_a_shipped_one(tmp_path: Path) -> None:
    own = {"domain": "coding", "version": 7}
    (tmp_path / "coding.json").write_text(json.dumps(own), encoding="utf-8")
    assert SchemaBook([SHIPPED, tmp_path]).get("coding").schema_version == "coding.v7"


def test_ones_own_broken_schema_doesnt_fall_back_to_the_shipped_one(tmp_path: Path) -> None:
    """Values would be stored under another meaning than the one that was meant."""
    (tmp_path / "coding.json").write_text("{", encoding="utf-8")
    book = SchemaBook([SHIPPED, tmp_path])
    assert "coding" not in book.domains()
    with pytest.raises(LinealError):
        book.get("coding")


def faults_of(path: Path) -> list[str]:
    with pytest.raises(LinealError) as caught:
        read_schema(path)
    faults: list[str] = caught.value.details["faults"]
    return faults


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_what_is_wrong_with_a_file_is_told_in_plain_words(tmp_path: Path, text: str) -> None:
    """Without the words of Python and its libraries."""
    path = tmp_path / "garden.json"
    path.write_text(text, encoding="utf-8")
    told = " ".join(faults_of(path))
    for jargon in ("input", "Input", "recursion", "dictionary", "instance", "permitted", "Errno"):
        assert jargon not in told


def test_all_faults_of_a_file_are_told_in_order_each_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "garden.json"
    path.write_text(
        '{"domain": "garden", "version": 1, "fields": {\n'
        '"a": {"kind": "hard", "type": "string",\n"merge": "max", "says": [\n'
        '"grows in {place}",\n"grows {there}",\n"grows (well {word}"]},\n'
        '"b": {"kind": "hard", "type": "number",\n"minimum": NaN}}}'
    )
    first, second, third, fourth = faults_of(path)
    assert first == "line 3: fields.a.merge: only a number is merged by max"
    assert second.startswith("line 5: fields.a.says: ")
    assert second.count("grows {there}") == 1
    assert third.startswith("line 6: fields.a.says: ")
    assert fourth == "line 8: fields.b.minimum: this must be a finite number"


def test_a_name_that_stands_twice_is_told_by_the_line_of_the_second(tmp_path: Path) -> None:
    path = tmp_path / "garden.json"
    path.write_text(
        '{"domain": "garden", "version": 1,\n"description": "a \\"quoted: {[\\" one",\n'
        '"fields": {\n'
        '"a": {"kind": "hard", "type": "string"},\n"b": {"kind": "hard", "type": "string"},\n'
        '"a": {"kind": "hard", "type": "string"}\n}}'
    )
    [told] = faults_of(path)
    assert told == "line 6: fields.a: this name stands twice in one object; remove one"


def test_at_most_twenty_faults_are_told_and_the_others_counted(tmp_path: Path) -> None:
    path = tmp_path / "garden.json"
    path.write_text(
        json.dumps({"domain": "garden", "version": 1} | {f"k{n}": n for n in range(30)})
    )
    with pytest.raises(LinealError, match="29 more") as caught:
        read_schema(path)
    assert (len(caught.value.details["faults"]), caught.value.details["count"]) == (20, 30)


def test_a_character_that_is_no_utf8_is_told_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "garden.json"
    path.write_bytes(b'{"domain": "meadow",\n"version": 1,\n"description": "\xff"}')
    [told] = faults_of(path)
    assert told.startswith("line 3: ")
    with pytest.raises(LinealError):
        SchemaBook([tmp_path]).get("meadow")


def test_a_directory_in_a_files_place_is_told_as_one(tmp_path: Path) -> None:
    (tmp_path / "garden.json").mkdir()
    assert faults_of(tmp_path / "garden.json") == ["it is a directory; name a file"]


@pytest.mark.parametrize("name", ["Upper Case", "a b", "a/b", "../a", "Garden", "x" * 65, "gärten"])
def test_a_domain_is_named_in_plain_small_letters(tmp_path: Path, name: str) -> None:
    path = tmp_path / "garden.json"
    path.write_text(json.dumps({"domain": name, "version": 1}))
    [told] = faults_of(path)
    assert told.startswith("line 1: domain: ")
    assert SchemaBook([tmp_path]).domains() == ()


@pytest.mark.parametrize("name", ["a", "eu-hiring_2", "x" * 64])
def test_a_domain_may_have_digits_and_dashes(tmp_path: Path, name: str) -> None:
    (tmp_path / "garden.json").write_text(json.dumps({"domain": name, "version": 1}))
    assert SchemaBook([tmp_path]).domains() == (name,)


def test_two_files_of_one_domain_in_a_directory_refuse_it_by_both_names(tmp_path: Path) -> None:
    for name, domain in (("a", "garden"), ("b", "garden"), ("c", "sound")):
        (tmp_path / f"{name}.json").write_text(json.dumps({"domain": domain, "version": 1}))
    book = SchemaBook([SHIPPED, tmp_path])
    with pytest.raises(LinealError) as caught:
        book.get("garden")
    assert str(tmp_path / "a.json") in caught.value.message
    assert str(tmp_path / "b.json") in caught.value.message
    assert "garden" not in book.domains()
    assert book.get("sound").version == 1


@pytest.mark.parametrize("names", [("a", "z"), ("z", "a")])
def test_a_broken_file_refuses_the_domain_it_speaks_of_whatever_comes_later(
    tmp_path: Path, names: tuple[str, str]
) -> None:
    broken, right = names
    (tmp_path / f"{broken}.json").write_text('{"domain": "garden", "version": 1, "fields": {')
    (tmp_path / f"{right}.json").write_text('{"domain": "garden", "version": 1}')
    with pytest.raises(LinealError, match=f"{broken}.json"):
        SchemaBook([tmp_path]).get("garden")


@pytest.mark.parametrize(
    "field",
    [
        {"type": "integer", "says": ["for {duration}", "since {date}", "{number} in {place}"]},
        {"type": "date", "says": ["born on {date}"]},
        {"type": "boolean", "values": {"yes": ["a smoker"], "No": []}},
        {"type": "number", "values": {"2.5": ["two and a half"]}, "says": ["take {known}"]},
        {"type": "list", "items": "integer", "minimum": 0, "says": ["scores : {list}"]},
        {
            "type": "enum",
            "values": {"x": [], "y": []},
            "choose": "highest",
            "denies": ["no {known}"],
        },
    ],
)
def test_what_fits_a_fields_type_is_taken(tmp_path: Path, field: dict[str, Any]) -> None:
    path = tmp_path / "garden.json"
    fields = {"a": {"kind": "hard", **field}}
    path.write_text(json.dumps({"domain": "garden", "version": 1, "fields": fields}))
    assert read_schema(path).fields["a"].type == field["type"]


def test_every_type_of_field_can_be_checked() -> None:
    for kind in get_args(FieldType):
        spec = FieldSpec(kind="hard", type=kind)
        with pytest.raises(LinealError):
            taken("it", spec, {"an": "object"})
