"""What every command shares: its options, its settings, and how it fails."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import anyio
import click
from pydantic import AliasChoices, SecretStr, ValidationError

from lineal.errors import ErrorCode, LinealError
from lineal.faces.cli.visible import visible
from lineal.service import Service
from lineal.settings import Settings

__all__ = ["Command", "json_option", "read_settings", "store_options", "variable", "with_service"]

logger = logging.getLogger(__name__)

Answer = TypeVar("Answer")
AnyFunction = TypeVar("AnyFunction", bound=Callable[..., Any])


class Command(click.Command):
    """A command whose failures are one line on stderr, or with --json one JSON object."""

    def invoke(self, ctx: click.Context) -> Any:
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
    """Open the configured backend, use it once, close it. Raises what the service raises."""
    from lineal.app import open_service

    async def run() -> Answer:
        async with open_service(settings) as service:
            return await use(service)

    return anyio.run(run)


def _fail(failure: LinealError, *, as_json: bool) -> NoReturn:
    message = json.dumps(failure.body()) if as_json else f"error: {visible(failure.message)}"
    click.echo(message, err=True)
    sys.exit(1)


def _unexpected(failure: Exception) -> LinealError:
    return LinealError(
        ErrorCode.INTERNAL,
        f"Something went wrong inside lineal ({type(failure).__name__}). The lines above say "
        "where; `lineal doctor` checks the installation.",
    )
