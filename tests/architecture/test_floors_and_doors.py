"""Which room may import which, and through which door each third-party name comes in.

Read from the source with `ast`: every import counts, in functions and under TYPE_CHECKING too.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import lineal

ROOT = Path(lineal.__file__).parent

FLOORS = {
    "__init__": 0,
    "errors": 0,
    "clock": 0,
    "ids": 0,
    "canonical": 0,
    "models": 1,
    "policy": 2,
    "analysis": 2,
    "exports": 2,
    "ports": 3,
    "outbound": 3,
    "stores": 4,
    "embedders": 4,
    "extractors": 4,
    "detectors": 4,
    "schemas": 4,
    "capture": 4,
    "telemetry": 4,
    "remotes": 4,
    "plugins": 4,
    "engine": 5,
    "service": 6,
    "faces": 7,
    "demo": 7,
    "settings": 8,
    "app": 8,
    "parts": 8,
    "backends": 8,
    "__main__": 8,
}
"""The plan of the house (docs/architecture.md). `testing` stands beside it."""

ADAPTERS = (
    "stores",
    "embedders",
    "extractors",
    "detectors",
    "schemas",
    "capture",
    "telemetry",
    "remotes",
)
"""Rooms of one floor that know nothing of each other."""

COMPOSITION = ("lineal.app", "lineal.settings")
"""What the faces that start a process may import, late: the composition's door."""

FRONT = ("faces/mcp/front.py", "faces/mcp/opening.py")
"""The first stage of `lineal serve`: what a client waits for."""

COMPOSERS = ("faces/mcp/front.py", "faces/cli/main.py", "faces/cli/serve.py")
"""They start a process, so they import the composition inside a function. The other modules of
faces/cli may do so at their top: they are late themselves, since main.py loads each only when its
command is called (test_a_command_is_loaded_only_when_it_is_called)."""

DOORS = {
    "mcp": ("faces/mcp/", "faces/http/", "demo/", "faces/cli/doctor"),
    "mcp_types": ("faces/mcp/", "faces/http/", "demo/", "faces/cli/doctor"),
    "apsw": ("stores/sqlite/",),
    "portalocker": ("stores/sqlite/", "detectors/", "faces/http/"),
    "click": ("faces/cli/", "demo/"),
    "rich": ("faces/cli/", "demo/"),
    "pydantic_settings": ("settings.py",),
    "platformdirs": ("settings.py",),
    "pytest": ("testing/",),
    "hypothesis": ("testing/",),
    "httpx": ("outbound/",),
    "regex": ("extractors/rules/",),
    "numpy": ("embedders/", "stores/sqlite/", "stores/postgres/", "stores/rows/"),
    "psycopg": ("stores/postgres/",),
    "psycopg_pool": ("stores/postgres/",),
    "onnxruntime": ("embedders/",),
    "kingfisher_sdk": ("detectors/",),
    "Stemmer": ("analysis/",),
    "opentelemetry": ("telemetry/",),
    "starlette": ("faces/rest/", "faces/http/", "testing/contracts/"),
    "uvicorn": ("faces/http/", "testing/contracts/"),
    "jwt": ("faces/http/",),
    "prometheus_client": ("faces/http/",),
    "pydantic": ("",),
    "pydantic_core": ("",),
    "anyio": ("",),
}
"""Third-party name → the beginnings of the paths that may import it; "" stands for all."""

SHORT_WAYS = {("__main__.py", "lineal.capture.hook")}
"""What runs at every tool use of an agent goes to its adapter directly: the composition imports
more than the whole run may take."""

PURE = ("errors.py", "ids.py", "models/", "policy/", "analysis/", "exports/", "ports/")
"""Where nothing waits, and nothing outside the process is touched."""

EFFECTS = {"anyio", "asyncio", "os", "socket", "sqlite3", "subprocess", "threading", "tempfile"}


class Import(NamedTuple):
    """One import: where, and of what. late: inside a function; typed: under TYPE_CHECKING."""

    path: str
    line: int
    module: str
    late: bool
    typed: bool

    @property
    def early(self) -> bool:
        """Done when the module itself is imported."""
        return not (self.late or self.typed)

    def __str__(self) -> str:
        return f"{self.path}:{self.line} imports {self.module}"


