"""No secret that a call holds is kept or said again, through the real server and its files.

Every canary is made up when a test runs: no whole one stands in this file.
"""

from __future__ import annotations

import base64
import json
import random
import shutil
import string
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, get_args
from urllib.parse import quote

import anyio
import anyio.to_thread
import pytest
from mcp_types import CLIENT_INFO_META_KEY
from pydantic import SecretStr
from tests.unit.stand_in_llm import chat, listening

from lineal.faces.cli.discreet import shown_entry
from lineal.settings import Settings

from .clients import USER, Lines, error_in, lines, request, server_environment

HERE = "<here>"
"""Where the arguments below take a canary."""

IN_BASE64 = "<here, in base64>"

TARGET = "<target>"
"""Where they take the id of a context that is there."""

NOTE = {"content": "The valve of the pump leaks; it was seen by Ada."}
WHOLE = "The pump station of Delft was mended because its second valve leaked all spring."

DECLARED: dict[str, dict[str, Any]] = {
    "lineage.source_ids": {"lineage": {"source_ids": ["mail-9", HERE]}},
    "lineage.derived_from": {"lineage": {"derived_from": [HERE]}},
    "lineage.tool_calls": {"lineage": {"tool_calls": [HERE]}},
    "lineage.model_version": {"lineage": {"model_version": f"m-1 {HERE}"}},
}
SHARED: dict[str, dict[str, Any]] = {
    "title": {"title": f"Of {HERE}"},
    "summary": {"summary": f"All is said of {HERE} here."},
    "tags": {"tags": ["pump", HERE]},
    "metadata, a value": {"metadata": {"env": {"deep": [[1, {"x": f"={HERE}"}]]}}},
    "metadata, a key": {"metadata": {"env": {HERE: 1}}},
    "nia_references": {"nia_references": {"web_searches": [f"what is {HERE}"]}},
    "nia_references, unknown": {"nia_references": {"more": {"x": HERE}}},
    "edited_files, a path": {"edited_files": [{"file_path": f"/keys/{HERE}"}]},
    "edited_files, unknown": {"edited_files": [{"file_path": "log.md", "diff": f"+{HERE}"}]},
    "edited_files, a language": {"edited_files": [{"file_path": "log.md", "language": HERE}]},
    **DECLARED,
}
PLACES: dict[str, dict[str, dict[str, Any]]] = {
    "append_context": {
        "content": {"content": f"The key of the pump is {HERE}, says Ada."},
        "content, in base64": {"content": f"The pump's blob is {IN_BASE64} still."},
        "content, in a URL": {"content": f"Go to /?to=https%3A%2F%2Fx.net%2F%3Fkey%3D{HERE}%26b"},
        "content, in JSON": {"content": f'{{"log": "pump 4\\n{HERE}\\tand so on"}}'},
        "session_id": {"session_id": HERE},
        "speaker": {"speaker": HERE},
        **SHARED,
    },
    "update_context": {
        "content": {"content": f"The key of the pump is {HERE}, says Ada, and it is not lost."},
        **SHARED,
    },
    "upsert_user": {
        "context": {"user_id": "grace", "context": f"Grace runs the pump with {HERE}."},
        "fields, a value": {"fields": {"role": HERE}},
        "fields, deep": {"fields": {"tools": [{"env": [HERE]}]}},
        "fields, a key": {"fields": {HERE: "x"}},
        "fields of a schema": {"domain": "hiring", "fields": {"headline": HERE, "more": HERE}},
        **DECLARED,
    },
    "record_outcome": {**DECLARED},
}
"""Tool → place → arguments; the canary is taken out there and all else is done."""

NEEDED: dict[str, dict[str, Any]] = {
    "append_context": {},
    "update_context": {"context_id": TARGET},
    "upsert_user": {"fields": {"shift": "early"}},
    "record_outcome": {"candidate_id": "grace", "outcome": "accepted"},
    "forget_context": {"context_id": TARGET, "dry_run": True},
    "match_users": {"domain": "dating"},
}

