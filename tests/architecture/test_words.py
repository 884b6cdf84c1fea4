"""What models and people read: visible characters only, and nothing that isn't written down."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lineal
from lineal.faces.cli.main import COMMANDS, MODULES
from lineal.faces.mcp import texts
from lineal.faces.mcp.tools import TOOLS
from lineal.schemas.book import SHIPPED
from lineal.settings import Settings

REPO = Path(__file__).parents[2]
PACKAGE = Path(lineal.__file__).parent
README = (REPO / "README.md").read_text(encoding="utf-8")

CLIENT_SETTINGS = (
    "client_session_id",
    "client_project_dir",
    "client_entrypoint",
    "client_config_dir",
    "client_otel_exporter",
    "client_otel_protocol",
)
"""Not ours to set: what a client's environment tells of itself, and what OpenTelemetry's says."""


def hidden(text: str) -> list[str]:
    """Characters that a reader doesn't see: control, format, surrogate, private, odd spaces."""
    return sorted({f"U+{ord(c):04X}" for c in text if _is_hidden(c)})


def _is_hidden(character: str) -> bool:
    if character in "\n ":
        return False
    if 0xFE00 <= ord(character) <= 0xFE0F or 0xE0100 <= ord(character) <= 0xE01EF:
        return True
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs")


def strings(value: Any) -> Iterator[str]:
    """Every string and key within a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, part in value.items():
            yield name
            yield from strings(part)
    elif isinstance(value, list):
        for part in value:
            yield from strings(part)


def test_the_guard_sees_what_hides() -> None:
    for character in "\u200b\u200d\u202e\u2066\ufeff\U000e0041\x1b\x00\u00ad\u2028\ufe0f\u00a0":
        assert hidden(f"a{character}b") == [f"U+{ord(character):04X}"]
    assert hidden("plain – “words” é 🐈…\n") == []


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_says_nothing_that_cant_be_seen(name: str) -> None:
    """Name, title, description, hints, schemas."""
    shown = TOOLS[name].shown().model_dump(mode="json", by_alias=True, exclude_none=True)
    assert {text: found for text in strings(shown) if (found := hidden(text))} == {}


@pytest.mark.parametrize("name", texts.__all__)
def test_instructions_and_prompts_say_nothing_that_cant_be_seen(name: str) -> None:
    assert hidden(getattr(texts, name)) == []


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.json")), ids=lambda path: path.name)
def test_a_shipped_schema_says_nothing_that_cant_be_seen(path: Path) -> None:
    schema = json.loads(path.read_text(encoding="utf-8"))
    assert {text: found for text in strings(schema) if (found := hidden(text))} == {}


def test_the_source_hides_nothing_from_its_readers() -> None:
    """Hidden characters are written as escapes."""
    files = [*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.json"), REPO / "README.md"]
    found = {
        str(file.relative_to(file.anchor)): marks
        for file in files
        if (marks := hidden(file.read_text(encoding="utf-8").replace("\t", " ")))
    }
    assert found == {}


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_is_described_for_a_model_in_a_hurry(name: str) -> None:
    """When to call it and what comes back, in a few lines."""
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", name)
    assert 40 <= len(TOOLS[name].description) <= 400
    assert TOOLS[name].description.endswith(".")


@pytest.mark.parametrize(
    "name", [name for name in Settings.model_fields if name not in CLIENT_SETTINGS]
)
def test_a_setting_is_in_the_readmes_table(name: str) -> None:
    rows = [line for line in README.splitlines() if line.startswith("|")]
    assert [row for row in rows if re.search(rf"\bLINEAL_{name.upper()}\b", row)]


@pytest.mark.parametrize(
    "name", [name for name in Settings.model_fields if name not in CLIENT_SETTINGS]
)
def test_a_setting_is_described(name: str) -> None:
    assert Settings.model_fields[name].description


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_is_in_the_readme(name: str) -> None:
    assert f"`{name}`" in README or f"{name}(" in README


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_in_the_readme(name: str) -> None:
    assert re.search(rf"`(lineal )?{name}`|\blineal {name}\b", README)


def test_the_readme_names_no_setting_tool_or_command_that_isnt_there() -> None:
    """A reader who copies a name must find it."""
    named = set(re.findall(r"\bLINEAL_[A-Z_]+\b", README))
    known = {f"LINEAL_{name.upper()}" for name in Settings.model_fields}
    assert sorted(named - known - {"LINEAL_REQUIRE"}) == []
    told = set(re.findall(r"`lineal ([a-z][a-z-]*)\b", README))
    assert sorted(told - COMMANDS.keys()) == []


def test_every_command_has_its_module() -> None:
    for name in COMMANDS:
        assert (PACKAGE / "faces" / "cli" / f"{MODULES.get(name, name)}.py").exists()
