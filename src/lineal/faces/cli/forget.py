"""`lineal forget`: take out a memory, and what was derived from it; or give it back."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from lineal.app import local_call
from lineal.faces.cli.base import Command, read_settings, store_options, with_service
from lineal.faces.cli.moments import minute
from lineal.faces.cli.output import print_json, show, text
from lineal.models.context import ForgetAnswer, ForgetContext
from lineal.models.parse import parse
from lineal.settings import Settings

__all__ = ["forget"]


@click.command(cls=Command)
@click.argument("context_id", metavar="ID")
@click.option("--cascade", is_flag=True, help="Also everything declared as derived from it.")
@click.option("--used", is_flag=True, help="With --cascade: also what only read or named it.")
@click.option("--erase", is_flag=True, help="With --cascade: for good, without a way back.")
@click.option("--undo", is_flag=True, help="Give back what a cascade from ID took out.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option("--yes", is_flag=True, help="Don't ask; needed where nobody can be asked.")
@store_options
def forget(
    context_id: str,
    cascade: bool,
    used: bool,
    erase: bool,
    undo: bool,
    dry_run: bool,
    yes: bool,
    home: Path | None,
    backend: str | None,
    as_json: bool,
) -> None:
    """Take out the memory ID for good: content, history, index. A mark without content stays.

    A cascade can be undone until its grace period ends (LINEAL_GRACE_S); its ID may also be that
    of a source outside this memory, to take out all that came from there.
    """
    options = {"cascade": cascade, "used": used, "erase": erase, "undo": undo}
    asked = not (dry_run or yes or undo)
    if asked and not (sys.stdin and sys.stdin.isatty()):
        raise click.UsageError("Nobody can be asked here; it needs --yes, or --dry-run to look.")
    settings = read_settings(home, backend)
    if asked:
        _confirm(_forget(settings, context_id, {**options, "dry_run": True}))
    answer = _forget(settings, context_id, {**options, "dry_run": dry_run})
    if as_json:
        print_json(answer.model_dump(mode="json"))
    else:
        _tell(answer, undo=undo)


def _confirm(plan: ForgetAnswer) -> None:
    what = "this memory" if plan.count == 1 else f"these {plan.count} memories"
    for gone in plan.forgotten:
        click.echo(gone, err=True)
    how = "for good" if plan.undo_until is None else f"(undo until {minute(plan.undo_until)})"
    click.confirm(f"Forget {what} {how}?", abort=True, err=True)


def _forget(settings: Settings, context_id: str, options: dict[str, Any]) -> ForgetAnswer:
    request = parse(ForgetContext, {"context_id": context_id, **options})
    call = local_call(settings, "forget_context")
    return with_service(settings, lambda service: service.forget_context(call, request))


def _tell(answer: ForgetAnswer, *, undo: bool) -> None:
    done, would = ("Given back", "Would give back") if undo else ("Forgotten", "Would forget")
    show(Text(f"{would if answer.dry_run else done}: {answer.count}"))
    show(*(text(f"  {one}") for one in answer.restored or answer.forgotten))
    if answer.forwarded is not None and answer.forwarded.note:
        show(text(answer.forwarded.note))
    if answer.undo_until is not None and not answer.dry_run:
        show(
            text(
                f"`lineal forget {answer.context_id} --undo` gives back what it took, "
                f"until {minute(answer.undo_until)}."
            )
        )