NAMES: dict[str, tuple[str, ...]] = {
    "append_context": ("user_id", "domain", "idempotency_key", "source"),
    "update_context": ("context_id", "idempotency_key"),
    "upsert_user": ("user_id", "domain", "memory_ref", "idempotency_key"),
    "record_outcome": ("user_id", "domain", "candidate_id", "idempotency_key"),
    "forget_context": ("context_id", "idempotency_key"),
    "match_users": ("user_id", "domain"),
}
"""Tool → what names something: a canary there is refused."""

WRONG: dict[str, tuple[str, dict[str, Any]]] = {
    "a title that is too long": ("append_context", {**NOTE, "title": f"{HERE} {'x' * 300}"}),
    "a summary that is too short": ("update_context", {"context_id": TARGET, "summary": HERE[:1]}),
    "content that is too short": ("update_context", {"context_id": TARGET, "content": HERE}),
    "a source that isn't listed": ("append_context", {**NOTE, "source": HERE}),
    "a list for a string": ("append_context", {"content": [HERE]}),
    "a string for a number": ("append_context", {**NOTE, "ttl_seconds": HERE}),
    "a string for an object": ("append_context", {**NOTE, "metadata": HERE}),
    "no such memory_type": ("append_context", {**NOTE, "memory_type": HERE}),
    "no time": ("append_context", {**NOTE, "occurred_at": HERE}),
    "an unknown argument": ("append_context", {**NOTE, HERE: 1}),
    "an unknown key of lineage": ("append_context", {**NOTE, "lineage": {HERE: 1}}),
    "a lineage that is a string": ("append_context", {**NOTE, "lineage": HERE}),
    "no such operation": (
        "append_context",
        {**NOTE, "edited_files": [{"file_path": "a", "operation": HERE}]},
    ),
    "hidden characters in a tag": ("append_context", {**NOTE, "tags": [f"{HERE}\u202e"]}),
    "no such outcome": ("record_outcome", {"candidate_id": USER, "outcome": HERE}),
    "an unknown filter": ("match_users", {"domain": "dating", "filters": {HERE: HERE}}),
    "an unknown user": ("search_context", {"user_id": HERE, "limit": "many"}),
    "an unknown context": ("get_context", {"context_id": HERE}),
    "an unknown root": ("trace_lineage", {"context_id": HERE}),
    "a row of nobody": ("get_user", {"user_id": HERE}),
    "two questions in one": ("match_users", {"description": HERE, "user_id": HERE}),
    "memory types of none": ("search_context", {"memory_types": [HERE]}),
}
"""What is wrong → the call that can't be done, with a canary in it."""


CUT = ("a source that isn't listed", "an unknown argument", "an unknown context", "no such outcome")
"""Of these the canary is longer than what an error repeats of a value."""

TELLING = 16
"""Characters of a canary that tell it: more than its public prefix, fewer than an error repeats."""


def canary(name: str, length: int = 24) -> str:
    """A made-up key in a public format, another for each name."""
    drawn = random.Random(name).choices(string.ascii_letters + string.digits, k=length)
    return "_".join(("sk", "live", "".join(drawn)))


def forms(secret: str) -> tuple[bytes, ...]:
    """The start of a secret as it is, in base64, and percent-encoded."""
    start = secret[:TELLING]
    raw = start.encode()
    return raw, base64.b64encode(raw).rstrip(b"=")[:-1], quote(start, safe="").encode()


def planted(value: Any, secret: str, target: str) -> Any:
    """The arguments with the canary and the target in their places."""
    if isinstance(value, str):
        encoded = base64.b64encode(secret.encode()).decode()
        return value.replace(HERE, secret).replace(IN_BASE64, encoded).replace(TARGET, target)
    if isinstance(value, Mapping):
        return {key.replace(HERE, secret): planted(v, secret, target) for key, v in value.items()}
    return [planted(item, secret, target) for item in value] if isinstance(value, list) else value


