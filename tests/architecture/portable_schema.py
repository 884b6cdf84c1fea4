"""What a migration may define, so that its tables can be spread over machines by tenant."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from sqlglot import exp
from tests.architecture.portable_sql import TENANT, Wall, clocks, parsed

from lineal.stores.postgres.schema import SHOWN

__all__ = ["of_schema", "wall_of"]

_SEES = r"\(tenant_id = current_setting\('lineal\.tenant', true\)\)"
_SHOWN = {
    "row-level security": r"alter table lineal\.{table} enable row level security",
    "FORCE, which binds the owner": r"alter table lineal\.{table} force row level security",
    "a policy for what is new": rf"create policy \w+ on lineal\.{{table}} for insert "
    rf"with check {_SEES}",
    "a policy for what is changed": rf"create policy \w+ on lineal\.{{table}} for update "
    rf"using {_SEES} with check {_SEES}",
    "a policy for what goes": rf"create policy \w+ on lineal\.{{table}} for delete using {_SEES}",
}
"""Of a table of numbers that statements alone keep apart when they read."""

_WANTED = {
    "row-level security": r"alter table lineal\.{table} enable row level security",
    "FORCE, which binds the owner": r"alter table lineal\.{table} force row level security",
    "a policy USING and WITH CHECK": r"create policy \w+ on lineal\.{table} "
    rf"using {_SEES} with check {_SEES}",
}


def wall_of(script: str, tables: Sequence[str]) -> Wall:
    """Tenants' tables as the migrations make them."""
    made = {one.this.this.name: one.this.expressions for one in parsed(script) if _is_table(one)}
    return Wall({table: _columns(made[table]) for table in tables})


def _columns(parts: Sequence[exp.Expr]) -> tuple[str, ...]:
    return tuple(part.name for part in parts if isinstance(part, exp.ColumnDef))


def of_schema(script: str, tables: Sequence[str], directory: Sequence[str]) -> list[str]:
    """What is wrong with a migration, in words. tables: of tenants; directory: the others."""
    made = parsed(script)
    wrong = [fault for one in made for fault in _of_definition(one)]
    known = {one.this.this.name for one in made if _is_table(one)}
    wrong += [f"{name} isn't a table that is known of" for name in known - {*tables, *directory}]
    said = [" ".join(one.sql("postgres").split()).lower() for one in made]
    for table in tables:
        wrong += _of_policy(table, said)
    return wrong


def _is_table(statement: exp.Expr) -> bool:
    return isinstance(statement, exp.Create) and statement.args["kind"] == "TABLE"


def _of_definition(statement: exp.Expr) -> Iterator[str]:
    if isinstance(statement, exp.Create):
        kind = statement.args["kind"]
        if kind in ("FUNCTION", "TRIGGER", "PROCEDURE", "VIEW"):
            yield f"a {kind} isn't spread with its tables"
        if kind == "INDEX" and statement.args.get("unique"):
            columns = statement.this.args["params"].args["columns"]
            yield from _begins([column.this.name for column in columns], statement)
        if kind == "TABLE":
            yield from _of_table(statement)
    for default in statement.find_all(exp.DefaultColumnConstraint, exp.ComputedColumnConstraint):
        yield from (f"a default that asks the clock: {clock}" for clock in clocks(default))


def _of_table(table: exp.Create) -> Iterator[str]:
    for part in table.find_all(exp.PrimaryKey):
        yield from _begins([column.name for column in part.expressions], table)
    for unique in table.find_all(exp.UniqueColumnConstraint):
        inline = unique.find_ancestor(exp.ColumnDef)
        listed = unique.this.expressions if isinstance(unique.this, exp.Schema) else []
        yield from _begins([inline.name] if inline else [c.name for c in listed], table)
    for key in table.find_all(exp.PrimaryKeyColumnConstraint):
        owner = key.find_ancestor(exp.ColumnDef)
        yield from _begins([owner.name if owner else "?"], table)
    for foreign in table.find_all(exp.ForeignKey):
        yield from _begins([column.name for column in foreign.expressions], table)
    for reference in table.find_all(exp.Reference):
        target = reference.this
        inline = reference.find_ancestor(exp.ColumnDef)
        columns = target.expressions if isinstance(target, exp.Schema) else []
        yield from _begins([inline.name] if inline else [c.name for c in columns], table)


def _begins(columns: list[str], statement: exp.Expr) -> Iterator[str]:
    if columns[:1] != [TENANT]:
        yield f"a key ({', '.join(columns)}) doesn't begin with {TENANT} ({_named(statement)})"


def _named(statement: exp.Expr) -> str:
    return statement.sql("postgres")[:60]


def _of_policy(table: str, said: Sequence[str]) -> Iterator[str]:
    for what, pattern in (_SHOWN if table in SHOWN else _WANTED).items():
        wanted = pattern.replace("{table}", table)
        if not any(re.fullmatch(wanted, one) for one in said):
            yield f"{table} lacks {what}"
    if any(re.search(r"(no force|disable) .*row|drop policy", one) for one in said):
        yield f"{table} is taken from behind the wall again"
