"""What may be an address, and what is added to it."""

from __future__ import annotations

import pytest
from psycopg.conninfo import conninfo_to_dict

from lineal.errors import ErrorCode, LinealError
from lineal.stores.postgres.address import conninfo_of

HERE = (
    "postgres:///memory",
    "postgres://lineal@localhost/memory",
    "postgres://lineal@127.0.0.1:5433/memory",
    "postgresql://lineal@[::1]/memory",
    "postgres://lineal@/memory?host=/var/run/postgresql",
    "host=/var/run/postgresql dbname=memory",
)
AWAY = (
    "postgres://lineal@db.example/memory",
    "postgres://lineal@10.0.0.5/memory",
    "postgres://lineal@127.0.0.1,db.example/memory",
    "postgres://lineal@localhost.db.example/memory",
    "host=0.0.0.0 dbname=memory",
    "hostaddr=10.0.0.5 dbname=memory",
)


@pytest.mark.parametrize("url", HERE)
def test_on_this_machine_nothing_is_asked_of_tls(url: str) -> None:
    told = conninfo_to_dict(conninfo_of(url))
    assert "sslmode" not in told
    assert told["application_name"] == "lineal"


@pytest.mark.parametrize("url", AWAY)
def test_to_another_machine_the_certificate_is_verified_unless_told_otherwise(url: str) -> None:
    told = conninfo_to_dict(conninfo_of(url))
    assert (told["sslmode"], told["sslrootcert"]) == ("verify-full", "system")


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer"])
@pytest.mark.parametrize("url", AWAY[:3])
def test_what_could_go_in_the_clear_is_refused(url: str, mode: str) -> None:
    with pytest.raises(LinealError) as raised:
        conninfo_of(f"{url}?sslmode={mode}")
    assert raised.value.code is ErrorCode.INVALID_REQUEST
    assert f"sslmode={mode}" in raised.value.message


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
def test_an_encrypted_mode_is_taken_as_it_is(mode: str) -> None:
    told = conninfo_to_dict(conninfo_of(f"{AWAY[0]}?sslmode={mode}&sslrootcert=/ca.pem"))
    assert (told["sslmode"], told["sslrootcert"]) == (mode, "/ca.pem")


@pytest.mark.parametrize(
    "url", ["postgres://a b:secret@host", "postgres://x:secret@h/d?nonsense=1"]
)
def test_what_cant_be_read_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(LinealError) as raised:
        conninfo_of(url)
    assert raised.value.code is ErrorCode.INVALID_REQUEST
    assert "secret" not in str(raised.value.message) + str(raised.value.details)


def test_an_at_sign_in_a_password_is_not_taken_for_the_servers_name() -> None:
    """libpq would look "cret@db.example" up, and tell a name server of the password."""
    with pytest.raises(LinealError) as raised:
        conninfo_of("postgres://lineal:se@cret@db.example/memory")
    assert "%40" in raised.value.message
    assert "cret" not in raised.value.message
