"""What may stand in a statement that many tenants' data is to be spread by, read with a parser.

The rules are those of stores/postgres: one tenant for each statement, keys that begin with the
tenant, no clock of the server's, no setting that outlives its transaction.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

__all__ = ["TENANT", "Wall", "clocks", "faults", "parsed"]

TENANT = "tenant_id"

# It warns of each ALTER TABLE and policy, which it hands over as plain text.
logging.getLogger("sqlglot").setLevel(logging.ERROR)

CLOCKS = {
    *("now", "clock_timestamp", "statement_timestamp", "transaction_timestamp", "timeofday"),
    *("current_timestamp", "current_date", "current_time", "localtime", "localtimestamp"),
}
_CLOCK_NODES = (
    *(exp.CurrentTimestamp, exp.CurrentDate, exp.CurrentTime, exp.CurrentDatetime),
    *(exp.Localtime, exp.Localtimestamp),
)
_PLAIN = re.compile(
    r"(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|START TRANSACTION|SET TRANSACTION)\b"
)
_VECTOR_OPERATORS = re.compile(r"<[#=+~%]>")
"""pgvector's, which the parser doesn't know; they stand where `<->` does."""

_COMPOSED_NUMBER = re.compile(r"(?<=[(=] )\{\w+\}|(?<=\()\{\w+\}")
_COMPOSED_NAME = re.compile(r"\{(\w+)\}")
"""What psycopg.sql puts in, quoted as what it is."""

MAINTENANCE = {"maintenance_work_mem"}
"""Set for a session: an index is made outside of any transaction, on a connection of its own."""

_READS = (exp.Select, exp.SetOperation)
_WRITES = (exp.Insert, exp.Update, exp.Delete)
_SCOPES = (*_READS, *_WRITES)


class Wall(NamedTuple):
    """Which tables hold tenants' rows, and each one's columns in their order."""

    tables: Mapping[str, tuple[str, ...]]


def parsed(text: str) -> list[exp.Expr]:
    """The statements of a text. Raises ValueError for what PostgreSQL's grammar hasn't."""
    text = _COMPOSED_NUMBER.sub("1", _VECTOR_OPERATORS.sub("<->", text))
    try:
        found = sqlglot.parse(_COMPOSED_NAME.sub(r"\1", text), read="postgres")
    except SqlglotError as error:
        raise ValueError(str(error)) from error
    return [one for one in found if one is not None]


def faults(text: str, wall: Wall) -> list[str]:
    """What is wrong with a statement, in words; [] when nothing is."""
    if _PLAIN.match(text.strip().upper()):
        return []
    try:
        return [wrong for one in parsed(text) for wrong in _of_statement(one, wall)]
    except ValueError as error:
        return [f"it can't be parsed: {error}"]


def _of_statement(statement: exp.Expr, wall: Wall) -> Iterator[str]:
    yield from _of_settings(statement)
    yield from _ofclocks(statement, wall)
    if isinstance(statement, exp.Command | exp.Copy | exp.Merge | exp.TruncateTable):
        named = [name for name in wall.tables if re.search(rf"\blineal\.{name}\b", str(statement))]
        if named:
            yield f"a {type(statement).__name__} touches {', '.join(named)} of every tenant"
    elif isinstance(statement, _SCOPES):
        yield from _Scope(statement, wall, {}, frozenset()).faults()


def _of_settings(statement: exp.Expr) -> Iterator[str]:
    """A session goes on to the next tenant's transaction: nothing may stay behind."""
    for item in statement.find_all(exp.SetItem):
        if item.args.get("kind") not in ("LOCAL", "TRANSACTION"):
            yield f"a session-wide SET: {item.sql()}"
    for call in statement.find_all(exp.Anonymous):
        if call.name.lower() == "set_config":
            last = call.expressions[-1] if len(call.expressions) == 3 else None
            local = isinstance(last, exp.Boolean) and last.this
            if not local and call.expressions[0].name not in MAINTENANCE:
                yield f"set_config without a literal true: {call.sql()}"


def _ofclocks(statement: exp.Expr, wall: Wall) -> Iterator[str]:
    """The server may be asked what time it is, apart from any row of a tenant."""
    asked = [*clocks(statement)]
    tables = {table.name for table in statement.find_all(exp.Table)}
    if asked and (not isinstance(statement, exp.Select) or tables & wall.tables.keys()):
        yield f"the server's clock: {', '.join(asked)}"


