"""Which project a memory belongs to, by name."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lineal.models.base import Model

__all__ = ["PROJECT_NAME_MAX", "Project", "ProjectName"]

PROJECT_NAME_MAX = 256
"""Characters of a project's name."""

ProjectName = Annotated[str, Field(min_length=1, max_length=PROJECT_NAME_MAX)]


class Project(Model):
    """A project. name: what new memories are stored under. aliases: every name under which memories
    of it may lie, the name first, each once; they are for looking only, since another project may
    go by one of them (a fork by its upstream's). repository: it is one, and not just a directory.
    """

    name: ProjectName
    aliases: tuple[ProjectName, ...]
    repository: bool = False