def imports() -> Iterator[Import]:
    for file in sorted(ROOT.rglob("*.py")):
        path = file.relative_to(ROOT).as_posix()
        yield from _imports_in(path, ast.parse(file.read_text(encoding="utf-8")), False, False)


def _imports_in(path: str, node: ast.AST, late: bool, typed: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            for name in child.names:
                yield Import(path, child.lineno, name.name, late, typed)
        elif isinstance(child, ast.ImportFrom):
            for module in _modules(path, child):
                yield Import(path, child.lineno, module, late, typed)
        else:
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            for_types = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)
            yield from _imports_in(path, child, late or inside, typed or for_types)


def _modules(path: str, node: ast.ImportFrom) -> Iterator[str]:
    """`from lineal.policy import expiry` is of lineal.policy.expiry, `from x import y` of x."""
    base = node.module or ""
    if node.level:
        home = ("lineal", *Path(path).parts[:-1])
        base = ".".join((*home[: len(home) - node.level + 1], *filter(None, [node.module])))
    for name in node.names:
        inner = ROOT.joinpath(*base.split(".")[1:], name.name)
        is_module = base.split(".")[0] == "lineal" and (
            inner.with_suffix(".py").exists() or inner.is_dir()
        )
        yield f"{base}.{name.name}" if is_module else base


ALL = list(imports())
OURS = [found for found in ALL if found.module.split(".")[0] == "lineal"]
THEIRS = [
    found
    for found in ALL
    if found.module.split(".")[0] not in {*sys.stdlib_module_names, "lineal", "__future__"}
]


def room_of_path(path: str) -> str:
    return path.split("/")[0].removesuffix(".py")


def room_of_module(module: str) -> str:
    """lineal itself holds the version only: it is on the lowest floor."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def lines(found: list[Import]) -> list[str]:
    return [str(one) for one in found]


def test_the_source_is_read() -> None:
    """The other tests say nothing about what they can't see."""
    assert len(ALL) > 300
    silent = {"__init__", "ids", "plugins"}
    assert {room_of_path(found.path) for found in ALL} >= FLOORS.keys() - silent


def test_every_room_has_its_floor() -> None:
    rooms = {room_of_path(file.relative_to(ROOT).as_posix()) for file in ROOT.rglob("*.py")}
    assert rooms - FLOORS.keys() == {"testing"}


def test_a_room_imports_its_own_floor_or_lower_ones() -> None:
    upward = [
        found
        for found in OURS
        if room_of_path(found.path) != "testing"
        and room_of_module(found.module) != "testing"
        and FLOORS[room_of_path(found.path)] < FLOORS[room_of_module(found.module)]
        and not _is_composition(found)
    ]
    assert lines(upward) == []


def _is_composition(found: Import) -> bool:
    if found.module not in COMPOSITION:
        return False
    if found.path in COMPOSERS:
        return found.late
    return found.path.startswith("faces/cli/")


def test_a_command_is_loaded_only_when_it_is_called() -> None:
    """`lineal serve` and `lineal --help` pay for no command that isn't asked for."""
    early = [
        found
        for found in OURS
        if found.path == "faces/cli/main.py" and found.early and found.module != "lineal"
    ]
    assert lines(early) == []


def test_nothing_but_the_tests_imports_the_testing_room() -> None:
    """It imports pytest, which isn't installed where lineal is used."""
    wrong = [
        found
        for found in OURS
        if room_of_module(found.module) == "testing" and room_of_path(found.path) != "testing"
    ]
    assert lines(wrong) == []


def test_an_adapter_knows_no_other_adapter() -> None:
    wrong = [
        found
        for found in OURS
        if room_of_path(found.path) in ADAPTERS
        and room_of_module(found.module) in ADAPTERS
        and room_of_path(found.path) != room_of_module(found.module)
    ]
    assert lines(wrong) == []


