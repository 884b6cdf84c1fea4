"""A command with commands of its own."""

from __future__ import annotations

from typing import Any

import click

from lineal.faces.cli.usage import for_machines, usage_errors

__all__ = ["Group"]


class Group(click.Group):
    """With --json a wrong call is the errors' envelope, as it is of a plain command."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        with usage_errors(as_json=for_machines(args)):
            return super().make_context(info_name, args, parent, **extra)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        with usage_errors(as_json=for_machines(args)):
            return super().resolve_command(ctx, args)
