"""`lineal schema`: which domains there are, whether their files are right, what a text gives."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

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
from lineal.faces.cli.owner import domain_of
from lineal.faces.cli.visible import visible, visible_line
from lineal.models.schema import FieldSpec, Schema
from lineal.policy.schemas import rivals
from lineal.ports.extractor import Extracted, Extraction
from lineal.service import Service
from lineal.settings import Settings

__all__ = ["Checked", "checked_files", "in_short", "schema"]

Answer = TypeVar("Answer")

NAMED_MAX = 8
"""Values of a field that the table names."""

AROUND_CHARS = 24
"""Characters of the text shown on either side of a span."""


@click.group(cls=Group)
def schema() -> None:
    """The fields that each domain knows of a user. Each part takes --json."""


@schema.command("list", cls=Command)
@store_options
def list_(home: Path | None, backend: str | None, as_json: bool) -> None:
    """List the registered domains, and the files that can't be used."""
    settings = read_settings(home, backend)

    async def known(service: Service) -> list[Schema]:
        return [await service.schema(name) for name in await service.domains()]

    found, broken = _asked(settings, known), checked_files(schema_files(settings)).wrong
    if as_json:
        listed = [{"path": path, "faults": why} for path, why in broken.items()]
        print_json({"schemas": [_brief(one) for one in found], "broken": listed})
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for one in found:
        fields = counted(len(one.fields), "field", "fields")
        table.add_row(text(one.schema_version, "bold"), fields, text(one.description))
    for path, why in broken.items():
        about = text(f"{visible_line(path)}: {in_short(why)}")
        table.add_row(text(Path(path).stem, "bold"), Text("broken", style="bold red"), about)
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
    """Check schema FILES, those in a directory, or every registered one; exits with 1 if one is
    wrong."""
    paths = (
        [path for one in files for path in _files(one)] if files else schema_files(read_settings())
    )
    checked = tuple(dict.fromkeys(paths))
    wrong = checked_files(checked).wrong
    if as_json:
        print_json({"checked": len(checked), "wrong": wrong})
    else:
        for path, why in wrong.items():
            for one in why:
                click.echo(f"error: {visible_line(path)}: {one}", err=True)
        right = len(checked) - len(wrong)
        click.echo(f"{right} of {counted(len(checked), 'schema file', 'schema files')} right.")
    if wrong:
        raise click.exceptions.Exit(1)


@schema.command("try", cls=Command)
@click.argument("words", metavar="TEXT")
@click.option("--domain", help="By whose schema.  [default: LINEAL_DOMAIN, else coding]")
@store_options
def try_(
    words: str, domain: str | None, home: Path | None, backend: str | None, as_json: bool
) -> None:
    """Show what would be read from TEXT; nothing is stored."""
    settings = read_settings(home, backend)
    known = _registered(settings, domain_of(domain, settings)).domain
    found = _asked(settings, lambda service: service.try_text(known, words))
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        _print_finds(words, found)


class Checked(NamedTuple):
    """wrong: path → what is wrong there, of wrong files only. domains: which can be used.
    refused: which can't, because of a wrong file."""

    wrong: dict[str, list[str]]
    domains: list[str]
    refused: set[str]


def checked_files(paths: Iterable[Path]) -> Checked:
    """Each fault with its line, where it has one, and safe to show."""
    found: dict[str, str] = {}
    wrong: dict[str, list[str]] = {}
    refused: set[str] = set()
    for path in paths:
        try:
            found[str(path)] = check_schema(path).domain
        except LinealError as error:
            wrong[str(path)] = _told(error)
            refused.update(error.details["domains"])
    for name, why in rivals(found).items():
        wrong[name] = [visible_line(why)]
        refused.add(found[name])
    return Checked(wrong, sorted(set(found.values()) - refused), refused)


def _told(error: LinealError) -> list[str]:
    told = [visible_line(one) for one in error.details["faults"]]
    left = error.details["count"] - len(told)
    return [*told, f"and {left} more"] if left else told


def in_short(why: list[str]) -> str:
    """The first fault of a file, and whether there are more."""
    return f"{why[0]}; more in `lineal schema check`" if len(why) > 1 else why[0]


def _files(path: Path) -> list[Path]:
    """The schema files of a directory, or the file itself. Raises invalid_request if there are
    none."""
    if not path.is_dir():
        return [path]
    found = sorted(path.glob("*.json"))
    if not found:
        raise LinealError.invalid(
            "files", f"The directory '{path}' holds no file that ends in .json.", path=str(path)
        )
    return found


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
    names = [name for name in spec.values if name != "*"]
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
