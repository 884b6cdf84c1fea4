"""A command that was called wrongly: two lines for people, one JSON object for machines."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import click

from lineal.errors import LinealError

__all__ = ["for_machines", "usage_errors"]


def for_machines(arguments: Sequence[str]) -> bool:
    """Whether --json is among the options, as far as can be told before they are parsed."""
    options = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in options


@contextmanager
def usage_errors(*, as_json: bool) -> Iterator[None]:
    """With --json a wrong call is the errors' envelope on stderr; the exit status is 2 as ever."""
    try:
        yield
    except click.UsageError as wrong:
        if not as_json:
            raise
        command = wrong.ctx.command_path if wrong.ctx else "lineal"
        told = f"{wrong.format_message().rstrip('.')}. `{command} --help` has the rest."
        click.echo(json.dumps(LinealError.invalid("arguments", told).body()), err=True)
        sys.exit(wrong.exit_code)
