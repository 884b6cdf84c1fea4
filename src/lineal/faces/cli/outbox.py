"""`lineal outbox`: what waits for a remote backend, tried again or dropped."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import anyio
import click
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from lineal.app import deliver_now, open_outbox
from lineal.clock import SystemClock
from lineal.faces.cli.base import Command, read_settings, store_options
from lineal.faces.cli.groups import Group
from lineal.faces.cli.moments import ago, span
from lineal.faces.cli.output import counted, print_json, show, text
from lineal.faces.cli.visible import visible_line
from lineal.models.forwarding import Letter, LetterPage, OutboxState
from lineal.ports.outbox import Outbox
from lineal.settings import Settings

__all__ = ["Listed", "document", "outbox", "rendered", "state_of"]

Answer = TypeVar("Answer")

CONTENT_MAX = 2_000
"""Characters of a letter's content that are shown to people."""


class Listed(NamedTuple):
    """A page of letters, and how the outbox stands as a whole."""

    state: OutboxState
    page: LetterPage


@click.group(cls=Group)
def outbox() -> None:
    """See and settle what waits for a remote backend. Each part takes --json."""


@outbox.command("list", cls=Command)
@click.option("--dead", "only", flag_value="dead", help="Only what waits for you.")
@click.option("--waiting", "only", flag_value="waiting", help="Only what is still sent by itself.")
@click.option("--limit", type=click.IntRange(1, 1_000), default=100, show_default=True)
@click.option("--content", is_flag=True, help="Also what the letters hold.")
@store_options
def list_letters(
    only: str | None,
    limit: int,
    content: bool,
    home: Path | None,
    backend: str | None,
    as_json: bool,
) -> None:
    """Letters in the order in which they were written, with what hinders them."""
    settings = read_settings(home, backend)
    dead = None if only is None else only == "dead"

    async def look(box: Outbox) -> Listed:
        return Listed(await box.state(), await box.letters(dead=dead, limit=limit))

    found = _with_outbox(settings, look)
    if as_json:
        print_json(document(found, content=content))
    else:
        now = SystemClock(settings.clock_offset_s).now()
        show(*rendered(found, now, home_tenant=settings.tenant, content=content))


@outbox.command(cls=Command)
@click.argument("letter_ids", metavar="[ID]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All of them, dead and waiting.")
@store_options
def retry(
    letter_ids: tuple[str, ...],
    everything: bool,
    home: Path | None,
    backend: str | None,
    as_json: bool,
) -> None:
    """Send letters again now, the dead ones in their old place."""
    chosen = _chosen(letter_ids, everything, "--all")
    settings = read_settings(home, backend)
    count = _with_outbox(settings, lambda box: box.retry(chosen))
    state = anyio.run(deliver_now, settings)
    if as_json:
        missing = 0 if chosen is None else len(set(chosen)) - count
        told = {"retried": count, "missing": missing, "state": state.model_dump(mode="json")}
        print_json(told)
        return
    _tell("retried", "tried", count, chosen, as_json=False)
    now = SystemClock(settings.clock_offset_s).now()
    show(text(_summary(state, now)))


@outbox.command(cls=Command)
@click.argument("letter_ids", metavar="[ID]...", nargs=-1)
@click.option("--all-dead", is_flag=True, help="All that are dead.")
@click.option("--yes", is_flag=True, help="Don't ask; needed where nobody can be asked.")
@store_options
def drop(
    letter_ids: tuple[str, ...],
    all_dead: bool,
    yes: bool,
    home: Path | None,
    backend: str | None,
    as_json: bool,
) -> None:
    """Send letters no more. What they tell of stays in the memory here."""
    chosen = _chosen(letter_ids, all_dead, "--all-dead")
    if not yes:
        _confirm(chosen)
    count = _with_outbox(read_settings(home, backend), lambda box: box.drop(chosen))
    _tell("dropped", "dropped", count, chosen, as_json=as_json)


