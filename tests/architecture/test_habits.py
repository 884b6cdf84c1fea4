"""Habits of the code that a reader relies on, read from the source."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

import lineal

ROOT = Path(lineal.__file__).parent


class Module(NamedTuple):
    """A module of the package. path: relative to it."""

    path: str
    text: str
    tree: ast.Module


MODULES = [
    Module(file.relative_to(ROOT).as_posix(), text, ast.parse(text))
    for file in sorted(ROOT.rglob("*.py"))
    for text in [file.read_text(encoding="utf-8")]
]

CLOCK_READERS = {
    "time.time",
    "time.time_ns",
    "time.localtime",
    "time.gmtime",
    "time.ctime",
    "time.strftime",
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "datetime.datetime.now",
    "datetime.datetime.utcnow",
    "date.today",
    "datetime.date.today",
}
"""time.monotonic and time.perf_counter measure how long something took; anyone may."""

ENVIRONMENT = {"os.environ", "os.getenv", "os.environb", "os.putenv", "os.getenvb"}

ENVIRONMENT_ROOMS = {
    # It only writes: what the command line said is handed to the settings by their own names.
    "faces/cli/serve.py": "os.environ",
    # It only writes: some releases of the library report to their maker unless told not to.
    "embedders/minilm.py": "os.environ",
}

ENVIRONMENT_READERS = {
    # It runs at every tool use and can't wait for the settings' imports; a test holds what it reads
    # to what the settings say.
    "capture/hook.py",
}

TIME_READERS = ("clock.py:", "capture/hook.py:")
"""The second for the same reason: what it notes is when a hook ran, by the wall clock."""

DANGEROUS = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "pickle.load",
    "pickle.loads",
    "marshal.loads",
    "shelve.open",
    "yaml.load",
    "os.system",
    "os.popen",
}

BROAD_MAX = 6
"""`except Exception` in the whole package, one a rim: command line, tools, the wire's reader,
the writer's thread, the hook. The large memory servers have 40 to 600."""

LINES_MAX = 600
"""Of a module; few are over 300."""


def names() -> Iterator[tuple[str, str]]:
    """(place, dotted name) of every attribute and name that is used, aliases resolved."""
    for module in MODULES:
        known = _aliases(module.tree)
        for node in ast.walk(module.tree):
            dotted = _dotted(node)
            if dotted is not None:
                first, *rest = dotted.split(".")
                whole = ".".join([known.get(first, first), *rest])
                yield f"{module.path}:{getattr(node, 'lineno', 0)}", whole


def _aliases(tree: ast.Module) -> dict[str, str]:
    """What a local name stands for: `from time import time as t` → {"t": "time.time"}."""
    known: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            known.update({n.asname: n.name for n in node.names if n.asname})
        elif isinstance(node, ast.ImportFrom) and node.module:
            known.update({n.asname or n.name: f"{node.module}.{n.name}" for n in node.names})
    return known


def _dotted(node: ast.AST) -> str | None:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = _dotted(node.value)
        return f"{inner}.{node.attr}" if inner else None
    return None


USED = list(names())


def uses(wanted: set[str]) -> list[tuple[str, str]]:
    return [(place, name) for place, name in USED if name.removeprefix("builtins.") in wanted]


def test_the_source_is_read() -> None:
    assert len(MODULES) > 60
    assert ("clock.py", "time.time_ns") in {(p.split(":")[0], n) for p, n in USED}


def test_the_clock_reads_time_and_nobody_else_does() -> None:
    """One test clock moves everything."""
    readers = uses(
        CLOCK_READERS
        | {
            name.replace("datetime.", "datetime.datetime.", 1)
            for name in CLOCK_READERS
            if name.startswith("datetime.")
        }
    )
    assert [place for place, _ in readers if not place.startswith(TIME_READERS)] == []


def test_the_settings_read_the_environment_and_nobody_else_does() -> None:
    """Settings are read once; each exception has its reason above."""
    wrong = [
        f"{place} {name}"
        for place, name in uses(ENVIRONMENT)
        if place.split(":")[0] not in {"settings.py", *ENVIRONMENT_ROOMS, *ENVIRONMENT_READERS}
    ]
    assert wrong == []


