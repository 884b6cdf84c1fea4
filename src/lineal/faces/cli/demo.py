"""`lineal demo`: the main job on a real conversation, told in the terminal."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import click
from rich.console import RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from lineal.demo.steps import Shown, Step, Tale
from lineal.faces.cli.base import Command, json_option
from lineal.faces.cli.launch import server_launch
from lineal.faces.cli.output import print_json, progress, show, text
from lineal.faces.cli.signals import TidyEnd
from lineal.faces.cli.tree import trace_trees
from lineal.faces.cli.visible import visible_line
from lineal.ports.store import Progress

__all__ = ["demo"]


@click.command(cls=Command)
@click.option("--keep", is_flag=True, help="Keep the temporary store, and say where it is.")
@json_option
def demo(keep: bool, as_json: bool) -> None:
    """Watch lineal remember, change its mind, let go and forget, in a temporary store.

    It starts the server as a client would, plays a conversation of seventy turns to it, and checks
    each promise; exit 1 when one wasn't kept. Nothing of yours is read or written.
    """
    from lineal.demo.story import tell

    if not as_json:
        show(Text("A real server process, a temporary store, nothing of yours. One moment…"))
    launch = server_launch()
    with TidyEnd() as end, _home(keep) as home, Storyteller(quiet=as_json) as narrator:
        tale = end.run(tell, home, launch.command, launch.args, narrator)
    if as_json:
        outcome = {"ok": not tale.broken, "broken": list(tale.broken), "kept": keep}
        print_json({**outcome, **tale.model_dump(mode="json")})
    else:
        _end(tale, keep)
    if tale.broken:
        sys.exit(1)


@contextmanager
def _home(keep: bool) -> Iterator[Path]:
    """An empty directory, and with `keep` one that stays."""
    home = Path(tempfile.mkdtemp(prefix="lineal-demo-"))
    try:
        yield home
    finally:
        if not keep:
            shutil.rmtree(home, ignore_errors=True)


class Storyteller(ExitStack):
    """Shows each step as it happens; quiet says nothing."""

    def __init__(self, *, quiet: bool) -> None:
        super().__init__()
        self._quiet = quiet
        self._bar: Progress | None = None

    def progress(self, done: int, total: int) -> None:
        """A bar from the first turn to the last; steps before and after have the screen."""
        if self._bar is None:
            self._bar = self.enter_context(progress("  storing turns", quiet=self._quiet))
        self._bar(done, total)
        if done == total:
            self.close()
            self._bar = None

    def told(self, step: Step) -> None:
        if self._quiet:
            return
        show(Text(), Rule(Text(f"{step.title} · {step.took_ms:.0f} ms"), align="left"))
        for fact in step.facts:
            show(_indented(text(fact)))
        for question in step.questions:
            show(Text(), _indented(text(f"“{question.query}”", style="bold")))
            show(_indented(_hits(question.hits)))
        if step.trace is not None:
            trees = trace_trees(step.trace, step.now)
            show(Text(), *(_indented(tree) for tree in trees), Text())
        for check in step.checks:
            mark = Text("✓ ", style="green") if check.kept else Text("✗ ", style="bold red")
            show(_indented(mark.append_text(text(check.promise))))


def _hits(hits: tuple[Shown, ...]) -> Table:
    """Best first, as a model is told of them."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(justify="right", style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for number, hit in enumerate(hits, 1):
        said = Text(visible_line(hit.content) + "\n")
        said.append(f"{visible_line(hit.about)} · {hit.context_id}", style="dim")
        table.add_row(str(number), said)
    return table


def _indented(part: RenderableType) -> Padding:
    return Padding(part, (0, 0, 0, 2), expand=False)


def _end(tale: Tale, keep: bool) -> None:
    promises = sum(len(step.checks) for step in tale.steps)
    took_s = sum(step.took_ms for step in tale.steps) / 1000
    show(Text())
    if tale.broken:
        show(Text(f"{len(tale.broken)} of {promises} promises were broken:", style="bold red"))
        show(*(text(f"  ✗ {promise}") for promise in tale.broken))
    else:
        show(Text(f"All {promises} promises kept, in {took_s:.1f} s.", style="bold green"))
        show(Text("Next: `lineal init claude-code` in a project of yours."))
    if keep:
        show(text(f"The store is kept in {tale.home}/memory, the server's words in server.log."))