def document(found: Listed, *, content: bool) -> dict[str, Any]:
    """As JSON. after: where the next page begins."""
    hidden = None if content else {"body"}
    return {
        "state": found.state.model_dump(mode="json"),
        "letters": [one.model_dump(mode="json", exclude=hidden) for one in found.page.letters],
        "after": found.page.after,
    }


def rendered(
    found: Listed, now: datetime, *, home_tenant: str, content: bool
) -> list[RenderableType]:
    """How the outbox stands, and a line for each letter."""
    parts: list[RenderableType] = [Text(_summary(found.state, now))]
    if found.page.letters:
        parts.append(_table(found.page.letters, now, home_tenant))
    if content:
        parts += (_content(one) for one in found.page.letters)
    return parts


def state_of(letter: Letter, now: datetime) -> str:
    """What it is waiting for, in a few words."""
    if letter.dead_at is not None:
        return "dead"
    if letter.held_until is not None and now < letter.held_until:
        return "being sent"
    doubt = ", may have arrived" if letter.begun else ""
    return (f"again {ago(letter.due_at, now)}" if now < letter.due_at else "waiting") + doubt


def _summary(state: OutboxState, now: datetime) -> str:
    if not state.waiting and not state.dead:
        told = "Nothing waits."
    else:
        told = f"{counted(state.waiting, 'letter waits', 'letters wait')}, {state.dead} dead."
    if state.uncertain:
        told += f" {state.uncertain} may have arrived already."
    if state.oldest_at is not None:
        told += f" The oldest was written {ago(state.oldest_at, now)}."
    if state.repeated:
        told += f" Sent twice so far, for want of knowing: {state.repeated}."
    return told


def _table(letters: Sequence[Letter], now: datetime, home_tenant: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in ("id", "verb", "user", "age", "tries", "state"):
        table.add_column(name, no_wrap=True, justify="right" if name == "tries" else "left")
    table.add_column("why", overflow="fold")
    for one in letters:
        table.add_row(
            text(one.letter_id),
            one.verb,
            text(visible_line(_user(one, home_tenant), 40)),
            span(now - one.posted_at),
            str(one.tries),
            Text(state_of(one, now), style="red" if one.dead_at else ""),
            text(visible_line(one.reason or "")),
        )
    return table


def _user(letter: Letter, home_tenant: str) -> str:
    if letter.tenant == home_tenant:
        return letter.user_id
    return f"{letter.tenant}/{letter.user_id}"


def _content(letter: Letter) -> Text:
    body = visible_line(letter.body, CONTENT_MAX) or "nothing any more: it was forgotten"
    return text(f"{letter.letter_id}: {body}")


def _chosen(letter_ids: tuple[str, ...], everything: bool, option: str) -> tuple[str, ...] | None:
    """The ids, or None for all. Raises UsageError unless it is one of both."""
    if bool(letter_ids) == everything:
        raise click.UsageError(f"Name letters by their IDs, or give {option}.")
    return letter_ids or None


def _confirm(chosen: tuple[str, ...] | None) -> None:
    if not (sys.stdin and sys.stdin.isatty()):
        raise click.UsageError("Nobody can be asked here; it needs --yes.")
    what = "all dead letters" if chosen is None else counted(len(chosen), "letter", "letters")
    click.confirm(f"Send {what} no more?", abort=True, err=True)


def _tell(
    key: str, told: str, count: int, chosen: tuple[str, ...] | None, *, as_json: bool
) -> None:
    missing = 0 if chosen is None else len(set(chosen)) - count
    if as_json:
        print_json({key: count, "missing": missing})
        return
    gone = f" {missing} of those named aren't there (any more)." if missing else ""
    show(Text(f"{counted(count, 'letter', 'letters')} {told}.{gone}"))


def _with_outbox(settings: Settings, use: Callable[[Outbox], Awaitable[Answer]]) -> Answer:
    """Raises LinealError where nothing is forwarded, and what the outbox raises."""

    async def run() -> Answer:
        async with open_outbox(settings) as box:
            return await use(box)

    return anyio.run(run)