class Said(NamedTuple):
    """One call with a canary in it, and what came of it."""

    tool: str
    secret: str
    result: dict[str, Any]

    @property
    def answer(self) -> dict[str, Any]:
        answer = self.result["structuredContent"]
        assert isinstance(answer, dict)
        return answer


class Memory(NamedTuple):
    """What a server was told, and all that can be read of it afterwards.

    documents: file or command → bytes.
    """

    said: dict[str, Said]
    documents: dict[str, bytes]

    def tells(self, secret: str) -> list[str]:
        """Where a secret can be read, in any of its forms."""
        return [
            place for place, data in self.documents.items() if any(f in data for f in forms(secret))
        ]


def documents(home: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below a directory, as bytes."""
    for path in sorted(home.rglob("*")):
        if path.is_file():
            yield str(path.relative_to(home)), path.read_bytes()


@contextmanager
def serving(home: Path, cache: Path | None = None, **settings: str) -> Iterator[Lines]:
    """A server that logs all it can. cache: a warm one, so that the rules aren't compiled again."""
    if cache is not None:
        shutil.copytree(cache, home / "lineal" / "cache")
    settings = {"LINEAL_LOG_LEVEL": "debug", "LINEAL_EMBEDDER": "hashing", **settings}
    with lines(home, environment=server_environment(home, **settings)) as server:
        yield server


def lineal(home: Path, *arguments: str) -> bytes:
    """What a command says, on stdout and stderr."""
    command = [sys.executable, "-m", "lineal", *arguments]
    done = subprocess.run(command, env=server_environment(home), capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def whole(tool: str, place: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with what else the tool needs; no two notes say the same."""
    note = {"content": f"Note {place} {tool} about {place}."} if tool == "append_context" else {}
    return {**NEEDED[tool], **note, **arguments}


def converse(server: Lines) -> dict[str, Said]:
    """Every place of every writing tool, then every name; the first call finds all cold."""
    said: dict[str, Said] = {}
    target = ""
    for tool, places in PLACES.items():
        for place, template in places.items():
            secret = canary(f"{tool} {place}")
            arguments = planted(whole(tool, place, template), secret, target)
            said[f"{tool}: {place}"] = Said(tool, secret, server.call(tool, **arguments))
            target = target or said[f"{tool}: {place}"].answer["context_id"]
    for tool, names in NAMES.items():
        for name in names:
            secret = canary(f"{tool} {name}")
            arguments = planted({**whole(tool, name, {}), name: HERE}, secret, target)
            said[f"{tool}: {name}"] = Said(tool, secret, server.call(tool, **arguments))
    for what, (tool, template) in WRONG.items():
        secret = canary(what, 90 if what in CUT else 24)
        arguments = planted(template, secret, target)
        said[what] = Said(tool, secret, server.call(tool, **arguments))
    said["target"] = Said("", target, {})
    return said


def about_itself(server: Lines, **meta: Any) -> None:
    """One note by a client that says this of itself."""
    note = {"content": f"By {sorted(meta)}: nothing new at the pump."}
    sent = request(9_000, "tools/call", name="append_context", arguments=note)
    sent["params"]["_meta"] |= meta
    server.say(json.dumps(sent).encode())
    assert not server.answer_to(9_000)["result"]["isError"]


ITSELF = {
    "the client's name": {CLIENT_INFO_META_KEY: {"name": HERE, "version": "1"}},
    "the client's version": {CLIENT_INFO_META_KEY: {"name": "a", "version": f"1 {HERE}"}},
    "the id of a call": {"claudecode/toolUseId": HERE},
    "the trace context": {"traceparent": HERE},
}


def remembered(home: Path, cache: Path | None = None, **settings: str) -> Memory:
    """All that is left of a conversation: files while the server runs and after it, its stderr,
    a backup, and what the commands show."""
    with serving(home, cache, **settings) as server:
        said = converse(server)
        target = said.pop("target").secret
        for what, meta in ITSELF.items():
            about_itself(server, **planted(meta, canary(what), target))
        running = {f"{place}, running": data for place, data in documents(home)}
        shown = {
            command[0]: lineal(home, *command)
            for command in (
                ["history", target, "--json"],
                ["show", target, "--json"],
                ["trace", target, "--json"],
                ["search", "--limit", "100", "--json"],
                ["outcomes", "export"],
                ["backup", str(home / "copy.db"), "--json"],
            )
        }
        server.leave()
    return Memory(said, {**running, **shown, **dict(documents(home))})


@pytest.fixture(scope="module")
def cold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home where no rules were compiled yet."""
    return tmp_path_factory.mktemp("cold")


@pytest.fixture(scope="module")
def redacting(cold: Path) -> Memory:
    """Told to a server with nothing warm."""
    return remembered(cold)


@pytest.fixture(scope="module")
def warm(cold: Path, redacting: Memory) -> Path:
    """The rules that it compiled."""
    assert redacting.said
    return cold / "lineal" / "cache"


@pytest.fixture(scope="module")
def keeping(tmp_path_factory: pytest.TempPathFactory) -> Memory:
    """The same told to one that keeps what it is told."""
    return remembered(tmp_path_factory.mktemp("keeping"), LINEAL_SECRETS="off")


WRITES = [f"{tool}: {place}" for tool, places in PLACES.items() for place in places]
REFUSALS = [f"{tool}: {name}" for tool, names in NAMES.items() for name in names]


@pytest.mark.parametrize("place", WRITES)
def test_a_secret_is_taken_out_and_the_rest_is_done(redacting: Memory, place: str) -> None:
    said = redacting.said[place]
    assert not said.result["isError"], said.answer
    if said.tool != "record_outcome":
        assert {note["kind"] for note in said.answer["redacted"]} == {"stripe-access-token"}


@pytest.mark.parametrize("place", REFUSALS)
def test_a_secret_for_a_name_is_refused(redacting: Memory, place: str) -> None:
    said = redacting.said[place]
    assert error_in(said.answer)["code"] == "invalid_request"


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_told(redacting: Memory, what: str) -> None:
    error_in(redacting.said[what].answer)


def test_no_answer_repeats_a_secret(redacting: Memory) -> None:
    echoing = [
        place
        for place, said in redacting.said.items()
        if any(form in json.dumps(said.result).encode() for form in forms(said.secret))
    ]
    assert echoing == []


def test_no_file_log_backup_or_command_tells_a_secret(redacting: Memory) -> None:
    secrets = {place: said.secret for place, said in redacting.said.items()}
    secrets |= {what: canary(what) for what in ITSELF}
    told = {place: redacting.tells(secret) for place, secret in secrets.items()}
    assert {place: where for place, where in told.items() if where} == {}


@pytest.mark.parametrize("place", WRITES)
def test_where_secrets_are_kept_each_is_found(keeping: Memory, place: str) -> None:
    """Shows that looking for them would find them."""
    assert keeping.tells(keeping.said[place].secret), keeping.said[place]


@pytest.mark.parametrize("what", ITSELF)
def test_where_secrets_are_kept_a_client_s_own_are_found(keeping: Memory, what: str) -> None:
    assert keeping.tells(canary(what))


PASSWORD = "Tr0ub4" + "dor&3x!"
"""Of no known format: only what stands beside it shows what it is."""

BESIDE: dict[str, dict[str, Any]] = {
    "its key": {"metadata": {"DB_PASSWORD": HERE}},
    "its key, in a list": {"metadata": {"DB_PASSWORD": ["a", HERE]}},
    "another value that names it": {"metadata": {"env": [{"name": "DB_PASSWORD", "value": HERE}]}},
    "a sentence": {"summary": f"The password is {HERE}."},
    "a URL": {"nia_references": {"web_searches": [f"see https://ada:{HERE}@example.net"]}},
    "a URL, percent-encoded": {
        "edited_files": [{"file_path": "a", "diff": f"+ftp://ada:{quote(PASSWORD, safe='')}@b.net"}]
    },
    "what another place says": {"summary": f"password={HERE}", "title": HERE, "tags": ["a", HERE]},
    "what another place says, for the speaker": {
        "metadata": {"password": HERE},
        "speaker": HERE,
        "session_id": HERE,
        "lineage": {"source_ids": [HERE]},
    },
}
"""What shows that it is a password → arguments of an append."""


def test_a_password_is_known_by_what_stands_beside_it(tmp_path: Path, warm: Path) -> None:
    with serving(tmp_path, warm) as server:
        for beside, template in BESIDE.items():
            arguments = planted(template, PASSWORD, "")
            result = server.call("append_context", content=f"Note on {beside}.", **arguments)
            assert not result["isError"], result
            assert result["structuredContent"]["redacted"], beside
        shown = lineal(tmp_path, "search", "--limit", "100", "--json")
        server.leave()
    found = {"search": shown, **dict(documents(tmp_path))}
    assert Memory({}, found).tells(PASSWORD) == []


def test_only_what_is_allowed_is_kept(tmp_path: Path, warm: Path) -> None:
    kept, gone = canary("allowed"), canary("not allowed")
    with serving(tmp_path, warm, LINEAL_SECRETS_ALLOW=kept) as server:
        result = server.call("append_context", content=f"Use {kept}, never {gone}.", title=kept)
        wrong = server.call("append_context", content="x", source=f"{kept} {gone}"[:60])
        server.leave()
    (note,) = result["structuredContent"]["redacted"]
    assert note["start"] == len(f"Use {kept}, never ")
    assert kept.removeprefix("sk_live_") in wrong["structuredContent"]["error"]["message"]
    memory = Memory({}, dict(documents(tmp_path)))
    assert memory.tells(kept)
    assert memory.tells(gone) == []


def test_an_address_of_a_resource_is_told_without_a_secret(tmp_path: Path, warm: Path) -> None:
    secret = canary("resource")
    with serving(tmp_path, warm) as server:
        for address in (f"context/{secret}", f"user/notes/{quote(secret, safe='')}", f"x/{secret}"):
            error = server.ask("resources/read", uri=f"lineal://{address}")["error"]
            assert "[redacted: " in error["message"], error
            assert Memory({}, {"error": json.dumps(error).encode()}).tells(secret) == []


def test_what_a_client_says_when_it_begins_is_not_kept(tmp_path: Path, warm: Path) -> None:
    secret = canary("initialize")
    hello = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": f"client {secret}", "version": secret},
    }
    with serving(tmp_path, warm) as server:
        first = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": hello}
        server.say(json.dumps(first).encode())
        server.answer_to(0)
        server.say(b'{"jsonrpc": "2.0", "method": "notifications/initialized"}')
        sent = request(1, "tools/call", name="append_context", arguments=NOTE)
        del sent["params"]["_meta"]
        server.say(json.dumps(sent).encode())
        result = server.answer_to(1)["result"]
        assert result["structuredContent"]["lineage"]["agent_source"].startswith("client [redacted")
        server.leave()
    assert Memory({}, dict(documents(tmp_path))).tells(secret) == []


async def test_a_language_model_is_never_shown_a_secret(tmp_path: Path, warm: Path) -> None:
    async with listening(chat({"values": []})) as model:
        settings = {
            "LINEAL_LLM_URL": model.url,
            "LINEAL_LLM_MODEL": "stand-in-1",
            "LINEAL_LLM_KEY": canary("llm"),
            "LINEAL_DOMAIN": "hiring",
        }
        await anyio.to_thread.run_sync(partial(_read_by_a_model, tmp_path, warm, settings))
        await anyio.to_thread.run_sync(partial(_tried, tmp_path, settings))
    shown = [json.dumps(asked.body) for asked in model.asked]
    for text in ("Noor says", "Noor runs", "Noor wrote", "Somebody with"):
        assert any(text in asked for asked in shown), text
    memory = Memory({}, {**dict(documents(tmp_path)), "asked": "".join(shown).encode()})
    for secret in (canary("model"), canary("llm")):
        assert memory.tells(secret) == []


def _read_by_a_model(home: Path, cache: Path, settings: Mapping[str, str]) -> None:
    """A call of each tool that has a text read."""
    secret = canary("model")
    with serving(home, cache, **settings) as server:
        said = server.call("append_context", content=f"Noor says that {secret} is her key.")
        target = said["structuredContent"]["context_id"]
        for tool, arguments in (
            ("upsert_user", {"user_id": "noor", "context": f"Noor runs all with {secret}."}),
            ("update_context", {"context_id": target, "content": f"Noor wrote {secret}. {WHOLE}"}),
            ("match_users", {"description": f"Somebody with {secret} in Delft."}),
        ):
            result = server.call(tool, **arguments)
            assert not result["isError"], result
        server.leave()


def _tried(home: Path, settings: Mapping[str, str]) -> None:
    """The command that has a text read and keeps nothing refuses one with a secret."""
    words = f"Noor tries {canary('model')} here."
    command = [sys.executable, "-m", "lineal", "schema", "try", "--domain", "hiring", words]
    environment = server_environment(home, **settings)
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert done.returncode == 1
    assert b"[redacted" not in done.stderr
    assert b"looks like a secret" in done.stderr


def test_a_command_s_error_is_told_without_a_secret(tmp_path: Path, warm: Path) -> None:
    secret = canary("command")
    with serving(tmp_path, warm) as server:
        server.call("append_context", **NOTE)
        server.leave()
    for command in (["show", secret], ["history", secret, "--json"], ["forget", secret, "--yes"]):
        said = [sys.executable, "-m", "lineal", *command]
        environment = server_environment(tmp_path)
        done = subprocess.run(said, env=environment, capture_output=True, check=False)
        assert done.returncode == 1, done
        assert Memory({}, {"said": done.stdout + done.stderr}).tells(secret) == []


CLOSED = {
    f"LINEAL_{name.upper()}": canary(f"setting {name}")
    for name, field in Settings.model_fields.items()
    if SecretStr in (field.annotation, *get_args(field.annotation))
}
"""Settings that hold a secret, or may."""


def test_the_doctor_shows_no_setting_that_holds_a_secret(tmp_path: Path, warm: Path) -> None:
    assert {"LINEAL_BACKEND", "LINEAL_LLM_KEY", "LINEAL_SECRETS_ALLOW"} <= CLOSED.keys()
    secrets = {
        **CLOSED,
        "LINEAL_BACKEND": f"memory://ada:{CLOSED['LINEAL_BACKEND']}@host/?key=1",
        "LINEAL_LLM_URL": f"http://ada:{CLOSED['LINEAL_LLM_URL']}@localhost:9/v1",
        "LINEAL_LLM_MODEL": "stand-in-1",
    }
    entry = {"command": sys.executable, "args": ["-m", "lineal", "serve"], "env": secrets}
    (tmp_path / ".claude.json").write_text(json.dumps({"mcpServers": {"lineal": entry}}))
    environment = server_environment(tmp_path, **secrets)
    for options in ([], ["--json"]):
        command = [sys.executable, "-m", "lineal", "doctor", *options]
        done = subprocess.run(
            command, env=environment, capture_output=True, check=False, cwd=tmp_path
        )
        said = done.stdout + done.stderr
        assert b"LLM_MODEL" in said or b"llm_model" in said, said
        for secret in CLOSED.values():
            assert Memory({}, {"doctor": said}).tells(secret) == [], said
    shown = json.dumps(shown_entry(entry))
    for secret in CLOSED.values():
        assert secret not in shown
