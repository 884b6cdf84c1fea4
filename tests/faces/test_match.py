"""`lineal match` and `lineal outcomes` over a real store."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from lineal.app import local_call, open_service
from lineal.errors import LinealError
from lineal.faces.cli.match import filters_of
from lineal.models.matching import RecordOutcome
from lineal.models.user import UpsertUser
from lineal.settings import Settings

from . import test_cli
from .test_cli import HOSTILE, document, error, run

home = test_cli.home

PEOPLE: dict[str, dict[str, Any]] = {
    "ada": {"age": 30, "diet": "vegan", "interests": ["hiking", "chess"]},
    "ben": {"age": 32, "diet": "vegetarian", "interests": ["hiking"]},
    "cyd": {"age": 61, "diet": "omnivore", "interests": ["opera"]},
}


@pytest.fixture(autouse=True)
def people(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEAL_EMBEDDER", "hashing")
    monkeypatch.setenv("LINEAL_DOMAIN", "dating")
    anyio.run(_store, PEOPLE)


async def _store(people: dict[str, dict[str, Any]]) -> None:
    settings = Settings()
    call = local_call(settings, "upsert_user")
    async with open_service(settings) as service:
        for name, fields in people.items():
            await service.upsert_user(call, UpsertUser(user_id=name, fields=fields))


async def _record(user_id: str, **values: Any) -> str:
    settings = Settings()
    call = local_call(settings, "record_outcome")
    async with open_service(settings) as service:
        request = RecordOutcome.model_validate({"user_id": user_id, **values})
        return (await service.record_outcome(call, request)).outcome_id


def record(user_id: str, candidate_id: str, outcome: str = "accepted", **values: Any) -> str:
    async def kept() -> str:
        return await _record(user_id, candidate_id=candidate_id, outcome=outcome, **values)

    return anyio.run(kept)


def test_the_best_come_first_with_their_reasons() -> None:
    answer = document("match", "--to", "ada")
    assert [found["user_id"] for found in answer["candidates"]] == ["ben", "cyd"]
    first = answer["candidates"][0]
    assert first["stages"].keys() == {"head", "fields"}
    assert "vegetarian suits vegan" in first["reasons"]
    assert first["fields"] == {"age": 32, "diet": "vegetarian"}
    assert (answer["considered"], answer["filtered"], answer["more"]) == (2, 0, 0)


def test_people_see_a_bar_and_why() -> None:
    told = run("match", "--to", "ada").stdout
    assert "█" in told
    assert "both: hiking" in told
    assert "age 32, 2 years apart" in told
    assert "2 users of dating looked at, 0 left out by filters." in told


def test_without_to_it_is_the_configured_user() -> None:
    assert document("match") == document("match", "--to", "ada", "--domain", "dating")


def test_filters_narrow_and_the_limit_says_what_is_left() -> None:
    answer = document("match", "--to", "ada", "--filter", "age=..40")
    assert [found["user_id"] for found in answer["candidates"]] == ["ben"]
    assert answer["filtered"] == 1
    told = run("match", "--to", "ada", "--limit", "1").stdout
    assert "1 more; ask for them with --limit." in told


def test_a_description_is_read_against_the_schema() -> None:
    answer = document("match", "--describe", "I'm 31, I'm vegan, and I love hiking.")
    assert answer["understood"]["diet"] == "vegan"
    assert answer["understood"]["age"] == 31
    assert {found["user_id"] for found in answer["candidates"]} == {"ada", "ben", "cyd"}
    assert "Read from the description:" in run("match", "--describe", "I'm vegan.").stdout
    assert document("stats")["contexts"] == 0


@pytest.mark.parametrize(
    ("given", "filters"),
    [
        ("age=25..35", {"age": {"minimum": 25, "maximum": 35}}),
        ("age=25..", {"age": {"minimum": 25}}),
        ("age=..35", {"age": {"maximum": 35}}),
        ("town=Paris,Delft", {"town": ["Paris", "Delft"]}),
        ("town=St. Ives", {"town": "St. Ives"}),
        ("remote=true", {"remote": True}),
        ("born=2000-01-01..", {"born": {"minimum": "2000-01-01"}}),
        ('zip="75001"', {"zip": "75001"}),
        ('town=["a, b","c"]', {"town": ["a, b", "c"]}),
        ("sum=1+1=2", {"sum": "1+1=2"}),
    ],
)
def test_a_filter_is_written_shortly(given: str, filters: dict[str, Any]) -> None:
    assert filters_of((given,)) == filters


@pytest.mark.parametrize("given", ["age", "=3", "age=", " = "])
def test_a_filter_without_field_or_value_is_refused(given: str) -> None:
    with pytest.raises(LinealError):
        filters_of((given,))


def test_a_wrong_call_says_what_is_wrong() -> None:
    assert error("match", "--filter", "shoe=44")["details"]["field"] == "filters.shoe"
    assert error("match", "--filter", "age=old")["details"]["field"] == "filters.age"
    assert error("match", "--to", "nobody")["code"] == "not_found"
    assert error("match", "--domain", "notes")["details"]["field"] == "domain"
    both = error("match", "--to", "ada", "--describe", "vegan", exit_code=2)
    assert both["code"] == "invalid_request"


def test_what_is_stored_cant_steer_the_terminal() -> None:
    people: dict[str, dict[str, Any]] = {"eve": {"location": HOSTILE}, "ada": {"location": HOSTILE}}
    anyio.run(_store, people)
    told = run("match", "--to", "ada").stdout
    assert "\\x1b[31malarm" in told
    assert "\x1b" not in told


def test_outcomes_are_exported_a_line_each() -> None:
    first = record("ada", "ben", weight=2, score=0.8)
    second = record("cyd", "ada", "rejected")
    lines = [json.loads(line) for line in run("outcomes", "export").stdout.splitlines()]
    assert [line["outcome_id"] for line in lines] == [first, second]
    assert (lines[0]["weight"], lines[0]["score"], lines[1]["score"]) == (2.0, 0.8, None)
    of_ben = run("outcomes", "export", "--user", "ben").stdout.splitlines()
    assert [json.loads(line)["outcome_id"] for line in of_ben] == [first]
    assert run("outcomes", "export", "--domain", "hiring").stdout == ""


def test_outcomes_go_to_a_new_file_only(tmp_path: Path) -> None:
    record("ada", "ben")
    target = tmp_path / "outcomes.jsonl"
    told = run("outcomes", "export", "-o", str(target))
    assert told.exit_code == 0
    assert f"1 outcome written to {target}." in told.stdout
    assert json.loads(target.read_text())["candidate_id"] == "ben"
    again = run("outcomes", "export", "-o", str(target))
    assert again.exit_code == 1
    assert "is there already" in again.stderr
    nowhere = error("outcomes", "export", "-o", str(tmp_path / "no" / "where"))
    assert nowhere["code"] == "unavailable"


def test_an_unknown_part_of_outcomes_is_told_to_machines_too() -> None:
    assert error("outcomes", "frob", exit_code=2)["code"] == "invalid_request"
