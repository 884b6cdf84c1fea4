"""The command line over a real store in a directory of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import unicodedata
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio
import apsw
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from lineal.app import local_call, open_service
from lineal.faces.cli.discreet import hidden_secrets
from lineal.faces.cli.main import COMMANDS, cli
from lineal.faces.cli.visible import visible, visible_line
from lineal.models.context import AppendContext, MemoryType, UpdateContext
from lineal.models.lineage import DeclaredLineage
from lineal.models.user import UpsertUser
from lineal.settings import Settings

HOSTILE = "red \x1b[31malarm\x1b[0m \u202ekcab\u202c zero\u200bwidth [bold]markup[/bold] :boom:"
"""What a poisoned memory may hold to steer a terminal or to hide from its reader."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data directory that the environment names, for ada in the domain coding."""
    for name in os.environ:
        if name.startswith("LINEAL_"):
            monkeypatch.delenv(name)
    home = tmp_path / "data"
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LINEAL_HOME", str(home))
    monkeypatch.setenv("LINEAL_USER", "ada")
    monkeypatch.setenv("LINEAL_DOMAIN", "coding")
    monkeypatch.chdir(tmp_path)
    return home


@pytest.fixture
def ids() -> Mapping[str, str]:
    """Names → ids of what is stored: a source, a rule derived from it in two revisions, others."""
    return anyio.run(_store)


async def _store() -> dict[str, str]:
    settings = Settings()
    call = local_call(settings, "append_context")
    async with open_service(settings) as service:
        await service.upsert_user(call, UpsertUser(fields={"editor": "vim"}))

        async def keep(content: str, **more: Any) -> str:
            answer = await service.append_context(call, AppendContext(content=content, **more))
            return answer.context_id

        source = await keep("The build broke on Tuesday because the cache was stale.")
        rule = await keep(
            "Clear the cache before every release build.",
            memory_type=MemoryType.PROCEDURAL,
            tags=("build",),
            occurred_at=datetime(2026, 3, 2, 9, 14, tzinfo=UTC),
            lineage=DeclaredLineage(derived_from=(source,), confidence=0.7),
        )
        await service.update_context(
            call,
            UpdateContext(
                context_id=rule,
                content="Clear the cache and the lock file before every release build.",
                tags=("build", "release"),
            ),
        )
        return {
            "source": source,
            "rule": rule,
            "note": await keep("Bread is in the oven.", memory_type=MemoryType.SCRATCHPAD),
            "hostile": await keep(HOSTILE, title="[red]title[/red]"),
        }


def run(*arguments: str, **options: Any) -> Result:
    return CliRunner().invoke(cli, list(arguments), **options)


def document(*arguments: str) -> Any:
    """The one JSON document that a command prints for machines."""
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return json.loads(result.stdout)


def error(*arguments: str, exit_code: int = 1) -> Any:
    """The error's body as machines get it, on stderr, with nothing on stdout."""
    result = run(*arguments, "--json")
    assert result.exit_code == exit_code, result.output
    assert result.stdout == ""
    return json.loads(result.stderr)["error"]


def test_search_finds_by_words_and_says_what_it_is(ids: Mapping[str, str]) -> None:
    hits = document("search", "lock", "file")["hits"]
    assert hits[0]["context_id"] == ids["rule"]
    result = run("search", "lock file")
    assert ids["rule"] in result.stdout
    assert "procedural" in result.stdout
    assert "for good" in result.stdout


def test_search_narrows_by_type_tag_and_domain(ids: Mapping[str, str]) -> None:
    found = document("search", "--type", "scratchpad")["hits"]
    assert [hit["context_id"] for hit in found] == [ids["note"]]
    found = document("search", "--tag", "release")["hits"]
    assert [hit["context_id"] for hit in found] == [ids["rule"]]
    assert document("search", "cache", "--domain", "dating")["hits"] == []
    assert document("search", "--user", "grace")["hits"] == []


def test_nothing_found_is_said(ids: Mapping[str, str]) -> None:
    assert "Nothing found" in run("search", "xylophone").stdout


def test_show_tells_everything_of_a_memory(ids: Mapping[str, str]) -> None:
    result = run("show", ids["rule"])
    for told in ("revision", "2 of", "ada · coding", "2026-03-02 09:14", "build, release"):
        assert told in result.stdout
    assert ids["source"] in result.stdout
    assert "lineal-cli" in result.stdout
    assert "and the lock file" in result.stdout


def test_show_goes_back_to_a_past_revision(ids: Mapping[str, str]) -> None:
    past = document("show", ids["rule"], "--revision", "1")
    assert past["content"] == "Clear the cache before every release build."
    assert error("show", ids["rule"], "--revision", "9")["code"] == "not_found"


def test_trace_draws_both_ways(ids: Mapping[str, str]) -> None:
    up = run("trace", ids["rule"])
    assert "└── derived from (declared): The build broke" in up.stdout
    assert ids["source"] in up.stdout
    down = run("trace", ids["source"], "--down")
    assert "└── source of (declared): Clear the cache" in down.stdout
    assert ids["rule"] in down.stdout
    both = document("trace", ids["rule"], "--both", "--depth", "2")
    assert {node["context_id"] for node in both["nodes"]} == {ids["rule"], ids["source"]}


