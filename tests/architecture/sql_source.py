"""The statements that stand in a package's source, put together as its functions would."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pkgutil import iter_modules
from types import ModuleType
from typing import NamedTuple

__all__ = ["Module", "Statement", "built", "modules_of", "statements"]

MOST = 256
"""Ways in which one statement can be put together; more want a simpler function."""

HELD = "tenant_id = %s"
"""What the condition of a Wall or a Filter begins with, whatever follows; a test holds it to it."""

_VERBS = (
    r"(SELECT|INSERT|UPDATE|DELETE|WITH|SET|COPY|TRUNCATE|LOCK|CREATE|ALTER|DROP|MERGE|CALL|DO)"
)
_STATEMENT = re.compile(rf"^\s*{_VERBS}\s")
_SQL = re.compile(rf"^\s*{_VERBS}\s|\b(FROM|WHERE|VALUES|ORDER BY|LIMIT|RETURNING) ")


class Module(NamedTuple):
    """name: by which others import it, without its package. values: its texts, as they are when it
    is imported."""

    name: str
    tree: ast.Module
    values: Mapping[str, str]


class Statement(NamedTuple):
    """place: module:line. text None: it can't be told from the source what it will be."""

    place: str
    text: str | None


Key = tuple[str, str]
"""A module-level name: its module and itself."""


def modules_of(package: ModuleType) -> list[Module]:
    """The modules of a package, but for what it says itself."""
    names = [found.name for found in iter_modules(package.__path__)]
    return [_module(importlib.import_module(f"{package.__name__}.{name}")) for name in names]


def _module(module: ModuleType) -> Module:
    values = {name: value for name, value in vars(module).items() if isinstance(value, str)}
    tree = ast.parse(inspect.getsource(module))
    return Module(module.__name__.split(".")[-1], tree, values)


def statements(modules: Sequence[Module]) -> Iterator[Statement]:
    """Every statement of the modules, in each way it may be put together."""
    yield from _Package(modules).statements()


def built(modules: Sequence[Module]) -> Iterator[str]:
    """Places in functions where a text of SQL is put together by anything but `sql`. Outside of
    functions there are no values that could get into it."""
    for module in modules:
        errors = {
            id(inner)
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Raise)
            for inner in ast.walk(node)
        }
        for function in ast.walk(module.tree):
            if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
                for node in ast.walk(function):
                    if id(node) not in errors and _is_built(node):
                        yield f"{module.name}:{getattr(node, 'lineno', 0)}"


def _is_built(node: ast.AST) -> bool:
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(part, ast.FormattedValue) for part in node.values) and _is_sql(node)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod | ast.Add):
        return _is_sql(node.left) or _is_sql(node.right)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        methods = ("format", "format_map", "replace", "join")
        spoken = (node.func.value, *(node.args if node.func.attr == "join" else ()))
        return node.func.attr in methods and any(map(_is_sql, spoken))
    return False


def _is_sql(node: ast.AST) -> bool:
    parts = [part.value for part in ast.walk(node) if isinstance(part, ast.Constant)]
    return any(isinstance(part, str) and _SQL.search(part) for part in parts)


