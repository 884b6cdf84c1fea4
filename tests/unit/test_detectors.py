"""What the detector finds and what it leaves; the corpus is made here, from a seed."""

from __future__ import annotations

import base64
import random
import string
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from lineal.detectors.detector import Detector
from lineal.models.context import AppendContext
from lineal.models.redaction import Found
from lineal.models.user import UpsertUser
from lineal.policy.redaction import redacted
from lineal.ports.secrets import NotReady

from .secret_corpus import SECRETS, Case, Half, cases, look_alikes

HALVES: tuple[Half, ...] = ("tuning", "held")
RECALL_MIN = 0.95
FALSE_MAX = 0.01

PROSE = (
    "Mara said on Tuesday that the importer must keep the old column order, because the finance "
    "export still reads by position; she will tell us when that is gone. We had lunch and a walk."
)


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    """The compiled rules are kept beside the temporary directories, for the next run."""
    made = Detector(tmp_path_factory.getbasetemp().parent / "lineal-rules")
    made.warm()
    return made


def is_hidden(case: Case, found: tuple[Found, ...]) -> bool:
    """Whether every character of the secret is taken out."""
    start = case.text.index(case.secret)
    return any(one.start <= start and start + len(case.secret) <= one.end for one in found)


def test_the_corpus_is_large_enough() -> None:
    assert len(SECRETS) >= 30
    assert sum(1 for half in HALVES for _ in cases(half)) >= 220
    assert sum(1 for half in HALVES for _ in look_alikes(half)) >= 1_100


def test_the_corpus_is_the_same_for_the_same_seed() -> None:
    assert list(cases("held", 3)) == list(cases("held", 3))
    assert list(cases("held", 3)) != list(cases("held", 4))


@pytest.mark.parametrize("half", HALVES)
def test_secrets_are_found(detector: Detector, half: Half) -> None:
    made = list(cases(half))
    missed = Counter(case.kind for case in made if not is_hidden(case, detector.find(case.text)))
    assert 1 - missed.total() / len(made) >= RECALL_MIN, missed


@pytest.mark.parametrize("half", HALVES)
def test_what_only_looks_like_a_secret_is_left(detector: Detector, half: Half) -> None:
    made = list(look_alikes(half))
    wrong = Counter(case.kind for case in made if detector.find(case.text))
    assert wrong.total() / len(made) <= FALSE_MAX, wrong


def test_every_kind_is_found_somewhere(detector: Detector) -> None:
    found = {c.kind for half in HALVES for c in cases(half) if is_hidden(c, detector.find(c.text))}
    assert found == set(SECRETS)


def test_what_was_redacted_once_is_left_the_second_time(detector: Detector) -> None:
    for case in cases("tuning"):
        kept, _ = redacted(AppendContext(content=case.text), detector.find)
        assert redacted(kept, detector.find) == (kept, ()), case.kind


def test_a_request_keeps_nothing_of_a_secret_in_its_metadata(detector: Detector) -> None:
    metadata = {"db": {"password": "correct horse", "host": "db"}, "env": ["TOKEN=9f8e7d6c5b4a39"]}
    kept, notes = redacted(AppendContext(content="x", metadata=metadata), detector.find)
    assert kept.metadata == {
        "db": {"password": "[redacted: password]", "host": "db"},
        "env": ["TOKEN=[redacted: token]"],
    }
    assert [note.field for note in notes] == ["metadata.db.password", "metadata.env[0]"]


def test_ids_and_digests_stay_in_a_lineage(detector: Detector) -> None:
    ids = ("ctx_" + "ab2" * 8 + "cd", "toolu_01" + "aB3" * 7, "9f8e" * 16, "9f8e7d6c" * 5)
    lineage = {"source_ids": ids, "derived_from": ids, "tool_calls": ids}
    request = UpsertUser.model_validate({"context": "x", "lineage": lineage})
    assert redacted(request, detector.find) == (request, ())