def test_a_store_knows_no_other_store() -> None:
    """Only how rows are written is common to those that keep them on disk."""
    stores = [found for found in OURS if found.path.startswith("stores/")]
    wrong = [
        found
        for found in stores
        if found.module.startswith("lineal.stores.")
        and found.module.split(".")[2] not in ("rows", found.path.split("/")[1])
    ]
    assert lines(wrong) == []


def test_only_the_composition_knows_an_adapter() -> None:
    """Engine, service and faces know ports; the modules of the composition hand the adapters in."""
    wrong = [
        found
        for found in OURS
        if room_of_module(found.module) in ADAPTERS
        and room_of_path(found.path) not in (*ADAPTERS, "app", "parts", "backends", "testing")
        and (found.path, found.module) not in SHORT_WAYS
    ]
    assert lines(wrong) == []


def test_a_face_goes_through_the_service() -> None:
    """A face decides nothing: it doesn't know the engine."""
    wrong = [
        found
        for found in OURS
        if room_of_path(found.path) in ("faces", "demo")
        and room_of_module(found.module) == "engine"
    ]
    assert lines(wrong) == []


def test_the_mcp_face_and_the_command_line_stand_apart() -> None:
    """`lineal serve` hands over to the front; else neither knows the other."""
    wrong = [
        found
        for found in OURS
        if (found.path.startswith("faces/mcp/") and found.module.startswith("lineal.faces.cli"))
        or (
            found.path.startswith("faces/cli/")
            and found.module.startswith("lineal.faces.mcp")
            and found.path != "faces/cli/serve.py"
        )
    ]
    assert lines(wrong) == []


def test_no_two_modules_import_each_other() -> None:
    """At import time; what is only for types, or late, comes when all are there."""
    edges: dict[str, set[str]] = {}
    for found in OURS:
        module = "lineal." + found.path.removesuffix(".py").replace("/", ".")
        module = module.removesuffix(".__init__")
        if found.early and found.module != module:
            edges.setdefault(module, set()).add(found.module)
    assert [cycle for module in sorted(edges) if (cycle := _cycle(edges, module))] == []


def _cycle(edges: dict[str, set[str]], start: str) -> list[str]:
    """A way from a module back to itself, [] if there is none."""
    trail = [(start, [start])]
    seen: set[str] = set()
    while trail:
        module, way = trail.pop()
        for other in edges.get(module, ()):
            if other == start:
                return [*way, start]
            if other not in seen:
                seen.add(other)
                trail.append((other, [*way, other]))
    return []


def test_each_third_party_name_has_its_door() -> None:
    unknown = sorted({str(found) for found in THEIRS if found.module.split(".")[0] not in DOORS})
    assert unknown == []


@pytest.mark.parametrize("name", DOORS)
def test_a_third_party_name_comes_in_by_its_door_only(name: str) -> None:
    wrong = [
        found
        for found in THEIRS
        if found.module.split(".")[0] == name and not found.path.startswith(DOORS[name])
    ]
    assert lines(wrong) == []


def test_what_is_pure_touches_nothing_outside() -> None:
    """Pure in the middle, effects at the rim."""
    wrong = [
        found
        for found in ALL
        if found.path.startswith(PURE) and found.module.split(".")[0] in EFFECTS
    ]
    assert lines(wrong) == []


def test_what_is_pure_never_waits() -> None:
    """If policy needs `await`, it is not policy."""
    waiting = [
        f"{room}/{file.name}:{node.lineno}"
        for room in ("models", "policy", "analysis")
        for file in sorted((ROOT / room).glob("*.py"))
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.AsyncFunctionDef | ast.Await)
    ]
    assert waiting == []


@pytest.mark.parametrize("path", FRONT)
def test_the_front_imports_the_standard_library_only(path: str) -> None:
    """It answers while the SDK is still being imported: of lineal it takes its own parts and the
    version, all else late."""
    own = {"lineal", *("lineal." + part.removesuffix(".py").replace("/", ".") for part in FRONT)}
    early = [
        found
        for found in ALL
        if found.path == path
        and found.early
        and found.module.split(".")[0] not in {*sys.stdlib_module_names, "__future__"}
        and found.module not in own
    ]
    assert lines(early) == []
