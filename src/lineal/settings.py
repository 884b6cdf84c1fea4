"""Settings, read once from the environment and frozen; no other module reads it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from platformdirs import user_data_path
from pydantic import AfterValidator, AliasChoices, Field, SecretStr, field_validator
from pydantic_core import from_json
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from lineal.errors import LinealError
from lineal.policy.limits import is_plain
from lineal.policy.ranking import Weights

__all__ = ["Settings", "environment"]


def _plain(name: str) -> str:
    if not is_plain(name):
        raise ValueError("hidden characters, or white space at its ends")
    return name


Name = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_plain)]
"""Whose memory it is, or of what."""


def _of_one(project: str) -> str:
    if project == "*":
        raise ValueError("* is every project; a name, or none for no project")
    return project


def _known(language: str) -> str:
    from lineal.analysis.analyzer import Analyzer  # late: only where a language is named

    try:
        Analyzer(language)
    except LinealError as error:
        raise ValueError(error.message) from None
    return language


Language = Annotated[str, AfterValidator(_known)]


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
        description="What the tools forward to: sqlite:///path, postgres://, memory://, "
        "jean://, nia://, mem0://, mem0-server://, or a registered name. Empty: sqlite in the data "
        "directory.",
    )
    remote_url: SecretStr | None = Field(
        default=None,
        description="For jean, nia and mem0: base URL of the service, where it isn't the public "
        "one, such as http://127.0.0.1:8765/v1.",
    )
    remote_key: SecretStr | None = Field(
        default=None, description="For jean, nia and mem0: your key of the service."
    )
    remote_timeout_s: Annotated[float, Field(gt=0, le=120)] = Field(
        default=10.0, description="How long one request to a remote backend may take."
    )
    outbox: Literal["on", "off"] = Field(
        default="on",
        description="on: what a remote backend can't take now is queued and delivered later. "
        "off: such a write fails.",
    )
    user: Name | None = Field(
        default=None, description="user_id used when a call names none; provisioned at first use."
    )
    domain: Name | None = Field(default=None, description="domain used when a call names none.")
    tenant: Name = Field(default="local", description="The wall around this memory.")
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
    pool_max: Annotated[int, Field(ge=1, le=200)] = Field(
        default=8, description="Connections to PostgreSQL that one process opens at most."
    )
    sweep_interval_s: Annotated[float, Field(ge=0)] = Field(
        default=300.0, description="Seconds between sweeps while serving; 0 turns sweeping off."
    )
    schemas: Path | None = Field(
        default=None, description="Directory of your own domain schemas (*.json), read at start."
    )
    embedder: Literal["minilm", "endpoint", "hashing", "none"] = Field(
        default="minilm",
        description="What makes vectors: minilm (a small model, offline), endpoint (a server that "
        "texts are sent to), hashing, none.",
    )
    tokens: bool = Field(
        default=False,
        description="Keep vectors of each text's pieces too: finds a little better, for some 4 kB "
        "a memory. Only with minilm.",
    )
    embed_url: SecretStr | None = Field(
        default=None,
        description="For endpoint: base URL of an OpenAI-compatible server, "
        "such as http://localhost:11434/v1.",
    )
    embed_model: str | None = Field(default=None, description="For endpoint: the model asked.")
    embed_key: SecretStr | None = Field(default=None, description="For endpoint: its key, if any.")
    embed_dim: Annotated[int, Field(ge=8, le=8_192)] | None = Field(
        default=None,
        description="For endpoint: how many numbers to ask for, if the model can give fewer.",
    )
    language: Language = Field(
        default="english",
        description="The language whose word forms a new store finds as one: english, german, …; "
        "none for words as they are written. `lineal reindex --words` changes a store's.",
    )
    search_wait_s: Annotated[float, Field(ge=0, le=60)] = Field(
        default=15.0,
        description="How long a search waits, where that is enough, for the vectors of what was "
        "written just before it.",
    )
    ranking: Annotated[Weights, NoDecode] = Field(
        default_factory=Weights, description="How much each thing counts in a search, as JSON."
    )
    heads_per_minute: Annotated[int, Field(ge=0, le=1_000)] = Field(
        default=6, description="How often a user's vector in a domain is made anew, at most."
    )
    llm_url: SecretStr | None = Field(
        default=None,
        description="Base URL of an OpenAI-compatible endpoint that reads texts, "
        "such as http://localhost:11434/v1.",
    )
    llm_model: str | None = Field(default=None, description="The model asked there.")
    llm_key: SecretStr | None = Field(default=None, description="Its key, if it needs one.")
    llm_timeout_s: Annotated[float, Field(gt=0, le=120)] = Field(
        default=20.0,
        description="How long a write waits for a model before the rules do its work.",
    )
    sampling: bool = Field(
        default=False,
        description="Let the client's own model read texts, where the client lends it.",
    )
    project: Annotated[Name, AfterValidator(_of_one)] | None = Field(
        default=None,
        description="The project of new memories and of searches: a name, or none. "
        "Otherwise the repository that the client works in.",
    )
    project_dir: Path | None = Field(
        default=None,
        description="Where the client works, for a client that doesn't tell by itself.",
    )
    capture: Literal["on", "off"] = Field(
        default="on",
        description="Whether hooks and the client's transcripts are looked at for lineage.",
    )
    grace_s: Annotated[int, Field(ge=0, le=31_536_000)] = Field(
        default=604_800,
        description="Seconds in which forgetting with a cascade can be undone.",
    )
    secrets: Literal["redact", "off"] = Field(
        default="redact", description="Whether keys, tokens and passwords are kept out."
    )
    secrets_allow: SecretStr = Field(
        default=SecretStr(""),
        description="What is no secret: exact values or /patterns/, separated by commas, "
        "or a file of them, one a line.",
    )
    trace_content: bool = Field(
        default=False,
        description="Let OpenTelemetry spans tell what memories say, what is searched for and "
        "who they are about.",
    )
    http_host: str = Field(
        default="127.0.0.1", description="For `serve --http`: the address that is listened on."
    )
    http_port: Annotated[int, Field(ge=0, le=65_535)] = Field(
        default=8765, description="For `serve --http`: the port; 0: any that is free."
    )
    http_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="For `serve --http`: further names that it may be called by (Host), separated "
        "by commas.",
    )
    http_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="For `serve --http`: web pages that may call (Origin), separated by commas.",
    )
    body_bytes: Annotated[int, Field(ge=1_000, le=100_000_000)] = Field(
        default=8_000_000, description="For `serve --http`: most bytes of a request's body."
    )
    rate_per_second: Annotated[float, Field(ge=0, le=1_000_000)] = Field(
        default=100.0,
        description="For `serve --http`: requests a second of one token, for which it may save up "
        "two seconds; 0: as many as come.",
    )
    issuer: str | None = Field(
        default=None,
        description="For `serve --http`: the OAuth issuer whose access tokens (JWT) are taken too.",
    )
    public_url: str | None = Field(
        default=None,
        description="For `serve --http`: the address clients know it by, which tokens of the "
        "issuer must be for.",
    )
    tenant_claim: str = Field(
        default="tenant",
        description="For `serve --http`: the claim of an issuer's token that names the tenant.",
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

    @field_validator("home", "schemas", "project_dir")
    @classmethod
    def _at_home(cls, path: Path | None) -> Path | None:
        """A client's configuration knows no shell that would know what ~ is."""
        return None if path is None else path.expanduser()

    @field_validator("project_dir", mode="before")
    @classmethod
    def _told(cls, value: object) -> object:
        """A client that doesn't know its own placeholder leaves it as it is."""
        return None if isinstance(value, str) and value.startswith("${") else value

    @field_validator("ranking", mode="before")
    @classmethod
    def _weighed(cls, value: object) -> object:
        """Words of ours for what isn't JSON."""
        if not isinstance(value, str):
            return value
        try:
            return from_json(value)
        except ValueError:
            raise ValueError('JSON of weights, such as {"session": 0.1}') from None

    @field_validator("log_level", mode="before")
    @classmethod
    def _in_any_case(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    @field_validator("extra_sources", "http_hosts", "http_origins", mode="before")
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
    client_entrypoint: str | None = Field(
        default=None, validation_alias=AliasChoices("CLAUDE_CODE_ENTRYPOINT")
    )
    client_project_dir: Path | None = Field(
        default=None, validation_alias=AliasChoices("CLAUDE_PROJECT_DIR")
    )
    client_config_dir: Path | None = Field(
        default=None, validation_alias=AliasChoices("CLAUDE_CONFIG_DIR")
    )
    # What OpenTelemetry's own variables ask for; its SDK reads the rest itself.
    client_otel_exporter: str = Field(
        default="", validation_alias=AliasChoices("OTEL_TRACES_EXPORTER")
    )
    client_otel_protocol: str = Field(
        default="http/protobuf",
        validation_alias=AliasChoices(
            "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"
        ),
    )


def environment() -> Mapping[str, str]:
    """The process's own, for a program that is started from here; it hands on what it needs."""
    return os.environ
