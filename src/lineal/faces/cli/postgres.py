"""`lineal postgres`: how large a database gets, and how it is spread over machines."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import anyio
import click
from rich.console import RenderableType
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from lineal.app import database_plan
from lineal.faces.cli.base import Command, read_settings, store_options
from lineal.faces.cli.groups import Group
from lineal.faces.cli.output import counted, print_json, show, text
from lineal.models.sizing import Part, ShardPlan, Sizes

__all__ = ["postgres"]

SHOWN = 12
"""Lines of tables and indexes; the rest are added up."""

GIGABYTE = 1_000_000_000


@click.group(cls=Group)
def postgres() -> None:
    """Plan how a PostgreSQL database is spread over machines. Each part takes --json."""


@postgres.command("shard-plan", cls=Command)
@click.option(
    "--memories",
    type=click.IntRange(1),
    default=1_000_000_000,
    show_default=True,
    help="How many there will be.",
)
@click.option(
    "--replicas",
    type=click.IntRange(1, 9),
    default=2,
    show_default=True,
    help="Copies of everything, the first included.",
)
@click.option(
    "--shard-gb",
    type=click.IntRange(1, 100_000),
    default=100,
    show_default=True,
    help="How large one shard may get, in gigabytes.",
)
@click.option("--sql", "only_sql", is_flag=True, help="Only the statements for Citus.")
@store_options
def shard_plan(
    memories: int,
    replicas: int,
    shard_gb: int,
    only_sql: bool,
    home: Path | None,
    backend: str | None,
    as_json: bool,
) -> None:
    """Say what many memories take, by those in the configured database, and how to spread them.

    The database is asked for its sizes; no table is read through, and nothing is changed.
    """
    if only_sql and as_json:
        raise click.UsageError("Give one of --sql and --json.")
    ask = partial(
        database_plan,
        read_settings(home, backend),
        memories=memories,
        replicas=replicas,
        shard_bytes=shard_gb * GIGABYTE,
    )
    sizes, plan = anyio.run(ask)
    if as_json:
        print_json({"sizes": sizes.model_dump(mode="json"), "plan": plan.model_dump(mode="json")})
    elif only_sql:
        show(Text("\n".join(plan.statements)))
    else:
        show(*_rendered(sizes, plan))


def _rendered(sizes: Sizes, plan: ShardPlan) -> Iterator[RenderableType]:
    yield text(_basis(sizes, plan))
    yield Text()
    yield _parts_table(plan)
    yield Text()
    yield _plan_table(plan)
    if plan.largest_bytes is not None and plan.largest_bytes > plan.shard_bytes:
        told = (
            f"The largest tenant would take {decimal(plan.largest_bytes)}, and a tenant lies on "
            "one shard. Give it a worker of its own, or make tenants of its parts."
        )
        yield Text()
        yield text(told, style="yellow")
    yield Text()
    yield Text("For Citus, on the coordinator, as lineal's role (or --sql):", style="dim")
    yield Text("\n".join(plan.statements))


def _basis(sizes: Sizes, plan: ShardPlan) -> str:
    """What the estimate rests on."""
    if not plan.measured:
        held = counted(sizes.memories, "memory", "memories")
        return (
            f"The database holds {held}, too few to tell by. What follows goes by the measured "
            "default of docs/scale.md."
        )
    share = sizes.largest / sizes.memories
    among = "" if sizes.looked_at == sizes.tenants else f" of the {sizes.looked_at:,} looked at"
    body = "" if sizes.body_bytes is None else f", {sizes.body_bytes:,.0f} bytes of text each"
    return (
        f"Measured here: {sizes.memories:,} memories{body}, of "
        f"{counted(sizes.tenants, 'tenant', 'tenants')}; the largest{among} has {share:.1%}."
    )


def _parts_table(plan: ShardPlan) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("table or index", no_wrap=True)
    table.add_column("kind", no_wrap=True)
    table.add_column("bytes a memory", justify="right")
    table.add_column(f"for {plan.memories:,}", justify="right")
    for part in _shown(plan.parts):
        total = decimal(round(part.bytes_each * plan.memories))
        table.add_row(text(part.name), part.kind, f"{part.bytes_each:,.1f}", total)
    table.add_row("in all", "", f"{plan.bytes_each:,.1f}", decimal(plan.disk_bytes), style="bold")
    return table


def _shown(parts: tuple[Part, ...]) -> Iterator[Part]:
    yield from parts[:SHOWN]
    rest = sum(part.bytes_each for part in parts[SHOWN:])
    if rest:
        yield Part(name=f"{len(parts) - SHOWN} others", kind="", bytes_each=rest)


def _plan_table(plan: ShardPlan) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    each = decimal(plan.disk_bytes // plan.shards)
    copies = counted(plan.replicas, "copy", "copies")
    table.add_row("shards", f"{plan.shards} of {each}")
    table.add_row("disk", f"{decimal(plan.disk_all_bytes)} for {copies}, with room to work")
    table.add_row("vectors' index", f"{decimal(plan.hnsw_bytes)} of one copy, best in memory")
    table.add_row("words' index", f"{decimal(plan.words_bytes)} of one copy, best in memory")
    table.add_row("other indexes", f"{decimal(plan.rows_bytes)}; what is in use, in memory")
    return table
