"""What every command shares: its options, its settings, and how it fails."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import anyio
import click
from pydantic import AliasChoices, SecretStr, ValidationError

from lineal.errors import ErrorCode, LinealError
from lineal.faces.cli.usage import for_machines, usage_errors
from lineal.faces.cli.visible import visible
from lineal.service import Service
from lineal.settings import Settings

__all__ = [
    "Command",
    "json_option",
    "no_memory_yet",
    "read_settings",
    "store_options",
    "variable",
    "with_service",
]

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")
AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])


_FOR_AGENTS, _FOR_PEOPLE = "Find ids with search_context.", "Find ids with `lineal search`."
"""What the engine advises whoever calls a tool, and what there is on a command line."""


class Command(click.Command):
    """A command whose failures are one line on stderr, or with --json one JSON object."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        with usage_errors(as_json=for_machines(args)):
            return super().make_context(info_name, args, parent, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        with usage_errors(as_json=bool(ctx.params.get("as_json"))):
            return self._done(ctx)

    def _done(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            # Click's own, and a reader of our output that went away.
            raise
        except LinealError as failure:
            _fail(failure, as_json=bool(ctx.params.get("as_json")))
        except Exception as failure:
            logger.exception("%s failed unexpectedly", ctx.command_path)
            _fail(_unexpected(failure), as_json=bool(ctx.params.get("as_json")))


def json_option(function: AnyFunction) -> AnyFunction:
    """--json, as `as_json`."""
    option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
    return option(function)


def store_options(function: AnyFunction) -> AnyFunction:
    """--home, --backend and --json: which memory, and for whom the answer is."""
    home = click.option(
        "--home",
        type=click.Path(path_type=Path, file_okay=False),
        help="Data directory, in place of LINEAL_HOME.",
    )
    backend = click.option("--backend", metavar="URL", help="In place of LINEAL_BACKEND.")
    return home(backend(json_option(function)))


def read_settings(home: Path | None = None, backend: str | None = None) -> Settings:
    """The environment's settings, with what the command line says instead.

    Raises LinealError naming the variable that has a wrong value.
    """
    given: dict[str, Any] = {}
    if home is not None:
        given["home"] = home.absolute()
    if backend is not None:
        given["backend"] = SecretStr(backend)
    try:
        return Settings(**given)
    except ValidationError as failure:
        first = failure.errors(include_url=False, include_input=False)[0]
        name = variable(str(first["loc"][0]))
        raise LinealError.invalid(
            name, f"The setting {name} can't be used: {first['msg']}. Mend it in the environment."
        ) from None


def variable(setting: str) -> str:
    """The environment variable that a setting is read from."""
    field = Settings.model_fields.get(setting)
    if field is not None and isinstance(field.validation_alias, AliasChoices):
        return str(field.validation_alias.choices[0])
    return setting if setting.isupper() else f"LINEAL_{setting.upper()}"


def with_service(settings: Settings, use: Callable[[Service], Awaitable[Answer]]) -> Answer:
    """Open the configured backend, use it once, close it. Raises what the service raises, and
    not_found where there is no memory yet: reading one makes none."""
    from lineal.app import open_service

    missing = no_memory_yet(settings)
    if missing is not None:
        raise LinealError.not_found(
            f"There is no memory at {missing} yet. A client makes it when it first uses lineal "
            "(`lineal init` tells it how); if yours lies elsewhere, name its directory with --home "
            "or LINEAL_HOME.",
            path=str(missing),
        )

    # What a server says of its database when it starts is the doctor's to say here.
    logging.getLogger("lineal.postgres").setLevel(logging.ERROR)

    async def run() -> Answer:
        async with open_service(settings) as service:
            try:
                with suppress(LinealError):  # a busy or a read-only store is read as it is
                    await service.catch_up()  # so that what is shown is as whole as it can be
                return await use(service)
            except LinealError as failure:
                raise await service.discreet(failure, asked) from None

    asked = click.get_current_context().params
    return anyio.run(run)


def no_memory_yet(settings: Settings) -> Path | None:
    """Where the store, or the ledger beside a remote backend, will be made; None if one was, or it
    can't be told."""
    from lineal.app import file_of

    found = file_of(settings)
    if found is None:
        return None
    path = found.absolute()
    try:
        # A marker without its file is a store that was lost, which is the store's own to say.
        there = not {path.name, f"{path.name}.id"}.isdisjoint(os.listdir(path.parent))
    except (FileNotFoundError, NotADirectoryError):
        there = False
    except OSError:
        return None
    return None if there else path


def _fail(failure: LinealError, *, as_json: bool) -> NoReturn:
    told = failure.message.replace(_FOR_AGENTS, _FOR_PEOPLE)
    said = LinealError(failure.code, told, details=failure.details, retryable=failure.retryable)
    click.echo(json.dumps(said.body()) if as_json else f"error: {visible(told)}", err=True)
    sys.exit(1)


def _unexpected(failure: Exception) -> LinealError:
    return LinealError(
        ErrorCode.INTERNAL,
        f"Something went wrong inside lineal ({type(failure).__name__}). The lines above say "
        "where; `lineal doctor` checks the installation.",
    )