def test_an_exception_for_the_environment_only_writes_to_it() -> None:
    for path in ENVIRONMENT_ROOMS:
        tree = next(module.tree for module in MODULES if module.path == path)
        reads = [
            node.lineno
            for node in ast.walk(tree)
            if (
                isinstance(node, ast.Attribute)
                and node.attr in ("get", "items", "copy")
                and _dotted(node.value) == "os.environ"
            )
            or (
                isinstance(node, ast.Subscript)
                and _dotted(node.value) == "os.environ"
                and isinstance(node.ctx, ast.Load)
            )
        ]
        assert reads == []


def test_nothing_that_is_read_can_run_as_code() -> None:
    found = [f"{place} {name}" for place, name in uses(DANGEROUS)]
    assert [line for line in found if not line.endswith(" re.compile")] == []
    modules = {"pickle", "marshal", "shelve", "yaml", "dill", "cloudpickle"}
    imported = [
        f"{module.path}:{node.lineno}"
        for module in MODULES
        for node in ast.walk(module.tree)
        if (isinstance(node, ast.Import) and {n.name.split(".")[0] for n in node.names} & modules)
        or (isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in modules)
    ]
    assert imported == []


def _broad() -> Iterator[tuple[str, ast.ExceptHandler]]:
    for module in MODULES:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ExceptHandler):
                kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
                if any(k is None or _dotted(k) in ("Exception", "BaseException") for k in kinds):
                    yield f"{module.path}:{node.lineno}", node


def _raises_again(handler: ast.ExceptHandler) -> bool:
    """It tidies up and lets the failure go on."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_a_broad_catch_is_rare() -> None:
    """Catch what you can name. A handler that tidies up and raises again catches nothing."""
    caught = [place for place, handler in _broad() if not _raises_again(handler)]
    assert len(caught) <= BROAD_MAX, caught


def test_nobody_catches_what_ends_the_process() -> None:
    """A cancelled task or Ctrl-C must get through."""
    swallowed = [
        place
        for place, handler in _broad()
        if not _raises_again(handler)
        and (handler.type is None or _dotted(handler.type) == "BaseException")
    ]
    assert swallowed == []


def test_every_module_says_in_a_line_what_it_is() -> None:
    silent = [module.path for module in MODULES if not ast.get_docstring(module.tree)]
    assert silent == []
    long = [
        module.path
        for module in MODULES
        if len((ast.get_docstring(module.tree) or "").split("\n")[0]) > 100
    ]
    assert long == []


def test_every_module_says_what_is_public() -> None:
    """A package without code has nothing to say."""
    silent = [
        module.path
        for module in MODULES
        if _all_of(module.tree) is None
        and any(not isinstance(node, ast.Expr) for node in module.tree.body)
    ]
    assert silent == []


def test_what_is_said_to_be_public_is_there() -> None:
    wrong = {
        module.path: sorted(missing) or listed
        for module in MODULES
        if (listed := _all_of(module.tree)) is not None and "def __getattr__" not in module.text
        if (missing := set(listed) - _defined(module.tree)) or len(set(listed)) < len(listed)
    }
    assert wrong == {}


def _all_of(tree: ast.Module) -> list[str] | None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and _dotted(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return None


def _defined(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {name.asname or name.name for name in node.names}
    return found


def test_no_module_is_too_long_to_read() -> None:
    long = {m.path: m.text.count("\n") for m in MODULES if m.text.count("\n") > LINES_MAX}
    assert long == {}


def test_the_package_patches_nothing_of_its_own_and_knows_no_mocks() -> None:
    assert [m.path for m in MODULES if re.search(r"\bmonkeypatch\b|unittest\.mock", m.text)] == []


# SQL: constant text, bound values, write transactions that start as such.

SQLITE = [module for module in MODULES if module.path.startswith("stores/sqlite/")]

SQL_WORDS = re.compile(
    r"^\s*(SELECT|INSERT|UPDATE|DELETE|REPLACE|CREATE|ALTER|DROP|PRAGMA|ATTACH|VACUUM|WITH|BEGIN)\b"
    r"|\b(FROM|WHERE|VALUES|ORDER BY|LIMIT|MATCH)\b"
)


READING = ("stores/sqlite/readers.py", "stores/sqlite/backup.py", "stores/sqlite/verify.py")
"""They begin deferred on purpose, to see one instant, on connections that can't write."""


