"""`lineal outbox` over the ledger of a backend that forwards, and nothing that is ever sent."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import click
import pytest
from anyio import to_thread
from click.testing import CliRunner, Result

from lineal.clock import SystemClock
from lineal.faces.cli import outbox as cli_outbox
from lineal.faces.cli.main import cli
from lineal.faces.cli.outbox import Listed, document, state_of
from lineal.faces.cli.output import show
from lineal.models.changes import Scope
from lineal.models.forwarding import Letter, LetterPage, OutboxState, Settled
from lineal.models.letters import AppendLetter
from lineal.stores.sqlite import SqliteStore
from lineal.stores.sqlite.outbox import SqliteOutbox
from lineal.testing.contracts.jean import JeanContract
from lineal.testing.contracts.server import serving
from lineal.testing.samples import START, a_context, keep

from . import test_cli

home = test_cli.home

HOUR = timedelta(hours=1)
NOW = START + 2 * HOUR


def a_letter(letter_id: str, **values: Any) -> Letter:
    base: dict[str, Any] = {
        "letter_id": letter_id,
        "tenant": "local",
        "user_id": "ada",
        "domain": "coding",
        "verb": "append",
        "context_id": f"ctx_{letter_id}",
        "body": '{"content": "walnut"}',
        "posted_at": START,
        "due_at": START,
    }
    return Letter(**{**base, **values})


def shown(capsys: pytest.CaptureFixture[str], found: Listed, **options: Any) -> list[str]:
    asked = {"home_tenant": "local", "content": False, **options}
    show(*cli_outbox.rendered(found, NOW, **asked))
    return capsys.readouterr().out.splitlines()


def listed(*letters: Letter, **state: Any) -> Listed:
    return Listed(OutboxState(**state), LetterPage(letters=letters))


def test_a_letter_is_a_line_without_its_content(capsys: pytest.CaptureFixture[str]) -> None:
    found = listed(a_letter("let_1", tries=3, reason="The service is away."), waiting=1)
    summary, header, line = shown(capsys, found)
    assert summary == "1 letter waits, 0 dead."
    assert header.split() == ["id", "verb", "user", "age", "tries", "state", "why"]
    assert line.split(None, 7) == [
        *("let_1", "append", "ada", "2", "h", "3", "waiting"),
        "The service is away.",
    ]


def test_the_summary_says_what_is_waiting_uncertain_dead_and_oldest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert shown(capsys, listed()) == ["Nothing waits."]
    state = {"waiting": 3, "uncertain": 1, "dead": 2, "oldest_at": START, "repeated": 4}
    (told,) = shown(capsys, listed(**state))
    assert told == (
        "3 letters wait, 2 dead. 1 may have arrived already. The oldest was written 2 h ago. "
        "Sent twice so far, for want of knowing: 4."
    )


def test_content_is_shown_only_when_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    found = listed(a_letter("let_1"), a_letter("let_2", body=""), waiting=2)
    assert not any("walnut" in line for line in shown(capsys, found))
    lines = shown(capsys, found, content=True)
    assert lines[-2:] == [
        'let_1: {"content": "walnut"}',
        "let_2: nothing any more: it was forgotten",
    ]
    assert "body" not in document(found, content=False)["letters"][0]
    assert document(found, content=True)["letters"][0]["body"] == '{"content": "walnut"}'


def test_another_tenants_user_is_told_with_the_tenant(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, listed(a_letter("let_1", tenant="acme"), waiting=1))
    assert "acme/ada" in lines[-1]


def test_nothing_in_a_reason_can_steer_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, listed(a_letter("let_1", reason="a\x1b[31m\nb [bold]c"), waiting=1))
    assert lines[-1].endswith("a\\x1b[31m b [bold]c")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({}, "waiting"),
        ({"due_at": NOW + HOUR}, "again in 1 h"),
        ({"begun": True}, "waiting, may have arrived"),
        ({"begun": True, "holder": "me", "held_until": NOW + HOUR}, "being sent"),
        ({"begun": True, "holder": "me", "held_until": NOW}, "waiting, may have arrived"),
        ({"dead_at": START}, "dead"),
    ],
)
def test_the_state_says_what_a_letter_waits_for(values: dict[str, Any], told: str) -> None:
    assert state_of(a_letter("let_1", **values), NOW) == told


# Over a ledger


def body_of(number: int) -> str:
    context = a_context(f"ctx_let_{number}", content=f"A walnut, number {number}.")
    return AppendLetter(context=context).model_dump_json()


async def fill(path: Path) -> None:
    """Three letters, of which the second is dead."""
    store = SqliteStore(path, clock=SystemClock())
    await store.open()
    letters = tuple(a_letter(f"let_{n}", body=body_of(n)) for n in (1, 2, 3))
    await keep(store, Scope(tenant="local"), letters=letters)
    refused = Settled(letter_id="let_2", outcome="dead", reason="No such user.")
    await SqliteOutbox(store).settle([refused])
    await store.close()


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch, home: Path) -> Path:
    """The ledger of a service that nobody reaches, made at its first use."""
    monkeypatch.setenv("LINEAL_BACKEND", "jean://127.0.0.1:9/v1")
    assert run("list").exit_code == 0
    (path,) = home.rglob("*.db")
    anyio.run(fill, path)
    return path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["outbox", *arguments])


def told(*arguments: str) -> Any:
    result = run(*arguments, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    return json.loads(result.stdout)


def names(*arguments: str) -> list[str]:
    return [one["letter_id"] for one in told("list", *arguments)["letters"]]


def test_letters_are_listed_all_the_dead_and_the_waiting(ledger: Path) -> None:
    assert names() == ["let_1", "let_2", "let_3"]
    assert names("--dead") == ["let_2"]
    assert names("--waiting") == ["let_1", "let_3"]
    assert names("--limit", "1") == ["let_1"]
    assert told("list")["state"]["dead"] == 1
    result = run("list")
    assert result.exit_code == 0
    assert "No such user." in result.stdout
    assert "walnut" not in result.stdout


def test_dead_letters_wait_again_by_id_or_with_all(ledger: Path) -> None:
    tried = told("retry", "let_2", "gone")
    assert (tried["retried"], tried["missing"]) == (1, 1)
    assert (tried["state"]["waiting"], tried["state"]["dead"]) == (3, 0)
    assert names("--dead") == []
    result = run("retry", "--all").stdout
    assert result.startswith("3 letters tried.\n3 letters wait, 0 dead.")


async def test_letters_are_sent_by_the_retry_itself(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    server = JeanContract("key")
    server.users["ada", "coding"] = {}
    monkeypatch.setenv("LINEAL_BACKEND", "jean://")
    monkeypatch.setenv("LINEAL_REMOTE_KEY", "key")
    async with serving(server) as address:
        monkeypatch.setenv("LINEAL_REMOTE_URL", f"{address}/v1")
        assert await to_thread.run_sync(run, "list")
        (path,) = home.rglob("*.db")  # noqa: ASYNC240 - a small directory
        await fill(path)
        result = await to_thread.run_sync(run, "retry", "--all")
    assert result.stdout.startswith("3 letters tried.\nNothing waits."), result.output
    assert server.count("POST", "/context") == 3


def test_letters_are_dropped_by_id_or_all_that_are_dead(ledger: Path) -> None:
    assert told("drop", "let_1", "--yes") == {"dropped": 1, "missing": 0}
    assert run("drop", "--all-dead", "--yes").stdout == "1 letter dropped.\n"
    assert names() == ["let_3"]


@pytest.mark.parametrize(
    "wrong", ["retry", "retry let_1 --all", "drop --yes", "drop let_1 --all-dead --yes"]
)
def test_which_letters_must_be_said_in_one_way(ledger: Path, wrong: str) -> None:
    result = run(*wrong.split())
    assert result.exit_code == click.UsageError.exit_code
    assert len(names()) == 3


def test_nothing_is_dropped_where_nobody_can_be_asked(ledger: Path) -> None:
    assert run("drop", "let_1").exit_code == click.UsageError.exit_code
    assert len(names()) == 3


def test_an_embedded_backend_says_that_nothing_is_forwarded() -> None:
    for command in ("list", "retry --all", "drop --all-dead --yes"):
        result = run(*command.split())
        assert result.exit_code == 1
        assert "Nothing is forwarded" in result.stderr
