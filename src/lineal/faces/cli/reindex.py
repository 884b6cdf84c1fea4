"""`lineal reindex`: what search goes by, made anew where it is missing or of another kind."""

from __future__ import annotations

from pathlib import Path

import click
from rich.text import Text

from lineal.faces.cli.base import Command, read_settings, store_options, with_service
from lineal.faces.cli.output import counted, print_json, progress, show, text
from lineal.settings import Settings

__all__ = ["reindex"]

NO_EMBEDDER = "none"


@click.command(cls=Command)
@click.option("--words", is_flag=True, help="The index of words too, in LINEAL_LANGUAGE.")
@click.option("--language", help="The index of words too, in this language: german, none, …")
@store_options
def reindex(
    words: bool, language: str | None, home: Path | None, backend: str | None, as_json: bool
) -> None:
    """Make every vector that is missing, and drop those of other models.

    Servers go on reading and writing meanwhile. Interrupted, it goes on where it was.
    """
    settings = read_settings(home, backend)
    tongue = language or (settings.language if words else None)
    with progress("Indexing", quiet=as_json) as report:
        made = with_service(settings, lambda service: service.reindex(report, language=tongue))
    if as_json:
        print_json({"vectors": made, "language": tongue, "embedder": settings.embedder})
        return
    if tongue is not None:
        show(text(f"The index of words was made anew ({tongue})."))
    show(Text(_told(settings, made)))


def _told(settings: Settings, made: int) -> str:
    if settings.embedder == NO_EMBEDDER:
        return "No vectors: LINEAL_EMBEDDER is none, so memories are found by their words only."
    if not made:
        return f"No vector was missing ({settings.embedder})."
    return f"{counted(made, 'vector', 'vectors')} made ({settings.embedder})."
