"""`lineal schema`: list, show, check, try."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lineal.app import schema_files
from lineal.settings import Settings

from . import test_cli
from .test_cli import document, error, run

home = test_cli.home

GOOD: dict[str, Any] = {
    "domain": "pets",
    "version": 2,
    "description": "Who looks after animals.",
    "fields": {
        "kind": {
            "kind": "hard",
            "type": "enum",
            "values": {"cat": ["a cat"], "dog": ["a dog"]},
        },
        "years": {
            "kind": "hard",
            "type": "integer",
            "minimum": 0,
            "maximum": 30,
            "unit": "years",
            "match": {"rule": "near", "scale": 5, "filter": True},
        },
    },
}


def write(path: Path, schema: Any) -> Path:
    path.write_text(schema if isinstance(schema, str) else json.dumps(schema, indent=1))
    return path


def test_the_registered_domains_are_listed_without_a_memory(home: Path) -> None:
    listed = document("schema", "list")["schemas"]
    assert [one["domain"] for one in listed] == ["coding", "dating", "hiring"]
    assert "age" in next(one for one in listed if one["domain"] == "dating")["fields"]
    assert "hiring.v" in run("schema", "list").stdout
    assert not home.exists()


def test_a_directory_registers_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "pets.json", GOOD)
    monkeypatch.setenv("LINEAL_SCHEMAS", str(tmp_path))
    assert "pets.v2" in run("schema", "list").stdout
    shown = run("schema", "show", "pets").stdout
    assert "cat, dog" in shown
    assert "0 to 30 years" in shown
    assert "near within 5, weight 1, filter" in shown
    assert document("schema", "show", "pets")["fields"]["years"]["maximum"] == 30


@pytest.mark.parametrize("command", [("show", "pets"), ("try", "I am 30.", "--domain", "pets")])
def test_an_unregistered_domain_is_not_found_and_told_which_are(command: tuple[str, ...]) -> None:
    told = error("schema", *command)
    assert told["code"] == "not_found"
    assert "coding, dating, hiring" in told["message"]


def test_right_files_pass(tmp_path: Path) -> None:
    good = write(tmp_path / "pets.json", GOOD)
    result = run("schema", "check", str(good))
    assert (result.exit_code, result.stdout) == (0, "1 of 1 schema file right.\n")
    assert document("schema", "check", str(good)) == {"checked": 1, "wrong": {}}


def test_without_a_file_every_registered_one_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = write(tmp_path / "pets.json", "{\n  oops\n}")
    monkeypatch.setenv("LINEAL_SCHEMAS", str(tmp_path))
    result = run("schema", "check", "--json")
    told = json.loads(result.stdout)
    assert result.exit_code == 1
    assert told["checked"] == len(schema_files(Settings())) == 4
    assert str(broken) in told["wrong"]


def changed(**field: Any) -> dict[str, Any]:
    fields = {**GOOD["fields"], "years": {**GOOD["fields"]["years"], **field}}
    return {**GOOD, "fields": fields}


@pytest.mark.parametrize(
    ("schema", "mark", "why"),
    [
        ('{\n "domain": "pets",\n oops\n}', "oops", "property name"),
        ('{\n "domain": "pets",\n "version": "two",\n "fields": {}\n}', "two", "version"),
        (changed(type="whole number"), "whole number", "fields.years.type"),
        (changed(surprise=1), "surprise", "surprise"),
        (changed(match={"rule": "near"}), '"match"', "'near' needs a scale"),
        (changed(says=["lives {word"]), "lives", "fields.years.says"),
    ],
)
def test_a_wrong_file_is_told_by_its_line(tmp_path: Path, schema: Any, mark: str, why: str) -> None:
    wrong = write(tmp_path / "pets.json", schema)
    lines = wrong.read_text().splitlines()
    line = next(number for number, text in enumerate(lines, 1) if mark in text)
    result = run("schema", "check", str(wrong))
    assert result.exit_code == 1
    assert str(wrong) in result.stderr
    assert why in result.stderr
    assert f"line {line}:" in result.stderr
    assert result.stdout == "0 of 1 schema file right.\n"


def test_every_fault_of_a_file_is_told_on_a_line_of_its_own(tmp_path: Path) -> None:
    wrong = write(
        tmp_path / "pets.json", changed(merge="union", says=["lives {word", "in {place}"])
    )
    told = run("schema", "check", str(wrong)).stderr.splitlines()
    assert [line.split(": ")[3] for line in told] == [
        "fields.years.merge",
        "fields.years.says",
        "fields.years.says",
    ]
    assert len(document_of(wrong)["wrong"][str(wrong)]) == 3


def document_of(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run("schema", "check", "--json", str(path)).stdout)
    return found


def test_the_files_of_a_directory_are_checked(tmp_path: Path) -> None:
    write(tmp_path / "pets.json", GOOD)
    write(tmp_path / "notes.txt", "none of ours")
    assert document("schema", "check", str(tmp_path)) == {"checked": 1, "wrong": {}}
    again = write(tmp_path / "zoo.json", GOOD)
    result = run("schema", "check", str(tmp_path))
    assert result.exit_code == 1
    assert result.stdout == "0 of 2 schema files right.\n"
    assert str(again) in result.stderr
    assert document_of(again) == {"checked": 1, "wrong": {}}


def test_a_directory_without_schema_files_is_told(tmp_path: Path) -> None:
    assert error("schema", "check", str(tmp_path))["code"] == "invalid_request"


def test_what_cant_be_used_is_listed_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert document("schema", "list")["broken"] == []
    broken = write(tmp_path / "pets.json", "{\n  oops\n}")
    monkeypatch.setenv("LINEAL_SCHEMAS", str(tmp_path))
    [one] = document("schema", "list")["broken"]
    assert one["path"] == str(broken)
    assert one["faults"][0].startswith("line 2: ")
    assert str(broken) in run("schema", "list").stdout


def test_a_file_that_isnt_there_is_wrong(tmp_path: Path) -> None:
    result = run("schema", "check", str(tmp_path / "none.json"))
    assert result.exit_code == 1
    assert "none.json" in result.stderr


def test_a_text_is_tried_and_nothing_stored(home: Path) -> None:
    words = "I'm 29, vegan, and I love hiking."
    found = document("schema", "try", words, "--domain", "dating")
    values = {find["field"]: find for find in found["finds"]}
    assert values["age"]["value"] == 29
    start, end = values["age"]["span"]
    assert "29" in words[start:end]
    told = run("schema", "try", words, "--domain", "dating").stdout
    assert "[29]" in told
    assert "nothing was stored" in told
    assert not home.exists()


def test_a_text_is_tried_by_the_configured_domains_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEAL_DOMAIN", "dating")
    found = document("schema", "try", "I'm 29.")
    assert [(find["field"], find["value"]) for find in found["finds"]] == [("age", 29)]


def test_the_wildcard_is_not_shown_among_a_fields_names(tmp_path: Path) -> None:
    shown = run("schema", "show", "dating").stdout
    assert "*" not in shown


def test_what_is_denied_is_told_as_such() -> None:
    words = "I don't like hiking any more."
    found = document("schema", "try", words, "--domain", "dating")
    assert [(f["value"], f["denied"]) for f in found["finds"]] == [("hiking", True)]
    assert "not hiking" in run("schema", "try", words, "--domain", "dating").stdout


def test_an_unknown_part_of_schema_is_told_to_machines_too() -> None:
    assert error("schema", "frob", exit_code=2)["code"] == "invalid_request"
