"""The command line where little is said, nothing is there yet, or nobody can be asked."""

from __future__ import annotations

import getpass
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import anyio
import pytest

from lineal.app import local_call, open_service
from lineal.models.context import AppendContext, GetContext
from lineal.models.lineage import DeclaredLineage
from lineal.settings import Settings

from . import test_cli
from .test_cli import document, error, run

home = test_cli.home
ids = test_cli.ids

READING = (
    ("search", "bread"),
    ("show", "ctx_x"),
    ("trace", "ctx_x"),
    ("history", "ctx_x"),
    ("stats",),
    ("verify",),
    ("backup", "copy.db"),
    ("export", "copy.db"),
    ("sweep",),
    ("forget", "ctx_x", "--yes"),
)


def login_as(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(variable, name)
    assert getpass.getuser() == name


async def _remember(content: str) -> None:
    settings = Settings()
    async with open_service(settings) as service:
        call = local_call(settings, "append_context")
        await service.append_context(call, AppendContext(content=content))


def test_a_search_right_after_init_finds_what_the_client_stored(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    login_as("grace", monkeypatch)
    monkeypatch.delenv("LINEAL_USER")
    monkeypatch.delenv("LINEAL_DOMAIN")
    env = document("init", "claude-code")["entry"]["env"]
    assert (env["LINEAL_USER"], env["LINEAL_DOMAIN"]) == ("grace", "coding")
    with monkeypatch.context() as client:
        for name, value in env.items():
            client.setenv(name, value)
        anyio.run(_remember, "We deploy on Thursdays.")
    [hit] = document("search", "when do we deploy")["hits"]
    assert hit["content"] == "We deploy on Thursdays."


def test_a_search_looks_into_every_domain_unless_one_is_named(
    ids: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINEAL_DOMAIN", "dating")
    assert document("search", "lock", "file")["hits"]


def test_init_writes_down_what_the_environment_says_already(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LINEAL_USER", "grace")
    monkeypatch.setenv("LINEAL_DOMAIN", "hiring")
    env = document("init", "claude-code", "--print")["entry"]["env"]
    assert (env["LINEAL_USER"], env["LINEAL_DOMAIN"]) == ("grace", "hiring")


def test_help_says_where_the_defaults_come_from() -> None:
    for command in ("search", "init"):
        told = " ".join(run(command, "--help").stdout.split())
        assert "[default: LINEAL_USER, else your login name]" in told
    assert "[default: all of them]" in run("search", "--help").stdout


def test_a_search_without_a_hit_says_for_whom_it_looked(ids: Mapping[str, str]) -> None:
    assert "remembered for grace" in run("search", "bread", "--user", "grace").stdout


def test_a_user_without_a_name_is_refused(ids: Mapping[str, str]) -> None:
    assert error("search", "bread", "--user", "")["details"]["field"] == "user_id"
    assert error("init", "cursor", "--user", "")["details"]["field"] == "user"


@pytest.mark.parametrize("arguments", READING, ids=lambda arguments: arguments[0])
def test_reading_makes_no_store(home: Path, arguments: tuple[str, ...]) -> None:
    refused = error(*arguments)
    assert refused["code"] == "not_found"
    assert f"There is no memory at {home / 'lineal.db'} yet." in refused["message"]
    assert not home.exists()
    assert not Path("copy.db").exists()


def test_a_store_that_was_lost_is_not_called_a_store_that_never_was(
    ids: Mapping[str, str], home: Path
) -> None:
    for path in home.glob("lineal.db*"):
        if path.suffix != ".id":
            path.unlink()
    assert "a store was made here before" in error("stats")["message"]


def test_where_nobody_can_be_asked_forgetting_needs_a_yes(ids: Mapping[str, str]) -> None:
    refused = run("forget", ids["note"], input="no\n")
    assert refused.exit_code == 2
    assert "needs --yes" in refused.stderr
    assert document("show", ids["note"])["id"] == ids["note"]
    assert run("forget", ids["note"], "--dry-run").exit_code == 0
    assert run("forget", ids["note"], "--yes").exit_code == 0
    assert error("show", ids["note"])["code"] == "not_found"


@pytest.mark.skipif(sys.platform == "win32", reason="no shell that closes a stream")
def test_a_closed_stdin_is_nobody_to_ask(ids: Mapping[str, str]) -> None:
    script = f"exec '{sys.executable}' -m lineal forget {ids['note']} <&-"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True)
    assert done.returncode == 2
    assert "needs --yes" in done.stderr


def test_an_unknown_id_is_answered_in_a_terminals_words(ids: Mapping[str, str]) -> None:
    for told in (run("show", "ctx_nowhere").stderr, error("trace", "ctx_nowhere")["message"]):
        assert "Find ids with `lineal search`." in told
        assert "search_context" not in told


def test_a_sweep_counts_one_memory_as_one(
    ids: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINEAL_CLOCK_OFFSET_S", "3700")
    assert run("sweep").stdout == "Swept 1 memory, 0 user rows and 0 receipts.\n"


def test_verify_does_not_send_anybody_to_verify(home: Path) -> None:
    home.mkdir(mode=0o700)
    (home / "lineal.db").write_bytes(b"this was never a store" * 100)
    (home / "lineal.db").chmod(0o600)
    told = run("verify")
    assert told.exit_code == 1
    assert "damaged" in told.stderr
    assert "lineal verify" not in told.stderr
    assert "estore a backup" in told.stderr


def test_a_trace_says_what_was_seen_and_what_was_only_said(ids: Mapping[str, str]) -> None:
    stored = anyio.run(_with_sources, ids)
    told = run("trace", stored).stdout
    assert "had read (observed): The build broke" in told
    assert "names as a source (declared): Bread is in" in told
    both = run("trace", ids["source"], "--both").stdout
    up, down = both.split("What rests on it")
    assert up.startswith("What it rests on\n")
    assert "rests on nothing known" in up
    assert "was read before (observed): A note that has both" in down
    assert "source of (declared): Clear the cache" in down


async def _with_sources(ids: Mapping[str, str]) -> str:
    """A memory that names one source, written after another was read."""
    settings = Settings()
    call = local_call(settings, "append_context")
    async with open_service(settings) as service:
        await service.get_context(call, GetContext(context_id=ids["source"]))
        answer = await service.append_context(
            call,
            AppendContext(
                content="A note that has both kinds.",
                lineage=DeclaredLineage(source_ids=(ids["note"],)),
            ),
        )
    return answer.context_id


def test_a_wrong_call_is_json_for_machines() -> None:
    for arguments in (("stats", "--loud"), ("nope",), ("show",), ("forget", "ctx_x")):
        refused = error(*arguments, exit_code=2)
        assert refused["code"] == "invalid_request"
        assert "--help` has the rest." in refused["message"]
    assert error("init", "cursor", "--print", "--remove", exit_code=2)["retryable"] is False
    plain = run("search", "--loud", "--", "--json")
    assert plain.stderr.startswith("Usage: ")


def test_an_option_before_the_command_is_refused_in_json_too() -> None:
    assert json.loads(run("--json", "stats").stderr)["error"]["code"] == "invalid_request"