def _statements(module: Module) -> Iterator[tuple[str, str]]:
    """(place, text) of every constant text of a module, docstrings aside."""
    spoken = {
        id(node.value)
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    for node in ast.walk(module.tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in spoken
        ):
            yield f"{module.path}:{node.lineno}", node.value.strip()


def test_a_transaction_that_writes_begins_immediate() -> None:
    """A deferred one fails at its first write when another process is quicker."""
    begun = [
        (module.path, place, text)
        for module in SQLITE
        for place, text in _statements(module)
        if re.match(r"BEGIN\b", text, re.I)
    ]
    deferred = [place for path, place, text in begun if text == "BEGIN" and path not in READING]
    assert deferred == []
    assert {text for _, _, text in begun} == {"BEGIN", "BEGIN IMMEDIATE"}


def test_what_begins_deferred_writes_nothing() -> None:
    """And its connection couldn't."""
    writes = re.compile(r"(INSERT|UPDATE|DELETE|REPLACE|CREATE|ALTER|DROP|VACUUM)\b")
    wrong = [
        place
        for module in SQLITE
        if module.path in READING
        for place, text in _statements(module)
        if writes.match(text)
    ]
    assert wrong == []
    connection = next(m.text for m in SQLITE if m.path == "stores/sqlite/connection.py")
    assert "SQLITE_OPEN_READONLY" in connection
    assert '"query_only", "ON"' in connection


def _built_sql() -> Iterator[str]:
    """Places where a text with SQL words is put together with values at run time."""
    for module in SQLITE:
        messages = _texts_of_errors(module.tree)
        for node in ast.walk(module.tree):
            if id(node) not in messages and _is_built(node):
                yield f"{module.path}:{getattr(node, 'lineno', 0)}"


def _is_built(node: ast.AST) -> bool:
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(part, ast.FormattedValue) for part in node.values) and _is_sql(node)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod | ast.Add):
        return _is_sql(node.left) or _is_sql(node.right)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr in ("format", "replace") and _is_sql(node.func.value)
    return False


def _is_sql(node: ast.AST) -> bool:
    parts = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
    return any(isinstance(part, str) and SQL_WORDS.search(part) for part in parts)


def _texts_of_errors(tree: ast.Module) -> set[int]:
    """Nodes inside what is raised, logged or returned as an error: words for people."""
    return {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise)
        for inner in ast.walk(node)
    }


def test_no_value_is_written_into_a_statement() -> None:
    """Statements are constant texts joined by rows.sql, values are bound."""
    assert sorted(set(_built_sql())) == []


def test_what_is_executed_is_a_constant_or_comes_from_sql() -> None:
    """Never an f-string, a sum or a format at the very call."""
    wrong = [
        f"{module.path}:{node.lineno}"
        for module in SQLITE
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("execute", "executemany")
        and node.args
        and isinstance(node.args[0], ast.JoinedStr | ast.BinOp)
    ]
    assert wrong == []


def test_the_parts_of_a_statement_are_constants() -> None:
    """Rows.sql takes texts that stand in the source, or names bound to such texts."""
    wrong = [
        f"{module.path}:{node.lineno}"
        for module in SQLITE
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Call) and _dotted(node.func) in ("sql", "rows.sql")
        for part in node.args
        if not isinstance(part, ast.Constant | ast.Name | ast.Attribute | ast.Starred)
    ]
    assert wrong == []


@pytest.mark.parametrize("word", ["TODO", "FIXME", "XXX", "breakpoint("])
def test_nothing_unfinished_is_left(word: str) -> None:
    assert [module.path for module in MODULES if word in module.text] == []