def clocks(node: exp.Expr) -> Iterator[str]:
    """Whatever asks the server what time it is."""
    for part in node.walk():
        named = isinstance(part, exp.Anonymous) and part.name.lower() in CLOCKS
        literal = isinstance(part, exp.Literal) and str(part.this).strip().lower() == "now"
        if named or literal or isinstance(part, _CLOCK_NODES):
            yield part.sql("postgres")


class _Source(NamedTuple):
    """Something that is read. needs: rows of tenants, so it must name one. carries: it is a query
    over such rows, that names one by itself."""

    name: str
    needs: bool
    carries: bool = False


class _Scope:
    """One SELECT, INSERT, UPDATE or DELETE with what it reads; those inside it are scopes too.

    outer: what the scopes around it read, by name, and whether that is held to one tenant.
    queries: names of WITH.
    """

    def __init__(
        self, node: exp.Expr, wall: Wall, outer: Mapping[str, bool], queries: frozenset[str]
    ) -> None:
        self._node, self._wall, self._outer = node, wall, outer
        with_ = node.args.get("with_")
        self._withs: list[exp.Expr] = with_.expressions if with_ else []
        self._queries = queries | {one.alias for one in self._withs}

    def faults(self) -> Iterator[str]:
        for one in self._withs:
            yield from self._inner(one.this, {})
        if isinstance(self._node, exp.SetOperation):
            for side in (self._node.left, self._node.right):
                yield from self._inner(side, self._outer)
            return
        sources = [*self._sources()]
        held = self._held(sources)
        for source in sources:
            if source.needs and not held[source.name]:
                yield f"{source.name} isn't held to one tenant ({self._start()})"
        if isinstance(self._node, exp.Insert):
            yield from self._of_insert(self._node)
        if isinstance(self._node, exp.Update):
            yield from self._of_update(self._node)
        for inner in _inside(self._node):
            yield from self._inner(inner, {**self._outer, **held})

    def _inner(self, node: exp.Expr, outer: Mapping[str, bool]) -> Iterator[str]:
        while isinstance(node, exp.Subquery | exp.Paren):
            node = node.this
        if isinstance(node, _SCOPES):
            yield from _Scope(node, self._wall, outer, self._queries).faults()

    def _start(self) -> str:
        return self._node.sql("postgres")[:60]

    def _sources(self) -> Iterator[_Source]:
        for node in self._read():
            inner = node.this if isinstance(node, exp.Lateral) else node
            if isinstance(inner, exp.Table):
                ours = inner.db == "lineal" and inner.name in self._wall.tables
                query = not inner.db and inner.name in self._queries
                yield _Source(node.alias_or_name, ours, query)
            elif isinstance(inner, exp.Subquery):
                reads = any(t.name in self._wall.tables for t in inner.find_all(exp.Table))
                yield _Source(node.alias_or_name, False, reads)

    def _read(self) -> Iterator[exp.Expr]:
        """What stands in FROM, USING and JOIN, and what is changed."""
        node = self._node
        if isinstance(node, exp.Update | exp.Delete):
            yield node.this
        using = node.args.get("using")
        froms = node.args.get("from_")
        first = [*(using if isinstance(using, list) else []), *([froms.this] if froms else [])]
        yield from first
        for holder in (node, *first):
            yield from (join.this for join in holder.args.get("joins") or ())
            yield from holder.args.get("laterals") or ()

    def _held(self, sources: Sequence[_Source]) -> dict[str, bool]:
        """Which sources see one tenant's rows only, by following what is equal to what."""
        held = {source.name: source.carries for source in sources}
        ways = [*self._ways([s.name for s in sources if s.needs] or [*held])]
        for _ in sources:
            for name, by in ways:
                around = by is None or held.get(by, self._outer.get(by, False))
                held[name] = held.get(name, False) or around
        return held

    def _ways(self, candidates: list[str]) -> Iterator[tuple[str, str | None]]:
        """(source, what holds it: another source, or None for a bound value)."""
        where = self._node.args.get("where")
        for one in _conjuncts(where.this if where else None):
            yield from self._equal(one, candidates, None)
        joins = [join for join in self._node.find_all(exp.Join) if _owner(join) is self._node]
        for join in joins:
            outer = join.this.alias_or_name if join.side else None
            if join.side not in ("", "LEFT"):
                continue
            for one in _conjuncts(join.args.get("on")):
                yield from self._equal(one, candidates, outer)
            if any(name.name == TENANT for name in join.args.get("using") or ()):
                joined = join.this.alias_or_name
                for other in (name for name in candidates if name != joined):
                    yield joined, other
                    yield from [(other, joined)] if not join.side else []

    def _equal(
        self, condition: exp.Expr, candidates: list[str], only: str | None
    ) -> Iterator[tuple[str, str | None]]:
        """only: of an outer join, the side that its condition narrows."""
        if not isinstance(condition, exp.EQ):
            return
        for side, other in ((condition.left, condition.right), (condition.right, condition.left)):
            name = self._whose(side, candidates)
            if name is None or (only is not None and name != only):
                continue
            if _is_bound(other):
                yield name, None
            elif (by := self._whose(other, candidates)) is not None:
                yield name, by

    def _whose(self, node: exp.Expr, candidates: list[str]) -> str | None:
        if not (isinstance(node, exp.Column) and node.name == TENANT):
            return None
        if node.table:
            return node.table
        # Of several the server would ask which is meant, unless USING made one of them.
        return candidates[0] if len(candidates) == 1 or self._merges() else None

    def _merges(self) -> bool:
        joins = self._node.args.get("joins") or ()
        return any(name.name == TENANT for join in joins for name in join.args.get("using") or ())

    def _of_insert(self, node: exp.Insert) -> Iterator[str]:
        target, listed = node.this, []
        if isinstance(target, exp.Schema):
            target, listed = target.this, [column.name for column in target.expressions]
        if target.db != "lineal" or target.name not in self._wall.tables:
            return
        columns = listed or [*self._wall.tables[target.name]]
        if TENANT not in columns:
            yield f"an INSERT into {target.name} without {TENANT}"
            return
        yield from self._of_values(node.expression, columns.index(TENANT), target.name)
        conflict = node.args.get("conflict")
        if conflict is not None:
            keys = [key.name for key in conflict.args.get("conflict_keys") or ()]
            if keys and keys[0] != TENANT:
                yield f"ON CONFLICT ({', '.join(keys)}) doesn't begin with {TENANT}"

    def _of_values(self, source: exp.Expr | None, place: int, table: str) -> Iterator[str]:
        if isinstance(source, exp.Values):
            rows = [[*row.expressions] for row in source.expressions]
        elif isinstance(source, exp.Select):
            rows = [[one.unalias() for one in source.expressions]]
        else:
            rows = [[]]
        for row in rows:
            value = row[place] if place < len(row) else None
            told = isinstance(value, exp.Column) and value.name == TENANT
            if value is None or not (told or _is_bound(value)):
                yield f"an INSERT into {table} whose {TENANT} is neither bound nor a row's own"

    def _of_update(self, node: exp.Update) -> Iterator[str]:
        if any(isinstance(one, exp.EQ) and one.left.name == TENANT for one in node.expressions):
            yield f"an UPDATE that sets {TENANT}"


def _is_bound(node: exp.Expr) -> bool:
    while isinstance(node, exp.Cast | exp.Paren | exp.Collate):
        node = node.this
    return isinstance(node, exp.Placeholder | exp.Parameter)


def _conjuncts(condition: exp.Expr | None) -> list[exp.Expr]:
    """What holds of each row that is left."""
    if isinstance(condition, exp.Paren):
        return _conjuncts(condition.this)
    if isinstance(condition, exp.And):
        return [*_conjuncts(condition.left), *_conjuncts(condition.right)]
    return [] if condition is None else [condition]


def _owner(node: exp.Expr) -> exp.Expr | None:
    found = node.parent
    while found is not None and not isinstance(found, _SCOPES):
        found = found.parent
    return found


def _inside(node: exp.Expr) -> Iterator[exp.Expr]:
    """The scopes directly within this one, those of WITH aside."""
    for child in node.iter_expressions():
        if isinstance(child, exp.With):
            continue
        if isinstance(child, _SCOPES):
            yield child
        else:
            yield from _inside(child)