@pytest.mark.parametrize(
    "text",
    [
        "Password: required",
        "password: str = Field(min_length=8)",
        "api_key=api_key, password=None",
        'secret: "projects/123/secrets/db-password"',
        'secret = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:db-a1b2c3"',
        '{"password": "Password", "login": "Log in"}',
        '<input type="password" name="pw1" value="">',
        "--token-file /run/secrets/token1",
        "cache_key: user:1234:profile:v2",
        "max_tokens: 4096, token bucket = 100/60s",
        "DB_PASSWORD=$DB_PASSWORD",
        "url: postgres://app:${DB_PASSWORD}@db:5432/app",
        "Authorization: Bearer <token>",
        "Mocks can pass `isinstance`, and you can pass `spec=True`",
        "private_key: Pkcs7PrivateKeyTypes, key_password=None,",
        "mysql --protocol=tcp -h db; curl -u https://example.com/x",
        "the password is in the vault",
        "password: required",
        "the key is to listen",
        "key is caps lock",
        "my password is too long",
        "token: string",
        "My password's expired, so I changed the password to something better",
        "the password to server12 is in the vault",
        "the password is 'too long'; a password is 'required'",
        "login: bob / alice",
        "tests pass: 12,fail:3,skip:1",
        "password: string,min8",
        "x, password = base64.b16encode(random_bytes[8:])",
        "the key is " + "9f8e7d6c" * 4,
        "the public key is " + "aB3x9KdQ" * 4,
        "!function(e){e.pw=e.pass,t.x1=a&&b1}",
    ],
)
def test_words_about_secrets_are_left(detector: Detector, text: str) -> None:
    assert detector.find(text) == ()


@pytest.mark.parametrize(
    ("before", "secret", "after"),
    [
        ("my password is ", "Tr0ub4dor&3", ""),
        ("my password is ", "Tr0ub4dor&3", "."),
        ("db pass = ", "S3cr3t,yes", ""),
        ("db pass = ", "S3cr3t,yes", ", I think"),
        ("password: ", "a&b!c$d%e", ""),
        ("PASSWORD=", "ab;cd", ""),
        ("my password's ", "hunter2", ""),
        ("my password\u2019s ", "hunter2", ":"),
        ("I changed my password to ", "Xk29!qq", ""),
        ("Please reset the admin password to ", "Xk29!qq", ", thanks"),
        ("the password is '", "correct horse battery staple", "'"),
        ('the password was "', "don't 'tell' 3 cats", '".'),
        ("login: bob / ", "hunter22", ""),
        ("login: bob / ", "hunter22!", ", as ever"),
        ("psql --password ", "S3cr3t,yes", " shop"),
        ("(password: ", "Tr0ub4dor&3", ")"),
        ("connect(password=", "Tr0ub4dor!3", ",user='x')"),
        ("<password>", "Tr0ub4dor&3", "</password>"),
        ("x: password=", "S3cr3t!ab", ";Encrypt=true"),
        ("x: password=", "S3cr3t,ab" * 60, ""),
    ],
)
def test_a_password_is_taken_to_its_last_character_and_no_further(
    detector: Detector, before: str, secret: str, after: str
) -> None:
    found = detector.find(before + secret + after)
    assert found == (Found("password", len(before), len(before) + len(secret)),)


@pytest.mark.parametrize("prefix", ["sk-proj-", "sk-svcacct-", "sk-admin-"])
@pytest.mark.parametrize("carrier", ["My openai key is {}", "use `{}` for it", "{}", "({}), ok"])
def test_an_openai_key_needs_no_mark_within(detector: Detector, prefix: str, carrier: str) -> None:
    for length in (20, 48, 156):
        key = prefix + "".join(random.Random(length).choices(string.ascii_letters, k=length))
        text = carrier.format(key)
        assert is_hidden(Case("", "held", text, key), detector.find(text))


@pytest.mark.parametrize("length", [32, 40])
@pytest.mark.parametrize(
    "carrier",
    ["My weather key is {}", "my map token is {}.", "The secret = `{}`", "its API key: {}, ok"],
)
def test_a_generated_key_is_found_where_a_sentence_tells_it(
    detector: Detector, length: int, carrier: str
) -> None:
    key = "aB3" + "".join(random.Random(1).choices(string.ascii_letters, k=length - 3))
    text = carrier.format(key)
    assert is_hidden(Case("", "held", text, key), detector.find(text))


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("grüße 🐈 DB_PASSWORD=hunter22x\nend", "hunter22x"),
        ("İİİ password: hunter22x, then", "hunter22x"),
        ("\ud800 token = 'a8Kd93jdkLs02mdkq9Zx7cVb'", "a8Kd93jdkLs02mdkq9Zx7cVb"),
        ("\ufeffpostgres://u:hunter22x@h/x", "hunter22x"),
        ("\x00\x00 gh" + "p_a8Kd93jdkLs02mdkq9Zx7cVbnM1qWeRt5yUi.", "p_a8Kd93jdkLs02mdkq9Zx7cVb"),
        ("TOKEN=" + "a8Kd93jd" * 600, "a8Kd93jd" * 600),
        ("x: token=" + "a8Kd93jd" * 600, "a8Kd93jd" * 600),
        (
            "-----BEGIN PRIVATE " + "KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0B",
            "MIIEvQIBADANBgkq\nhkiG9w0B",
        ),
    ],
)
def test_places_are_code_points_whatever_else_is_in_the_text(
    detector: Detector, text: str, secret: str
) -> None:
    assert is_hidden(Case("", "held", text, secret), detector.find(text))


