"""Settings, read once from the environment and frozen; no other module reads it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from platformdirs import user_data_path
from pydantic import AliasChoices, Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

__all__ = ["Settings"]


class Settings(BaseSettings):
    """Every setting, each an environment variable LINEAL_<NAME>."""

    model_config = SettingsConfigDict(
        env_prefix="LINEAL_",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        populate_by_name=True,
    )

    home: Path = Field(
        default_factory=lambda: user_data_path("lineal", appauthor=False),
        description="Data directory; everything lineal writes is under it.",
    )
    backend: SecretStr = Field(
        default=SecretStr(""),
        description="What the tools forward to: sqlite:///path, memory://, or a registered name. "
        "Empty: sqlite in the data directory.",
    )
    user: str | None = Field(
        default=None, description="user_id used when a call names none; provisioned at first use."
    )
    domain: str | None = Field(default=None, description="domain used when a call names none.")
    tenant: str = Field(default="local", description="The wall around this memory.")
    durability: Literal["full", "normal"] = Field(
        default="full",
        description="full: an answered write survives a power cut. normal: faster, it may not.",
    )
    content_min: Annotated[int, Field(ge=1, le=1_000)] = Field(
        default=50, description="Fewest characters of content that update_context takes."
    )
    content_max: Annotated[int, Field(ge=1_000, le=10_000_000)] = Field(
        default=1_000_000, description="Most characters of content that one write takes."
    )
    extra_sources: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Further values of `source`, separated by commas."
    )
    result_chars: Annotated[int, Field(ge=1_000, le=500_000)] = Field(
        default=8_000, description="Most characters of one tool result unless the call asks."
    )
    busy_timeout_s: Annotated[float, Field(gt=0, le=600)] = Field(
        default=10.0, description="How long a write waits for other processes before `unavailable`."
    )
    sweep_interval_s: Annotated[float, Field(ge=0)] = Field(
        default=300.0, description="Seconds between sweeps while serving; 0 turns sweeping off."
    )
    schemas: Path | None = Field(
        default=None, description="Directory of your own domain schemas (*.json), read at start."
    )
    allow_network_fs: bool = Field(
        default=False, description="Open a store on a network file system all the same."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="warning", description="What goes to stderr."
    )
    clock_offset_s: Annotated[float, Field(ge=-1e11, le=1e11, allow_inf_nan=False)] = Field(
        default=0.0, description="Moves the clock, to try out what expires when."
    )

    @field_validator("extra_sources", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        """Comma-separated words."""
        if not isinstance(value, str):
            return value
        return tuple(word.strip() for word in value.split(",") if word.strip())

    # What a client's environment tells of itself: an allow-list, nothing else is looked at.
    client_session_id: str | None = Field(
        default=None, validation_alias=AliasChoices("CLAUDE_CODE_SESSION_ID")
    )
    client_project_dir: str | None = Field(
        default=None, validation_alias=AliasChoices("CLAUDE_PROJECT_DIR", "CURSOR_PROJECT_DIR")
    )
    client_entrypoint: str | None = Field(
        default=None, validation_alias=AliasChoices("CLAUDE_CODE_ENTRYPOINT")
    )
