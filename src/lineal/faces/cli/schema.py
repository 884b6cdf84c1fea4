"""`lineal schema`: which domains there are, whether their files are right, what a text gives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from pydantic import SecretStr
from rich import box
from rich.table import Table
from rich.text import Text

from lineal.app import check_schema, schema_files
from lineal.errors import LinealError
from lineal.faces.cli.base import (
    Command,
    json_option,
    no_memory_yet,
    read_settings,
    store_options,
    with_service,
)
from lineal.faces.cli.groups import Group
from lineal.faces.cli.output import counted, print_json, show, text
from lineal.faces.cli.visible import visible, visible_line
from lineal.models.schema import FieldSpec, Schema
from lineal.ports.extractor import Extracted, Extraction
from lineal.service import Service
from lineal.settings import Settings

__all__ = ["schema"]

Answer = TypeVar("Answer")

NAMED_MAX = 8
"""Values of a field that the table names."""

WHY_CHARS = 400
"""Characters of what is wrong; a phrase that it repeats may be long."""

AROUND_CHARS = 24
"""Characters of the text shown on either side of a span."""


@click.group(cls=Group)
def schema() -> None:
    """The fields that each domain knows of a user. Each part takes --json."""


@schema.command("list", cls=Command)
@store_options
def list_(home: Path | None, backend: str | None, as_json: bool) -> None:
    """List the registered domains."""
    settings = read_settings(home, backend)

    async def known(service: Service) -> list[Schema]:
        return [await service.schema(name) for name in await service.domains()]

    found = _asked(settings, known)
    if as_json:
        print_json({"schemas": [_brief(one) for one in found]})
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for one in found:
        fields = counted(len(one.fields), "field", "fields")
        table.add_row(text(one.schema_version, "bold"), fields, text(one.description))
    show(table)


@schema.command("show", cls=Command)
@click.argument("domain")
@store_options
def show_(domain: str, home: Path | None, backend: str | None, as_json: bool) -> None:
    """Show the fields of DOMAIN."""
    found = _registered(read_settings(home, backend), domain)
    if as_json:
        print_json(found.model_dump(mode="json", exclude_defaults=True))
        return
    show(text(f"{found.schema_version}  {found.description}\n"), _fields_table(found))


@schema.command(cls=Command)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@json_option
def check(files: tuple[Path, ...], as_json: bool) -> None:
    """Check schema FILES, or every registered one; exits with 1 if one is wrong."""
    checked = files or schema_files(read_settings())
    wrong = {str(path): found for path in checked if (found := _wrong(path))}
    if as_json:
        print_json({"checked": len(checked), "wrong": wrong})
    else:
        for told in wrong.values():
            click.echo(f"error: {told}", err=True)
        right = len(checked) - len(wrong)
        click.echo(f"{right} of {counted(len(checked), 'schema file', 'schema files')} right.")
    if wrong:
        raise click.exceptions.Exit(1)


@schema.command("try", cls=Command)
@click.argument("words", metavar="TEXT")
@click.option("--domain", required=True, help="By whose schema.")
@store_options
def try_(words: str, domain: str, home: Path | None, backend: str | None, as_json: bool) -> None:
    """Show what would be read from TEXT; nothing is stored."""
    settings = read_settings(home, backend)
    _registered(settings, domain)
    found = _asked(settings, lambda service: service.try_text(domain, words))
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        _print_finds(words, found)


def _asked(settings: Settings, use: Callable[[Service], Awaitable[Answer]]) -> Answer:
    """Of the configured backend; schemas are there before any memory is."""
    if no_memory_yet(settings) is not None:
        settings = settings.model_copy(update={"backend": SecretStr("memory:")})
    return with_service(settings, use)


def _registered(settings: Settings, domain: str) -> Schema:
    async def known(service: Service) -> tuple[Schema, tuple[str, ...]]:
        return await service.schema(domain), await service.domains()

    found, domains = _asked(settings, known)
    if domain not in domains:
        raise LinealError.not_found(
            f"Domain '{domain[:80]}' has no schema. Registered: {', '.join(domains) or 'none'}; a "
            "file in the directory that LINEAL_SCHEMAS names registers another.",
            domain=domain,
        )
    return found


def _brief(one: Schema) -> dict[str, Any]:
    named = {"domain": one.domain, "version": one.version, "description": one.description}
    return {**named, "fields": list(one.fields)}


def _wrong(path: Path) -> str | None:
    """What is wrong with a file, and in which line; None if nothing is."""
    try:
        check_schema(path)
    except LinealError as error:
        return visible_line(error.message, WHY_CHARS)
    return None


def _fields_table(found: Schema) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for title in ("field", "kind", "type", "what it is", "matched by"):
        table.add_column(title, overflow="fold")
    for name, spec in found.fields.items():
        kind = f"list of {spec.items}" if spec.type == "list" else spec.type
        table.add_row(
            text(name, "bold"), spec.kind, text(kind), text(_about(spec)), text(_matched(spec))
        )
    return table


def _about(spec: FieldSpec) -> str:
    bounds = [f"{bound:g}" if bound is not None else "" for bound in (spec.minimum, spec.maximum)]
    names = list(spec.values)
    more = [f"{len(names) - NAMED_MAX} more"] if len(names) > NAMED_MAX else []
    parts = [
        spec.description,
        f"{' to '.join(filter(None, bounds))} {spec.unit or ''}".strip() if any(bounds) else "",
        ", ".join([*names[:NAMED_MAX], *more]),
    ]
    return " · ".join(filter(None, parts))


def _matched(spec: FieldSpec) -> str:
    if spec.match is None:
        return "vector" if spec.kind == "soft" else ""
    scale = f" within {spec.match.scale:g}" if spec.match.scale is not None else ""
    told = f"{spec.match.rule}{scale}, weight {spec.match.weight:g}"
    return f"{told}, filter" if spec.match.filter else told


def _print_finds(words: str, found: Extracted) -> None:
    if found.finds:
        table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for title in ("field", "value", "read from", "confidence"):
            table.add_column(title, overflow="fold")
        for find in found.finds:
            value = Text("not " if find.denied else "", style="yellow")
            value.append(visible_line(str(find.value)))
            table.add_row(
                text(find.field, "bold"), value, _span(words, find), f"{find.confidence:.2f}"
            )
        show(table)
    count = counted(len(found.finds), "value", "values")
    later = f" {found.why or 'A language model could not be asked.'}" if found.again else ""
    show(text(f"\n{count} read by {found.model_version}; nothing was stored.{later}"))


def _span(words: str, find: Extraction) -> Text:
    """The span in its surroundings, which brackets mark where there are no colours."""
    start, end = find.span
    before, after = words[max(0, start - AROUND_CHARS) : start], words[end : end + AROUND_CHARS]
    shown = Text("…" if start > AROUND_CHARS else "", style="dim")
    shown.append(_line_of(before))
    shown.append(f"[{_line_of(words[start:end])}]", style="bold green")
    shown.append(_line_of(after))
    return shown.append("…" if end + AROUND_CHARS < len(words) else "")


def _line_of(part: str) -> str:
    """On one line, its blanks at the ends kept."""
    return visible(part).replace("\n", " ").replace("\t", " ")