@given(st.text(st.sampled_from("aZ9_-=:\"' ./\\\n@pasword tken$<>{}éİ\ud800"), max_size=200))
@hypothesis_settings(max_examples=300)
def test_any_text_is_taken_and_what_is_found_is_in_order_within_it(
    detector: Detector, text: str
) -> None:
    found = detector.find(text)
    edges = [edge for one in found for edge in (one.start, one.end)]
    assert edges == sorted(edges)
    assert all(0 <= one.start < one.end <= len(text) for one in found)


def test_a_text_without_a_long_word_never_loads_the_library() -> None:
    script = (
        "import sys; from lineal.detectors.detector import Detector; d = Detector();"
        f"d.find({PROSE!r}); d.find('DB_PASSWORD=hunter22x'); d.find('ctx_' + 'a2' * 13);"
        "sys.exit('kingfisher_sdk' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_detector_that_is_not_warm_says_so_before_it_overlooks_anything() -> None:
    with pytest.raises(NotReady):
        Detector().find("key gh" + "p_a8Kd93jdkLs02mdkq9Zx7cVbnM1qWeRt5yUi")


def test_a_token_within_base64_is_found(detector: Detector) -> None:
    token = "gh" + "p_a8Kd93jdkLs02mdkq9Zx7cVbnM1qWeRt5yUi"
    hidden = base64.b64encode(f"API_TOKEN={token}".encode()).decode()
    assert is_hidden(Case("", "held", f"data: {hidden}", hidden), detector.find(f"data: {hidden}"))


def test_threads_share_one_library(tmp_path: Path) -> None:
    shared = Detector(tmp_path / "rules")
    text = "key gh" + "p_a8Kd93jdkLs02mdkq9Zx7cVbnM1qWeRt5yUi"
    answers: list[tuple[Found, ...]] = []

    def look() -> None:
        shared.warm()
        answers.append(shared.find(text))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [(Found("github-pat", 4, 44),)] * 4
    assert (tmp_path / "rules").stat().st_mode & 0o077 == 0


def test_rules_that_cant_be_cached_are_compiled_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    shared = Detector(tmp_path / "file" / "rules")
    shared.warm()
    assert shared.find("key gh" + "p_a8Kd93jdkLs02mdkq9Zx7cVbnM1qWeRt5yUi")


HOSTILE = {
    "one word": "a" * 100_000,
    "hex": "".join(random.Random(1).choices("0123456789abcdef", k=100_000)),
    "base64": "".join(random.Random(1).choices(string.ascii_letters + "+/", k=100_000)),
    "URLs without end": "://a:" * 20_000,
    "names": "token " * 16_000,
    "names and signs": "token=" * 16_000,
    "names and quotes": 'token="' * 14_000,
    "said": "password for of to " * 5_000,
    "key marks": ("-----BEGIN PRIVATE " + "KEY-----.") * 3_500,
    "JWT heads": "eyJaaaaaaaa." * 8_000,
    "OpenAI heads": "sk-" * 33_000 + "T3Blbk" + "FJ",
    "passwords without gaps": "pass=a1!" * 12_000,
    "passwords and signs": "password is &,;" * 6_000,
    "brackets": "(password: a1b2c3" + ")" * 100_000,
    "changes": "change my password to " * 5_000,
    "quotations": "password is 'a " * 6_000,
    "keys": "my key is " * 10_000,
    "project keys": "sk-proj-" * 12_000,
    "logins": "login: a / " * 9_000,
    "commands": "mysql -p curl -u a: " * 5_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_no_text_costs_more_than_its_length(detector: Detector, text: str) -> None:
    """A pattern that goes back and forth would take minutes for these; the bound is generous,
    since the machine may be busy."""
    detector.find(PROSE + " 9f8e7d6c5b4a39281706f5e4d3c2b1a0")
    start = perf_counter()
    detector.find(text)
    assert perf_counter() - start < 3
