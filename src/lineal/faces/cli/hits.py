"""What a search found, as people read it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from rich.table import Table
from rich.text import Text

from lineal.faces.cli.moments import date, day, ending
from lineal.faces.cli.output import text
from lineal.faces.cli.visible import visible_line
from lineal.models.search import Hit, SearchAnswer

__all__ = ["hits_table", "remarks"]

SHOWN_CHARS = 400
"""Characters of a memory in the table; `lineal show` has the rest."""

PART_MIN = 0.005
"""Parts of a score that would read as 0 are left out."""


def hits_table(hits: tuple[Hit, ...], now: datetime) -> Table:
    """Best first: what it says, and under it what it is; fits a terminal of any width."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for number, hit in enumerate(hits, 1):
        shown = _memory(hit).append("\n").append_text(_about(hit, now))
        if hit.explain is not None:
            shown.append("\n").append_text(_score(hit.explain))
        table.add_row(str(number), shown)
    return table


def remarks(answer: SearchAnswer) -> Iterator[Text]:
    """What is to be said of an answer besides its hits; nothing where they are all."""
    for word, meant in answer.corrected.items():
        yield text(f"“{visible_line(word)}” taken for {_quoted(meant)}.")
    if answer.note:
        yield text(answer.note)
    if answer.hits and (answer.more or answer.at_least):
        least = "At least " if answer.at_least else ""
        yield Text(f"{least}{answer.more} more; ask for them with --limit.")
    if answer.hits and answer.elsewhere:
        yield Text(f"{answer.elsewhere} more in other projects; look there with --everywhere.")


def _quoted(words: tuple[str, ...]) -> str:
    return ", ".join(f"“{visible_line(word)}”" for word in words)


def _memory(hit: Hit) -> Text:
    memory = Text()
    if hit.title:
        memory.append(visible_line(hit.title) + "\n", style="bold")
    if hit.speaker:
        memory.append(visible_line(hit.speaker) + ": ", style="cyan")
    memory.append(visible_line(hit.content, SHOWN_CHARS))
    if hit.flags:
        memory.append(f" [hidden characters: {', '.join(hit.flags)}]", style="yellow")
    return memory


def _about(hit: Hit, now: datetime) -> Text:
    said = date(hit.occurred_at)
    known = [
        hit.memory_type.value,
        f"said {said}" if said != date(hit.created_at) else None,
        f"stored {day(hit.created_at, now)}, {ending(hit.expires_at, now)}",
        hit.source,
        *hit.tags,
        hit.project,
        f"+{len(hit.also)} the same" if hit.also else None,
    ]
    about = Text(" · ".join(visible_line(fact) for fact in known if fact) + " · ", style="dim")
    return about.append(visible_line(hit.context_id), style="dim cyan")


def _score(parts: Mapping[str, float]) -> Text:
    """`words .42 · meaning .21 = .63`."""
    told = [f"{name} {_short(part)}" for name, part in parts.items() if abs(part) >= PART_MIN]
    return Text(f"{' · '.join(told) or 'nothing'} = {_short(sum(parts.values()))}", style="dim")


def _short(number: float) -> str:
    """Two places, without the 0 before the point."""
    return f"{number:.2f}".replace("0.", ".", 1) if abs(number) < 1 else f"{number:.2f}"
