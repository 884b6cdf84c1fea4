"""`lineal search` with its filters and remarks, and `lineal reindex`, on a real store."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import apsw
import pytest

from lineal.app import local_call, open_service
from lineal.faces.cli.hits import remarks
from lineal.models.context import AppendContext
from lineal.models.lineage import DeclaredLineage
from lineal.models.search import SearchAnswer
from lineal.models.user import UpsertUser
from lineal.settings import Settings

from . import test_cli
from .test_cli import document, error, run

home = test_cli.home

JULY = datetime(2026, 7, 1, 9, tzinfo=UTC)
SAID: Mapping[str, dict[str, Any]] = {
    "dog": {"content": "She adopted a small dog in March.", "source": "chat"},
    "cache": {"content": "The build broke because the cache was stale.", "source": "upload"},
    "parcel": {"content": "You will get the parcel on Monday."},
    "quay": {"content": "The staging key is rotated every night.", "project": "quay"},
    "harbor": {"content": "The staging key is rotated every night.", "project": "harbor"},
}
"""Names → what is stored, a day apart."""


@pytest.fixture
def ids(home: Path) -> Mapping[str, str]:
    """Names of SAID, and `rule`, which is derived from `cache` → their ids."""
    return anyio.run(_store)


async def _store() -> dict[str, str]:
    settings = Settings()
    call = local_call(settings, "append_context")
    kept: dict[str, str] = {}
    async with open_service(settings) as service:
        await service.upsert_user(call, UpsertUser(fields={"editor": "vim"}))

        async def keep(name: str, **more: Any) -> None:
            at = JULY + timedelta(days=len(kept))
            request = AppendContext(occurred_at=at, **more)
            kept[name] = (await service.append_context(call, request)).context_id

        for name, more in SAID.items():
            await keep(name, **more)
        origin = DeclaredLineage(derived_from=(kept["cache"],), model_version="m-9")
        await keep("rule", content="Clear the cache before a build.", lineage=origin)
    return kept


def found(*arguments: str) -> set[str]:
    return {hit["context_id"] for hit in document("search", *arguments)["hits"]}


def test_a_search_in_a_new_process_finds_by_meaning(ids: Mapping[str, str]) -> None:
    """No server has made a vector yet."""
    assert document("search", "puppy")["hits"][0]["context_id"] == ids["dog"]
    assert document("search", "adoptions")["hits"][0]["context_id"] == ids["dog"]


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--source", "chat"], {"dog"}),
        (["--source", "chat", "--source", "upload"], {"dog", "cache"}),
        (["--agent", "cursor"], set()),
        (["--agent", "lineal-cli", "--tag", "x"], set()),
        (["--model", "m-9"], {"rule"}),
        (["--from", "2026-07-02T09:00:00Z", "--to", "2026-07-03T09:00:00Z"], {"cache"}),
        (["--recorded-to", "2026-01-01T00:00:00Z"], set()),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
@pytest.mark.parametrize("query", [(), ("build", "dog", "cache")], ids=["newest", "words"])
def test_a_filter_lets_through_what_it_names(
    ids: Mapping[str, str], query: tuple[str, ...], options: list[str], names: set[str]
) -> None:
    """S5"""
    assert found(*query, *options) == {ids[name] for name in names}


def test_what_was_derived_is_found_by_its_origin(ids: Mapping[str, str]) -> None:
    assert found("cache", "--derived-from", ids["cache"]) == {ids["rule"]}
    stored = found("--recorded-from", "2026-01-01T00:00:00Z")
    assert stored | {ids["quay"], ids["harbor"]} == set(ids.values())


def test_a_time_without_an_offset_is_refused_by_name(ids: Mapping[str, str]) -> None:
    assert error("search", "--from", "yesterday")["details"]["field"] == "occurred_from"


def test_an_explained_score_is_told_as_a_sum(ids: Mapping[str, str]) -> None:
    """S4"""
    told = run("search", "dog", "--explain").stdout
    line = next(line for line in told.splitlines() if "words ." in line)
    parts, total = line.strip().split(" = ")
    shares = [float(part.rsplit(" ", 1)[1]) for part in parts.split(" · ")]
    assert sum(shares) == pytest.approx(float(total), abs=0.02)
    assert "words ." not in run("search", "dog").stdout
    assert document("search", "dog", "--explain")["hits"][0]["explain"]["words"] > 0


def test_a_slip_is_told_to_people(ids: Mapping[str, str]) -> None:
    """S8"""
    result = run("search", "parcle")
    assert ids["parcel"] in result.stdout
    assert "“parcle” taken for “parcel”." in result.stdout


def test_what_says_the_same_is_counted_in_one_hit(ids: Mapping[str, str]) -> None:
    """S7"""
    told = run("search", "staging", "key", "--everywhere").stdout
    assert told.count("The staging key is rotated every night.") == 1
    assert "+1 the same" in told
    (first, *_) = document("search", "staging", "key", "--everywhere")["hits"]
    assert {first["context_id"], *first["also"]} == {ids["quay"], ids["harbor"]}


def test_a_note_and_an_uncertain_count_are_told() -> None:
    answer = SearchAnswer(hits=(), more=3, note="Found by words only: no model.")
    assert [line.plain for line in remarks(answer)] == ["Found by words only: no model."]


def test_at_least_is_said_where_nobody_counted(ids: Mapping[str, str]) -> None:
    answer = SearchAnswer.model_validate(document("search", "cache", "--limit", "1"))
    uncounted = answer.model_copy(update={"more": 9, "at_least": True})
    assert [line.plain for line in remarks(uncounted)] == [
        "At least 9 more; ask for them with --limit."
    ]


def test_without_an_embedder_words_alone_are_found_and_that_is_no_note(
    ids: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """S12"""
    monkeypatch.setenv("LINEAL_EMBEDDER", "none")
    answer = document("search", "dog")
    assert [hit["context_id"] for hit in answer["hits"]] == [ids["dog"]]
    assert "note" not in answer
    assert document("search", "puppy")["hits"] == []


# --- reindex ---


def vectors(home: Path) -> int:
    with closing(apsw.Connection(str(home / "lineal.db"))) as connection:
        return int(connection.execute("SELECT count(*) FROM vector").get)


def test_reindex_makes_what_is_missing_and_then_nothing(ids: Mapping[str, str], home: Path) -> None:
    assert vectors(home) == 0
    assert document("reindex") == {"vectors": 6, "language": None, "embedder": "minilm"}
    assert vectors(home) == 6
    assert "No vector was missing (minilm)." in run("reindex").stdout


def test_reindex_drops_the_vectors_of_another_model(
    ids: Mapping[str, str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    document("reindex")
    monkeypatch.setenv("LINEAL_EMBEDDER", "hashing")
    assert "6 vectors made (hashing)." in run("reindex").stdout
    assert vectors(home) == 6


def test_reindex_without_an_embedder_says_so(
    ids: Mapping[str, str], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINEAL_EMBEDDER", "none")
    assert "No vectors: LINEAL_EMBEDDER is none" in run("reindex").stdout
    assert vectors(home) == 0


def test_words_are_indexed_anew_in_the_language_that_is_set(
    ids: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINEAL_EMBEDDER", "none")
    assert found("adoptions") == {ids["dog"]}
    monkeypatch.setenv("LINEAL_LANGUAGE", "none")
    assert found("adoptions") == {ids["dog"]}, "the store's own language counts"
    assert document("reindex", "--words")["language"] == "none"
    assert found("adoptions") == set()
    assert found("adopted") == {ids["dog"]}
    told = run("reindex", "--language", "english").stdout
    assert "The index of words was made anew (english)." in told
    assert found("adoptions") == {ids["dog"]}


def test_a_language_that_nobody_knows_is_refused_and_nothing_is_changed(
    ids: Mapping[str, str],
) -> None:
    refused = error("reindex", "--language", "klingon")
    assert refused["code"] == "invalid_request"
    assert "german" in refused["message"]
    assert ids["dog"] in found("adoptions")


def test_reindex_shows_its_progress_to_people_only(ids: Mapping[str, str]) -> None:
    """On stderr, and where that is no terminal, not at all."""
    argv = [sys.executable, "-m", "lineal", "reindex"]
    done = subprocess.run(argv, capture_output=True, text=True, env=dict(os.environ), check=True)
    assert done.stderr == ""
    assert done.stdout == "6 vectors made (minilm).\n"
