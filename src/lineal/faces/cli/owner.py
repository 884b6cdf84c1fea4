"""Whose memory is meant on a command line that doesn't say."""

from __future__ import annotations

import getpass

from lineal.errors import LinealError
from lineal.settings import Settings

__all__ = ["DOMAIN", "domain_of", "user_of"]

DOMAIN = "coding"
"""The domain that `lineal init` writes down when nobody names one."""


def user_of(given: str | None, settings: Settings) -> str:
    """--user, else LINEAL_USER, else the login name, which is what `lineal init` writes down."""
    if given is not None:
        return given
    return _login_name() if settings.user is None else settings.user


def domain_of(given: str | None, settings: Settings) -> str:
    """--domain, else LINEAL_DOMAIN, else `coding`."""
    if given is not None:
        return given
    return DOMAIN if settings.domain is None else settings.domain


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, ImportError, OSError):
        raise LinealError.invalid(
            "user",
            "This account has no login name; say whose memory it is with --user or LINEAL_USER.",
        ) from None
