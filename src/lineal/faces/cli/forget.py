"""`lineal forget`: take out a memory, and what was derived from it."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from rich.text import Text

from lineal.app import local_call
from lineal.faces.cli.base import Command, read_settings, store_options, with_service
from lineal.faces.cli.output import print_json, show, text
from lineal.models.context import ForgetAnswer, ForgetContext
from lineal.models.parse import parse
from lineal.settings import Settings

__all__ = ["forget"]


@click.command(cls=Command)
@click.argument("context_id", metavar="ID")
@click.option("--cascade", is_flag=True, help="Also everything declared as derived from it.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--yes", is_flag=True, help="Don't ask; needed where nobody can be asked.")
@store_options
def forget(
    context_id: str,
    cascade: bool,
    dry_run: bool,
    yes: bool,
    home: Path | None,
    backend: str | None,
    as_json: bool,
) -> None:
    """Take out the memory ID for good: content, history, index. A mark without content stays."""
    asked = not dry_run and not yes
    if asked and not (sys.stdin and sys.stdin.isatty()):
        raise click.UsageError("Nobody can be asked here; it needs --yes, or --dry-run to look.")
    settings = read_settings(home, backend)
    if asked:
        plan = _forget(settings, context_id, cascade, dry_run=True)
        what = "this memory" if plan.count == 1 else f"these {plan.count} memories"
        for gone in plan.forgotten:
            click.echo(gone, err=True)
        click.confirm(f"Forget {what} for good?", abort=True, err=True)
    answer = _forget(settings, context_id, cascade, dry_run=dry_run)
    if as_json:
        print_json(answer.model_dump(mode="json"))
        return
    show(Text(f"{'Would forget' if answer.dry_run else 'Forgotten'}: {answer.count}"))
    show(*(text(f"  {gone}") for gone in answer.forgotten))


def _forget(settings: Settings, context_id: str, cascade: bool, *, dry_run: bool) -> ForgetAnswer:
    request = parse(
        ForgetContext, {"context_id": context_id, "cascade": cascade, "dry_run": dry_run}
    )
    call = local_call(settings, "forget_context")
    return with_service(settings, lambda service: service.forget_context(call, request))
