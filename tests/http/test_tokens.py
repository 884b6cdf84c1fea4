"""Bearer tokens: made once, kept as hashes, noticed by a running server within a second."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st
from tests.http.serving import START, Seconds, manual, new_token, tokens_in

from lineal.errors import ErrorCode, LinealError
from lineal.faces.cli.main import cli
from lineal.faces.http.tokens import PREFIX, TOKENS_NAME, TokenFile, live_token


def run(home: Path, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["token", *arguments, "--home", str(home)])


def test_a_token_is_random_and_only_its_hash_is_kept(tmp_path: Path) -> None:
    first, second = new_token(tmp_path), new_token(tmp_path)
    assert first.secret != second.secret
    assert first.secret.startswith(PREFIX)
    assert len(first.secret) == len(PREFIX) + 43
    kept = (tmp_path / TOKENS_NAME).read_text()
    assert first.secret not in kept
    assert first.secret[-4:] not in kept
    assert hashlib.sha256(first.secret.encode()).hexdigest() in kept


def test_the_file_is_its_owners_only(tmp_path: Path) -> None:
    new_token(tmp_path / "home")
    for file in (tmp_path / "home").iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o700


def test_a_token_lives_until_it_expires_and_not_a_moment_longer(tmp_path: Path) -> None:
    clock = manual()
    made = new_token(tmp_path, clock=clock, days=1)
    known = tokens_in(tmp_path).known()
    end = START + timedelta(days=1)
    assert live_token(known, made.secret, end - timedelta(milliseconds=1)) == made.token
    assert live_token(known, made.secret, end) is None


@given(st.text(max_size=80))
def test_what_is_no_token_is_nobodys(guess: str) -> None:
    assert live_token({}, guess, START) is None


def test_a_guess_that_is_close_is_nobodys(tmp_path: Path) -> None:
    made = new_token(tmp_path)
    known = tokens_in(tmp_path).known()
    for guess in (made.secret[:-1], made.secret + "a", made.secret.upper(), made.token.digest):
        assert live_token(known, guess, START) is None


def test_a_change_is_noticed_after_a_second_and_not_looked_for_before(tmp_path: Path) -> None:
    now = Seconds()
    reading = TokenFile(tmp_path / TOKENS_NAME, now)
    assert reading.known() == {}
    assert not reading.exists()
    made = new_token(tmp_path)
    now.now_s += 0.9
    assert reading.known() == {}
    now.now_s += 0.1
    assert set(reading.known()) == {made.token.digest}
    tokens_in(tmp_path).revoke(made.token.id)
    now.now_s += 1
    assert reading.known() == {}
    assert reading.exists()


def test_a_damaged_file_lets_nobody_in(tmp_path: Path) -> None:
    made = new_token(tmp_path)
    path = tmp_path / TOKENS_NAME
    for broken in (b"", b"{", b"[]", b'{"version": 2}', path.read_bytes()[:-9]):
        path.write_bytes(broken)
        with pytest.raises(LinealError) as caught:
            tokens_in(tmp_path).known()
        assert caught.value.code is ErrorCode.UNAVAILABLE
        assert made.token.digest not in caught.value.message


def test_a_damaged_file_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / TOKENS_NAME).write_bytes(b"{")
    with pytest.raises(LinealError, match="can't be used"):
        new_token(tmp_path)
    assert (tmp_path / TOKENS_NAME).read_bytes() == b"{"


def test_an_unknown_id_can_not_be_revoked(tmp_path: Path) -> None:
    made = new_token(tmp_path)
    with pytest.raises(LinealError) as caught:
        tokens_in(tmp_path).revoke("tok_none")
    assert caught.value.code is ErrorCode.NOT_FOUND
    assert tokens_in(tmp_path).listed() == (made.token,)


def test_many_writers_lose_nothing(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: new_token(tmp_path), range(24)))
    assert {token.id for token in tokens_in(tmp_path).listed()} == {one.token.id for one in made}
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


def test_the_command_prints_the_token_alone_and_says_that_it_was_the_last_time(
    tmp_path: Path,
) -> None:
    done = run(tmp_path, "create", "--tenant", "acme", "--scopes", "read", "--expires", "never")
    assert done.exit_code == 0, done.output
    secret = done.stdout.strip()
    assert done.stdout == f"{secret}\n"
    assert "can't be shown again" in done.stderr
    (token,) = tokens_in(tmp_path).listed()
    assert (token.tenant, sorted(token.scopes), token.expires_at) == ("acme", ["read"], None)
    assert live_token(tokens_in(tmp_path).known(), secret, START) == token


def test_the_command_tells_machines_all_in_one_document(tmp_path: Path) -> None:
    done = run(tmp_path, "create", "--name", "ci", "--expires", "12h", "--json")
    told = json.loads(done.stdout)
    assert told["scopes"] == ["read", "write"]
    assert told["name"] == "ci"
    assert told["expires_at"] > told["created_at"]
    assert "digest" not in told
    assert set(json.loads(run(tmp_path, "list", "--json").stdout)["tokens"][0]) == {
        *("id", "name", "tenant", "scopes", "created_at", "expires_at")
    }


def test_a_list_shows_nothing_of_a_token_itself(tmp_path: Path) -> None:
    made = new_token(tmp_path, "acme", name="ci")
    for shown in (run(tmp_path, "list").stdout, run(tmp_path, "list", "--json").stdout):
        assert made.token.id in shown
        assert "acme" in shown
        assert made.token.digest not in shown
        assert made.secret[-4:] not in shown


def test_a_revoked_token_is_gone_from_the_list(tmp_path: Path) -> None:
    made = new_token(tmp_path)
    assert run(tmp_path, "revoke", made.token.id).exit_code == 0
    assert tokens_in(tmp_path).listed() == ()
    again = run(tmp_path, "revoke", made.token.id, "--json")
    assert again.exit_code == 1
    assert json.loads(again.stderr)["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    ("option", "value", "word"),
    [
        ("--scopes", "read,admin", "'admin'"),
        ("--scopes", "", "no scope"),
        ("--scopes", " , ", "no scope"),
        ("--expires", "2020-01-01T00:00:00Z", "past"),
        ("--expires", "0d", "no time"),
        ("--expires", "-1d", "no time"),
        ("--expires", "2030-01-01", "no time"),
        ("--expires", "999999y", "no time"),
        ("--expires", "soon", "no time"),
        ("--name", "", "1 to 100"),
        ("--name", "a\u200bb", "hidden"),
        ("--tenant", "x" * 257, "1 to 256"),
    ],
)
def test_a_wrong_option_is_said_and_nothing_is_made(
    tmp_path: Path, option: str, value: str, word: str
) -> None:
    done = run(tmp_path, "create", option, value)
    assert done.exit_code == 1
    assert word in done.stderr
    assert done.stdout == ""
    assert tokens_in(tmp_path).listed() == ()
