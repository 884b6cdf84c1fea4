"""What may be shown of a client's entry and of a backend's URL."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["HIDDEN", "hidden_secrets", "is_open", "shown_entry"]

HIDDEN = "***"

_CLOSED = frozenset(
    f"LINEAL_{name}"
    for name in (
        "BACKEND",
        "REMOTE_URL",
        "REMOTE_KEY",
        "LLM_URL",
        "LLM_KEY",
        "EMBED_URL",
        "EMBED_KEY",
        "SECRETS_ALLOW",
    )
)
"""Ours, but it is a key, a URL that may hold a password, or what looks like a secret."""

_STRINGS = frozenset({"type", "command", "url", "cwd"})
"""What of an entry is known to hold no secret but the login of a URL."""

_VALUE = re.compile(r"=[^&]*")


def hidden_secrets(url: str) -> str:
    """The URL without whoever logs in and without any value of its query."""
    scheme, mark, rest = url.partition("://")
    place, asked, query = rest.partition("?")
    if not mark:
        return HIDDEN if "@" in url else url
    if not place.startswith("/"):
        login, at, host = place.rpartition("@")
        place = f"{HIDDEN if login else ''}{at}{host}"
    return f"{scheme}{mark}{place}{asked}{_VALUE.sub(f'={HIDDEN}', query)}"


def is_open(variable: str) -> bool:
    """Whether the value of this variable may be shown: ours, and no secret."""
    return variable.startswith("LINEAL_") and variable not in _CLOSED


def shown_entry(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The entry without the values that may be secrets: others' variables, headers, logins."""
    return {name: _shown(name, value) for name, value in entry.items()}


def _shown(name: str, value: Any) -> Any:
    if name == "env" and isinstance(value, dict):
        return {key: held if is_open(key) else HIDDEN for key, held in value.items()}
    if name == "args" and isinstance(value, list):
        return [hidden_secrets(str(argument)) for argument in value]
    if isinstance(value, str) and name in _STRINGS:
        return hidden_secrets(value)
    return value if isinstance(value, bool) else HIDDEN