def test_history_says_what_changed(ids: Mapping[str, str]) -> None:
    told = run("history", ids["rule"]).stdout
    assert "first written" in told
    assert "content (43 → 61 characters), tags" in told
    assert "lineal-cli/" in told
    assert [one["revision"] for one in document("history", ids["rule"])["revisions"]] == [1, 2]


def test_forget_with_cascade_takes_what_was_derived(ids: Mapping[str, str]) -> None:
    plan = document("forget", ids["source"], "--cascade", "--dry-run")
    assert plan["forgotten"] == [ids["source"], ids["rule"]]
    assert document("show", ids["source"])["id"] == ids["source"]
    done = document("forget", ids["source"], "--cascade", "--yes")
    assert done["forgotten"] == plan["forgotten"]
    assert error("show", ids["rule"])["code"] == "not_found"
    assert "forgotten" in run("trace", ids["rule"]).stdout


def test_stats_and_sweep_count(ids: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert document("stats")["contexts"] == 4
    assert "SQLite" in run("stats").stdout
    monkeypatch.setenv("LINEAL_CLOCK_OFFSET_S", "3700")
    assert document("stats")["expired_unswept"] == 1
    assert document("sweep")["contexts"] == 1
    assert document("stats")["expired_unswept"] == 0


def test_a_sweep_after_an_implausible_jump_fails_and_says_the_way_out(
    ids: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINEAL_CLOCK_OFFSET_S", str(400 * 86_400))
    refused = run("sweep")
    assert refused.exit_code == 1
    assert refused.stdout == ""
    assert refused.stderr.startswith("error: Nothing was swept.")
    assert refused.stderr.count("--accept-clock") == 1
    assert document("sweep", "--accept-clock")["contexts"] == 1


def test_a_backup_can_be_searched_like_the_store(ids: Mapping[str, str], tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    done = document("backup", str(copy))
    assert done["bytes"] == copy.stat().st_size
    hits = document("search", "lock", "--backend", f"sqlite://{copy}")["hits"]
    assert hits[0]["context_id"] == ids["rule"]
    assert run("backup", str(copy)).exit_code == 1


def test_verify_is_quiet_about_a_sound_store(ids: Mapping[str, str]) -> None:
    assert document("verify")["ok"] is True
    assert "none damaged" in run("verify").stdout


@pytest.mark.parametrize("command", [("search",), ("show",), ("history",), ("trace",)])
def test_what_a_memory_holds_cannot_steer_the_terminal(
    ids: Mapping[str, str], command: tuple[str, ...]
) -> None:
    arguments = (*command, "markup" if command == ("search",) else ids["hostile"])
    result = run(*arguments)
    assert result.exit_code == 0
    for hidden in ("\x1b", "\u202e", "\u200b"):
        assert hidden not in result.stdout
    if command != ("history",):
        assert "[red]title[/red]" in result.stdout
    if command in (("search",), ("show",)):
        assert r"\x1b[31malarm" in result.stdout
        assert "[bold]markup[/bold] :boom:" in result.stdout
    assert run(*arguments, "--json").stdout.isascii()


@given(st.text())
def test_visible_text_hides_nothing(text: str) -> None:
    hiding = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    for character in visible(text):
        assert character in "\n\t" or unicodedata.category(character) not in hiding


def test_tag_characters_and_blank_letters_are_written_out() -> None:
    assert visible("a\U000e0041b\u3164c\U000e0100") == r"a\U000e0041b\u3164c\U000e0100"
    assert visible("Grüße, 世界 👍🏽\n\tok") == "Grüße, 世界 👍🏽\n\tok"
    assert visible_line("one\n two   three", 8) == "one two…"


def test_an_error_says_what_was_wrong_and_what_to_do(ids: Mapping[str, str]) -> None:
    missing = run("show", "ctx_nowhere")
    assert (missing.exit_code, missing.stdout) == (1, "")
    assert missing.stderr.startswith("error: ")
    assert "ctx_nowhere" in missing.stderr
    limit = error("search", "cache", "--limit", "0")
    assert limit["code"] == "invalid_request"
    assert limit["details"]["field"] == "limit"


def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINEAL_DURABILITY", "maybe")
    assert "LINEAL_DURABILITY" in run("stats").stderr


def test_an_unknown_backend_is_refused_without_its_password() -> None:
    refused = run("stats", "--backend", "redis://me:hunter2@host")
    assert refused.exit_code == 1
    assert "redis" in refused.stderr
    assert "hunter2" not in refused.output


@pytest.mark.parametrize(
    "arguments", [("nope",), ("show",), ("search", "--type", "dream"), ("stats", "--loud")]
)
def test_a_wrong_call_ends_with_2(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("", ""),
        ("sqlite:///data/x.db", "sqlite:///data/x.db"),
        ("postgres://me:hunter2@db:5432/x", "postgres://***@db:5432/x"),
        ("mem0://token@api/v1?key=hunter2&a=1", "mem0://***@api/v1?key=***&a=***"),
        ("postgres://me:hunter/2@db", "postgres://***@db"),
        ("postgres:me:hunter2@db", "***"),
    ],
)
def test_secrets_of_a_backend_are_hidden(url: str, shown: str) -> None:
    assert hidden_secrets(url) == shown


def test_the_doctor_makes_a_real_round_trip(ids: Mapping[str, str]) -> None:
    result = run("doctor", "--json")
    report = json.loads(result.stdout)
    findings = {finding["name"]: finding for finding in report["findings"]}
    assert report["ok"], report
    assert "4 memories" in findings["health"]["value"]
    assert findings["round trip"]["ok"] is True
    assert findings["engine"]["value"].startswith("SQLite 3.")
    assert findings["search"]["value"] == "words, and meanings by minilm"
    assert report["settings"]["user"] == "ada"
    assert report["settings"]["ranking"] == {}


def test_the_doctor_makes_no_store_and_hides_passwords(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LINEAL_BACKEND", "redis://me:hunter2@host/0")
    result = run("doctor")
    assert result.exit_code == 1
    assert "hunter2" not in result.output
    assert "***@host" in result.stdout
    assert not home.exists()


def test_the_doctor_names_what_is_wrong_and_how_to_mend_it(
    ids: Mapping[str, str], home: Path, tmp_path: Path
) -> None:
    home.chmod(0o755)
    entry = {"mcpServers": {"lineal": {"command": str(tmp_path / "gone"), "args": ["serve"]}}}
    (tmp_path / ".mcp.json").write_text(json.dumps(entry))
    result = run("doctor")
    assert result.exit_code == 1
    assert "chmod go-rwx" in result.stdout
    assert "lineal init claude-code --force" in result.stdout


def test_every_command_answers_machines_in_json() -> None:
    for name in COMMANDS:
        told = run(name, "--help")
        assert told.exit_code == 0
        assert ("--json" in told.stdout) == (name not in ("serve", "hook"))


def test_help_and_version_import_nothing_heavy() -> None:
    for flag in ("--help", "--version"):
        code = (
            "import sys; from lineal.faces.cli.main import main; "
            f"code = main(['{flag}']); "
            "heavy = {'mcp', 'pydantic', 'rich', 'apsw', 'anyio'} & set(sys.modules); "
            "sys.exit(f'{heavy}' if heavy or code else 0)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_a_command_outside_the_demo_and_the_doctor_does_without_the_sdk(
    ids: Mapping[str, str],
) -> None:
    code = (
        "import sys; from lineal.faces.cli.main import main; code = main(['stats', '--json']); "
        "sys.exit('mcp' in sys.modules or code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["contexts"] == 4


def test_two_processes_share_one_memory(ids: Mapping[str, str]) -> None:
    argv = [sys.executable, "-m", "lineal", "search", "lock file", "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["hits"][0]["context_id"] == ids["rule"]


@pytest.mark.skipif(sys.platform == "win32", reason="no pseudo-terminals")
@pytest.mark.parametrize(("said", "gone"), [("n\n", False), ("y\n", True)])
def test_a_person_is_asked_before_a_memory_is_forgotten(
    ids: Mapping[str, str], said: str, gone: bool
) -> None:
    import pty

    ours, theirs = pty.openpty()
    try:
        os.write(ours, said.encode())
        argv = [sys.executable, "-m", "lineal", "forget", ids["source"], "--cascade"]
        done = subprocess.run(argv, stdin=theirs, capture_output=True, text=True)
    finally:
        os.close(ours)
        os.close(theirs)
    assert "Forget these 2 memories (undo until 20" in done.stderr
    assert done.returncode == (0 if gone else 1)
    assert run("show", ids["rule"]).exit_code == (1 if gone else 0)


def test_verify_names_what_is_damaged(ids: Mapping[str, str], home: Path) -> None:
    with closing(apsw.Connection(str(home / "lineal.db"))) as connection:
        connection.execute(
            "UPDATE context_revision SET body = replace(body, 'oven', 'open') "
            "WHERE context_seq = (SELECT seq FROM context WHERE context_id = ?)",
            (ids["note"],),
        )
    result = run("verify")
    assert result.exit_code == 1
    assert f"damaged: {ids['note']}" in result.stdout
    found = json.loads(run("verify", "--json").stdout)
    assert (found["ok"], found["damaged"]) == (False, [ids["note"]])


def test_a_store_that_cannot_be_opened_is_said_without_a_traceback(home: Path) -> None:
    home.mkdir(mode=0o700)
    (home / "lineal.db").write_bytes(b"this was never a store" * 100)
    (home / "lineal.db").chmod(0o600)
    result = run("stats")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert "damaged" in result.stderr
    report = json.loads(run("doctor", "--json").stdout)
    findings = {finding["name"]: finding for finding in report["findings"]}
    assert not report["ok"]
    assert not findings["health"]["ok"]
    assert findings["round trip"]["ok"]
