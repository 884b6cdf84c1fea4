"""Bearer tokens: who may call, kept as hashes in one file of the data directory."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, NamedTuple, get_args

import portalocker
from pydantic import Field, ValidationError
from pydantic_core import from_json

from lineal.errors import LinealError
from lineal.models.base import Model, Moment

__all__ = ["GRANTS", "PREFIX", "TOKENS_NAME", "Grant", "Made", "Token", "TokenFile", "live_token"]

TOKENS_NAME = "tokens.json"
"""The file, in the data directory."""

PREFIX = "lineal_"
"""Tells a scanner of leaked secrets, and a reader of a log, what it looks at."""

Grant = Literal["read", "write", "erase"]
GRANTS: tuple[Grant, ...] = get_args(Grant)

SECRET_BYTES = 32
"""256 random bits: nobody can go through them, so a fast hash keeps them as well as a slow one
would, and a request costs microseconds."""

LOOK_AGAIN_S = 1.0
"""How often the file is looked at for changes, at most."""

LOCK_WITHIN_S = 5.0

TOKENS_MAX = 10_000
"""More would be a directory of users, which is an issuer's business."""


class Token(Model):
    """One token as it is kept: never itself, only its hash.

    id: `tok_…`, by which it is revoked. digest: SHA-256, 64 hex digits. expires_at: None: never.
    """

    id: str
    name: Annotated[str, Field(min_length=1, max_length=100)]
    tenant: Annotated[str, Field(min_length=1, max_length=256)]
    scopes: Annotated[frozenset[Grant], Field(min_length=1)]
    digest: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    created_at: Moment
    expires_at: Moment | None = None

    def is_live(self, now: datetime) -> bool:
        return self.expires_at is None or now < self.expires_at


class Made(NamedTuple):
    """A new token. secret: what its holder sends, known only now."""

    token: Token
    secret: str


class _Kept(Model):
    """The file."""

    version: Literal[1] = 1
    tokens: tuple[Token, ...] = ()


def live_token(tokens: dict[str, Token], secret: str, now: datetime) -> Token | None:
    """Whose secret it is, None for an unknown or an expired one.

    tokens: by digest. Looking a digest up tells nobody anything of a token by the time it takes:
    who could steer the digest of a guess would have broken SHA-256.
    """
    digest = _digest(secret)
    found = tokens.get(digest)
    if found is None or not hmac.compare_digest(found.digest, digest):
        return None
    return found if found.is_live(now) else None


class TokenFile:
    """The tokens of a data directory. Writers wait for each other; a reader sees a whole file.

    elapsed_s: seconds that never go back, by which the file is looked at again.
    """

    def __init__(self, path: Path, elapsed_s: Callable[[], float]) -> None:
        self._path = path
        self._elapsed_s = elapsed_s
        self._looked_s = float("-inf")
        self._mark: tuple[int, int, int] | None = None
        self._known: dict[str, Token] = {}

    def known(self) -> dict[str, Token]:
        """Every token by its digest, as the file was at most a second ago. Raises unavailable when
        it can't be read: then nobody is let in, rather than everybody."""
        now_s = self._elapsed_s()
        if now_s - self._looked_s >= LOOK_AGAIN_S:
            mark = self._marked()
            if mark != self._mark:
                self._known = {token.digest: token for token in self.listed()}
                self._mark = mark
            self._looked_s = now_s
        return self._known

    def exists(self) -> bool:
        """Whether there is such a file, as of at most a second ago, with any token in it or none.
        Raises unavailable."""
        self.known()
        return self._mark is not None

    def listed(self) -> tuple[Token, ...]:
        """Every token, oldest first. Raises unavailable for a file that is damaged."""
        try:
            return _Kept.model_validate(from_json(self._path.read_bytes())).tokens
        except FileNotFoundError:
            return ()
        except OSError as failure:
            raise _unreadable(self._path, failure.strerror or "it can't be read") from None
        except (ValueError, ValidationError):
            raise _unreadable(self._path, "it isn't a list of tokens") from None

    def create(
        self,
        *,
        name: str,
        tenant: str,
        scopes: frozenset[Grant],
        now: datetime,
        expires_at: datetime | None,
    ) -> Made:
        """A new token, kept before it is handed out."""
        secret = PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        token = Token(
            id=f"tok_{secrets.token_hex(6)}",
            name=name,
            tenant=tenant,
            scopes=scopes,
            digest=_digest(secret),
            created_at=now,
            expires_at=expires_at,
        )
        with self._alone():
            before = self.listed()
            if len(before) >= TOKENS_MAX:
                raise LinealError.conflict(
                    f"There are {TOKENS_MAX} tokens already. Revoke some (`lineal token list`)."
                )
            self._write((*before, token))
        return Made(token, secret)

    def revoke(self, token_id: str) -> Token:
        """Take a token out. Raises not_found."""
        with self._alone():
            before = self.listed()
            found = next((token for token in before if token.id == token_id), None)
            if found is None:
                raise LinealError.not_found(
                    "There is no token of that id. `lineal token list` shows them.",
                    token_id=token_id[:64],
                )
            self._write(tuple(token for token in before if token is not found))
        return found

    def _marked(self) -> tuple[int, int, int] | None:
        """What changes when the file does; None: there is none."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        except OSError as failure:
            raise _unreadable(self._path, failure.strerror or "it can't be read") from None
        return found.st_mtime_ns, found.st_size, found.st_ino

    @contextmanager
    def _alone(self) -> Iterator[None]:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = self._path.with_name(f"{self._path.name}.lock")
            os.close(os.open(lock, os.O_CREAT | os.O_RDWR, 0o600))
            with portalocker.Lock(lock, timeout=LOCK_WITHIN_S):
                yield
        except portalocker.LockException:
            raise LinealError.unavailable(
                f"Another process is changing {self._path}. Try again."
            ) from None
        except OSError as failure:
            raise LinealError.unavailable(
                f"{self._path} can't be written: {failure.strerror or failure}.", retryable=False
            ) from failure

    def _write(self, tokens: tuple[Token, ...]) -> None:
        """Whole or not at all, and for its owner only. Raises OSError."""
        new = self._path.with_name(f".{self._path.name}.{secrets.token_hex(8)}")
        descriptor = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        try:
            with open(descriptor, "wb") as file:
                file.write(_Kept(tokens=tokens).model_dump_json(indent=2).encode())
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._path)
        except BaseException:
            new.unlink(missing_ok=True)
            raise


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _unreadable(path: Path, why: str) -> LinealError:
    return LinealError.unavailable(
        f"The tokens in {path} can't be used: {why}. Nobody is let in until it is mended: put a "
        "copy back, or remove the file and make the tokens anew with `lineal token create`.",
        retryable=False,
    )