class _Package:
    def __init__(self, modules: Sequence[Module]) -> None:
        self._modules = {module.name: module for module in modules}
        self._constants: dict[Key, ast.expr] = {}
        self._origins: dict[Key, Key] = {}
        for module in modules:
            self._read(module)
        self._parents = {
            id(child): node
            for module in modules
            for node in ast.walk(module.tree)
            for child in ast.iter_child_nodes(node)
        }
        self._homes = {id(n): module for module in modules for n in ast.walk(module.tree)}
        self._functions = {
            node.name: node
            for module in modules
            for node in ast.walk(module.tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        self._looked: set[int] = set()
        """Loops that are being looked at, so that none is looked at within itself."""
        self._parts = self._used(inside=True)
        self._sent = self._used(inside=False)

    def statements(self) -> Iterator[Statement]:
        for module in self._modules.values():
            for node in ast.walk(module.tree):
                if self._is_root(module, node):
                    yield from self._ways(module, node)

    def _read(self, module: Module) -> None:
        for node in module.tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self._constants[module.name, node.targets[0].id] = node.value
            elif (
                isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value
            ):
                self._constants[module.name, node.target.id] = node.value
        for inner in ast.walk(module.tree):
            if isinstance(inner, ast.ImportFrom) and inner.module:
                for name in inner.names:
                    origin = (inner.module.split(".")[-1], name.name)
                    self._origins[module.name, name.asname or name.name] = origin

    def _key(self, node: ast.AST) -> Key | None:
        """Which module-level name an expression is."""
        home = self._homes[id(node)].name
        if isinstance(node, ast.Name):
            return self._origins.get((home, node.id), (home, node.id))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            base = self._origins.get((home, node.value.id))
            return (base[1], node.attr) if base else None
        return None

    def _used(self, *, inside: bool) -> set[Key | None]:
        """Names that stand inside of a call of `sql`, or elsewhere."""
        found: set[Key | None] = set()
        for node in (n for module in self._modules.values() for n in ast.walk(module.tree)):
            if not isinstance(node, ast.Name | ast.Attribute) or isinstance(node.ctx, ast.Store):
                continue
            key = self._key(node)
            if key in self._constants and self._is_part(node) == inside:
                found.add(key)
        return found

    def _is_part(self, node: ast.AST) -> bool:
        """Whether it goes into another text: by `sql`, or where a module's constants are made."""
        parent, made = self._parents.get(id(node)), False
        if isinstance(parent, ast.Call) and self._joins(parent, node):
            return True
        while isinstance(parent, ast.expr | ast.keyword):
            if _is_sql_call(parent):
                return True
            made = made or isinstance(parent, ast.BinOp | ast.Call)
            parent = self._parents.get(id(parent))
        return made and self._is_constant(parent)

    def _joins(self, call: ast.Call, argument: ast.AST) -> bool:
        """Whether a function of the package makes a longer text of an argument."""
        function = self._functions.get(_last_name(call.func) or "")
        if function is None or argument not in call.args:
            return False
        names = [one.arg for one in function.args.args if one.arg != "self"]
        place = call.args.index(argument)
        return place < len(names) and any(
            isinstance(part, ast.Name) and part.id == names[place]
            for node in ast.walk(function)
            if isinstance(node, ast.Call) and _is_sql_call(node)
            for part in node.args
        )

    def _is_constant(self, node: ast.AST | None) -> bool:
        """Whether a statement assigns at the module's level."""
        holder = self._parents.get(id(node))
        return isinstance(node, ast.Assign | ast.AnnAssign) and isinstance(holder, ast.Module)

    def _is_root(self, module: Module, node: ast.AST) -> bool:
        """What is sent as it is, not a part of something else."""
        if isinstance(node, ast.Assign) and self._is_constant(node):
            target = node.targets[0]
            name = target.id if isinstance(target, ast.Name) else ""
            key = (module.name, name)
            return name in module.values and not (key in self._parts and key not in self._sent)
        text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if text and not _STATEMENT.match(str(getattr(node, "value", ""))):
            return False
        if not (text or _is_sql_call(node)) or self._is_part(node):
            return False
        parent = self._parents.get(id(node))
        return not (
            isinstance(parent, ast.Expr)  # a docstring
            or (isinstance(parent, ast.Assign) and self._is_constant(parent))
        )

    def _ways(self, module: Module, node: ast.AST) -> Iterator[Statement]:
        place = f"{module.name}:{getattr(node, 'lineno', 0)}"
        first = node.args[:1] if isinstance(node, ast.Call) else []
        begins = self._texts(first[0], ()) if first else None
        if begins and not any(_STATEMENT.match(text) for text in begins):
            return  # a condition, which is looked at where it is used
        found = self._texts(node, ())
        if found is None:
            yield Statement(place, None)
        elif any(_STATEMENT.match(text) for text in found):
            yield from (Statement(place, text) for text in found)

    def _texts(self, node: ast.AST, seen: tuple[ast.AST, ...]) -> list[str] | None:
        """What an expression can be; None where that can't be told."""
        if node in seen:
            return []
        seen = (*seen, node)
        if isinstance(node, ast.Assign):
            target = node.targets[0]
            known = self._homes[id(node)].values
            return [known[target.id]] if isinstance(target, ast.Name) else None
        if isinstance(node, ast.Constant):
            return [node.value] if isinstance(node.value, str) else None
        if isinstance(node, ast.Call) and _is_sql_call(node):
            return self._joined(node.args, seen)
        if isinstance(node, ast.IfExp):
            return self._all([node.body, node.orelse], seen)
        if isinstance(node, ast.Attribute) and node.attr == "condition":
            return [HELD]
        if isinstance(node, ast.Subscript):
            return self._items(node.value, seen)
        if isinstance(node, ast.Starred) and isinstance(node.value, ast.BinOp):
            return self._repeated(node.value.left, seen)
        return self._named(node, seen)

    def _repeated(self, node: ast.AST, seen: tuple[ast.AST, ...]) -> list[str] | None:
        """Of `*[part] * times`: none and two of them."""
        elements = node.elts if isinstance(node, ast.List | ast.Tuple) else []
        once = self._joined(elements, seen) if elements else None
        return None if once is None else ["", *(f"{one} {one}" for one in once)]

    def _joined(self, parts: Sequence[ast.AST], seen: tuple[ast.AST, ...]) -> list[str] | None:
        """In each way, those first that callers hand in together."""
        ways: list[str] = []
        for told in self._told(parts):
            found = [self._texts(part, seen) for part in told]
            if any(one is None for one in found):
                return None
            ways += [" ".join(way) for way in product(*(one or [] for one in found))]
        return ways if len(ways) <= MOST else None

    def _told(self, parts: Sequence[ast.AST]) -> list[list[ast.AST]]:
        """The parts with what each caller hands in, where at least two of them are arguments."""
        function = self._function(parts[0]) if parts else None
        names = [one.arg for one in function.args.args if one.arg != "self"] if function else []
        places = [
            names.index(part.id) if isinstance(part, ast.Name) and part.id in names else None
            for part in parts
        ]
        if function is None or sum(place is not None for place in places) < 2:
            return [[*parts]]
        home = self._homes[id(function)]
        return [
            [
                part if place is None else call.args[place]
                for part, place in zip(parts, places, strict=True)
            ]
            for call in self._calls(home, function.name)
            if len(call.args) >= len(names)
        ]

    def _all(self, nodes: Sequence[ast.AST], seen: tuple[ast.AST, ...]) -> list[str] | None:
        found = [self._texts(node, seen) for node in nodes]
        known = [one for one in found if one is not None]
        return [text for one in known for text in one] if len(known) == len(found) else None

    def _named(self, node: ast.AST, seen: tuple[ast.AST, ...]) -> list[str] | None:
        if isinstance(node, ast.Name):
            local = self._local(node)
            if local is not None:
                return self._all(local, seen) if local else None
            known = self._homes[id(node)].values
            if node.id in known:
                return [known[node.id]]
        key = self._key(node)
        owner = self._modules.get(key[0]) if key else None
        value = owner.values.get(key[1]) if owner and key else None
        return None if value is None else [value]

    def _items(self, node: ast.AST, seen: tuple[ast.AST, ...]) -> list[str] | None:
        """Any value of a module-level dict or tuple."""
        held = self._held(node)
        if isinstance(held, ast.Dict):
            return self._all(held.values, seen)
        return self._all(held.elts, seen) if isinstance(held, ast.Tuple) else None

    def _local(self, node: ast.Name) -> list[ast.AST] | None:
        """What is assigned to a name in its function, or handed in as it; None: it isn't local,
        []: nobody knows."""
        function = self._function(node)
        if function is None:
            return None
        found: list[ast.AST] = []
        for inner in ast.walk(function):
            if isinstance(inner, ast.Assign):
                found += _assigned(inner.targets[0], inner.value, node.id)
            elif isinstance(inner, ast.For | ast.AsyncFor | ast.comprehension):
                found += self._gone_through(inner, node.id)
        if found:
            return found
        names = [a.arg for a in (*function.args.posonlyargs, *function.args.args)]
        keywords = [a.arg for a in function.args.kwonlyargs]
        if node.id in (*names, *keywords):
            return self._handed(self._homes[id(node)], function.name, names, node.id)
        return None

    def _gone_through(
        self, loop: ast.For | ast.AsyncFor | ast.comprehension, name: str
    ) -> list[ast.AST]:
        """What a loop gives a name."""
        if not _is_target(loop.target, name) or id(loop) in self._looked:
            return []
        self._looked.add(id(loop))
        elements = self._elements(loop.iter)
        self._looked.discard(id(loop))
        return [part for one in elements for part in _assigned(loop.target, one, name)]

    def _function(self, node: ast.AST) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
        found = self._parents.get(id(node))
        while found is not None and not isinstance(found, ast.FunctionDef | ast.AsyncFunctionDef):
            found = self._parents.get(id(found))
        return found

    def _elements(self, node: ast.AST) -> list[ast.AST]:
        """What a loop over an expression goes through."""
        if isinstance(node, ast.Tuple | ast.List):
            return list(node.elts)
        if isinstance(node, ast.IfExp):
            return [*self._elements(node.body), *self._elements(node.orelse)]
        if isinstance(node, ast.Subscript):
            held = self._held(node.value)
            values = held.values if isinstance(held, ast.Dict) else []
            return [one for value in values for one in self._elements(value)]
        local = self._local(node) if isinstance(node, ast.Name) else None
        if local is not None:
            return [one for value in local for one in self._elements(value)]
        held = self._held(node)
        return [] if held is None else self._elements(held)

    def _held(self, node: ast.AST) -> ast.expr | None:
        """What a module-level name was assigned."""
        key = self._key(node)
        return self._constants.get(key) if key else None

    def _handed(self, home: Module, function: str, names: list[str], wanted: str) -> list[ast.AST]:
        """What callers hand in as an argument."""
        found: list[ast.AST] = []
        for call in self._calls(home, function):
            place = names.index(wanted) if wanted in names else len(call.args)
            if names[:1] == ["self"]:
                place -= 1
            found += call.args[place : place + 1]
            found += [word.value for word in call.keywords if word.arg == wanted]
        return found

    def _calls(self, home: Module, function: str) -> Iterator[ast.Call]:
        modules = [home] if function.startswith("_") else self._modules.values()
        for node in (node for module in modules for node in ast.walk(module.tree)):
            if isinstance(node, ast.Call) and _last_name(node.func) == function:
                yield node


def _is_sql_call(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and _last_name(node.func) == "sql"


def _last_name(node: ast.AST) -> str | None:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else None


def _is_target(target: ast.AST, name: str) -> bool:
    return any(isinstance(node, ast.Name) and node.id == name for node in ast.walk(target))


def _assigned(target: ast.AST, value: ast.AST, name: str) -> list[ast.AST]:
    """What a name is given by `target = value`, tuples taken apart."""
    if isinstance(target, ast.Name):
        return [value] if target.id == name else []
    if isinstance(target, ast.Tuple) and _is_target(target.elts[0], name) and name == "condition":
        return [ast.Constant(HELD)]  # of a Wall or a Filter that is taken apart
    if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
        pairs = zip(target.elts, value.elts, strict=False)
        return [one for part, held in pairs for one in _assigned(part, held, name)]
    return []
