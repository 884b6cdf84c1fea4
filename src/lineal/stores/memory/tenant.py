"""What is kept behind one wall."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from lineal.models.changes import Fingerprint, Outcome, Receipt, Scope, Task, Tombstone
from lineal.models.context import Context, Sighting
from lineal.models.lineage import Edge
from lineal.models.sheet import Space
from lineal.models.user import Head, UserRow

__all__ = ["Held", "Subject", "TaskKey", "Tenant", "task_key", "user_key", "within"]

Subject = str | tuple[str, str]
"""A context's id, or a user row's (user_id, domain)."""

Vector = tuple[float, ...]

TaskKey = tuple[str, str, str, str]
"""user_id, domain, kind, context_id."""


class Held(NamedTuple):
    """That a context is withheld: by which root, since when, until when it can be given back."""

    root: str
    at: datetime
    until: datetime


@dataclass
class Tenant:
    """Everything behind one wall. Lists hold revisions, first to last; dicts keep order of receipt.

    users, heads: by (user_id, domain). down: edges by parent; up: edges by child.
    shown: by key of a receipt, what its answer shows or names.
    places: of users in order of first receipt, from 1. tasks: by their key.
    withheld: of the contexts, those that are. vectors: by context_id, of its text as it is.
    """

    contexts: dict[str, list[Context]] = field(default_factory=dict)
    users: dict[tuple[str, str], list[UserRow]] = field(default_factory=dict)
    heads: dict[tuple[str, str], dict[str, Head]] = field(default_factory=dict)
    up: dict[str, dict[Edge, None]] = field(default_factory=lambda: defaultdict(dict))
    down: dict[str, dict[Edge, None]] = field(default_factory=lambda: defaultdict(dict))
    withheld: dict[str, Held] = field(default_factory=dict)
    vectors: dict[Space, dict[str, Vector]] = field(default_factory=dict)
    fingerprints: dict[str, Fingerprint] = field(default_factory=dict)
    sightings: dict[str, list[Sighting]] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    tasks: dict[TaskKey, Task] = field(default_factory=dict)
    places: dict[tuple[str, str], int] = field(default_factory=dict)
    places_given: int = 0
    receipts: dict[str, Receipt] = field(default_factory=dict)
    shown: dict[str, set[Subject]] = field(default_factory=dict)
    tombstones: dict[str, Tombstone] = field(default_factory=dict)


def user_key(scope: Scope) -> tuple[str, str]:
    """The scope's one user row; a scope of many users has none, which no key equals."""
    return (scope.user_id or "", scope.domain or "")


def task_key(task: Task) -> TaskKey:
    return (task.user_id, task.domain, task.kind, task.context_id)


def within(scope: Scope, row: Context | UserRow | Tombstone) -> bool:
    return scope.user_id in (None, row.user_id) and scope.domain in (None, row.domain)
