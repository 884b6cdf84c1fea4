"""Writing: a plan's changes, checked first, then kept whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

from lineal.errors import LinealError
from lineal.models.changes import (
    USER_REVISIONS_MAX,
    Changes,
    Receipt,
    Scope,
    Tombstone,
    Withholding,
)
from lineal.models.context import Context
from lineal.models.user import UserRow
from lineal.policy.expiry import is_live
from lineal.policy.indexing import embedded
from lineal.stores.memory import completing, look
from lineal.stores.memory.tenant import (
    Held,
    Subject,
    TaskKey,
    Tenant,
    task_key,
    user_key,
    within,
)

__all__ = ["bury", "check", "drop_receipt", "erase_user", "keep"]


def check(tenant: Tenant, scope: Scope, changes: Changes, now: datetime) -> None:
    """Raises LinealError unless all of it can be kept, so that keep() can't fail halfway."""
    tenant = given_back(tenant, scope, changes.restore, now)
    if changes.completed is not None:
        completing.check(tenant, scope, changes.completed, now)
    _check_contexts(tenant, changes.contexts, now)
    _check_users(tenant, (*changes.users, *changes.rewritten), now)
    _check_receipt(tenant, changes.receipt, now)
    _check_sightings(tenant, scope, changes, now)
    if any(task.tenant != scope.tenant for task in (*changes.tasks, *changes.done)):
        raise LinealError.invalid("tasks", "A task belongs to the tenant of its write.")
    if changes.letters or changes.settled or changes.counterparts:
        raise LinealError.invalid(
            "letters", "A store in memory has no outbox; it forwards nothing."
        )
    if changes.heads and None in (scope.user_id, scope.domain):
        raise LinealError.invalid("scope", "A head belongs to one user in one domain; name both.")


def _check_contexts(tenant: Tenant, contexts: tuple[Context, ...], now: datetime) -> None:
    latest: dict[str, int] = {}
    for context in contexts:
        name = context.context_id
        if look.tombstone(tenant, name, now) is not None:
            raise LinealError.conflict(
                f"Context '{name}' has ended; an ended memory takes no new revision.",
                context_id=name,
            )
        _check_owner(context, tenant.contexts.get(name, [context])[0])
        last = latest.get(name, len(tenant.contexts.get(name, ())))
        _follows(f"Context '{name}'", last, context.revision, context_id=name)
        latest[name] = context.revision


def _check_users(tenant: Tenant, users: tuple[UserRow, ...], now: datetime) -> None:
    latest: dict[tuple[str, str], int] = {}
    for row in users:
        key = (row.user_id, row.domain)
        present = look.live_row(tenant, key, now)
        last = latest.get(key, present.revision if present else 0)
        _follows(f"User '{row.user_id}' in '{row.domain}'", last, row.revision, user_id=row.user_id)
        latest[key] = row.revision


def _check_owner(context: Context, first: Context) -> None:
    if (context.user_id, context.domain) != (first.user_id, first.domain):
        raise LinealError.conflict(
            f"Context '{context.context_id}' belongs to another user or domain for good.",
            context_id=context.context_id,
        )


def _check_receipt(tenant: Tenant, receipt: Receipt | None, now: datetime) -> None:
    if receipt is not None and look.receipt(tenant, receipt.key, now) is not None:
        raise LinealError.conflict(f"The idempotency_key '{receipt.key}' was used before.")


def _check_sightings(tenant: Tenant, scope: Scope, changes: Changes, now: datetime) -> None:
    written = {context.context_id: context for context in changes.contexts}
    for name in (sighting.context_id for sighting in changes.sightings):
        context = written.get(name) or look.live_context(tenant, scope, name, now)
        if context is None or not within(scope, context) or not is_live(context.expires_at, now):
            raise LinealError.conflict(
                f"Context '{name}' isn't live, so nothing is the same as it.", context_id=name
            )


def _follows(what: str, last: int, offered: int, **details: Any) -> None:
    if offered != last + 1:
        raise LinealError.conflict(
            f"{what} is at revision {last}, so revision {offered} doesn't follow it. "
            "Read it again and repeat the change.",
            revision=last,
            offered=offered,
            **details,
        )


def keep(tenant: Tenant, scope: Scope, changes: Changes, now: datetime) -> None:
    """In this order: what is given back is live, so it can be completed and revised by the same
    write."""
    tenant.withheld = given_back(tenant, scope, changes.restore, now).withheld
    if changes.completed is not None:
        completing.complete(tenant, scope, changes.completed, now)
    for context in changes.contexts:
        _keep_context(tenant, context)
    for row in changes.users:
        _keep_user(tenant, row)
    for row in changes.rewritten:
        _drop_receipts(tenant, (row.user_id, row.domain))
        _keep_user(tenant, row)
        del tenant.users[row.user_id, row.domain][:-1]
    for edge in changes.edges:
        tenant.up[edge.child_id][edge] = None
        tenant.down[edge.parent_id][edge] = None
    for name in changes.fingerprints.keys() & (tenant.contexts.keys() - tenant.withheld.keys()):
        tenant.fingerprints[name] = changes.fingerprints[name]
    for sighting in changes.sightings:
        tenant.sightings.setdefault(sighting.context_id, []).append(sighting)
    for head in changes.heads:
        tenant.heads.setdefault(user_key(scope), {})[head.name] = head
    tenant.outcomes += changes.outcomes
    _keep_tasks(tenant, changes)
    if changes.withhold is not None:
        _withhold(tenant, scope, changes.withhold, now)
    for name in changes.forget:
        _forget(tenant, scope, name, now)
    if changes.receipt is not None:
        tenant.receipts[changes.receipt.key] = changes.receipt
        tenant.shown[changes.receipt.key] = set(_subjects(changes))


def _keep_context(tenant: Tenant, context: Context) -> None:
    """A vector stays where it is still true."""
    revisions = tenant.contexts.setdefault(context.context_id, [context])
    was = (revisions[-1].project, embedded(revisions[-1]))
    if was != (context.project, embedded(context)):
        drop_vectors(tenant, context.context_id)
    if revisions[-1] is not context:
        revisions.append(context)


def _keep_tasks(tenant: Tenant, changes: Changes) -> None:
    """A task that is done and left to do again is left to do."""
    for task in changes.done:
        tenant.tasks.pop(task_key(task), None)
    tenant.tasks.update({task_key(task): task for task in changes.tasks})


def _keep_user(tenant: Tenant, row: UserRow) -> None:
    """A first revision replaces what has expired under its key, vectors and all."""
    key = (row.user_id, row.domain)
    if row.revision == 1:
        if key in tenant.users:
            erase_user(tenant, key)
        tenant.places_given += 1
        tenant.places[key] = tenant.places_given
    revisions = tenant.users.setdefault(key, [])
    revisions.append(row)
    del revisions[:-USER_REVISIONS_MAX]
    heads = tenant.heads.get(key, {})
    for name in heads.keys() - row.heads.keys():
        del heads[name]


def erase_user(tenant: Tenant, key: tuple[str, str]) -> None:
    tenant.users.pop(key, None)
    tenant.heads.pop(key, None)
    tenant.places.pop(key, None)
    _drop_tasks(tenant, [task for task in tenant.tasks if task[:2] == key])
    _drop_receipts(tenant, key)


def given_back(tenant: Tenant, scope: Scope, names: Iterable[str], now: datetime) -> Tenant:
    """The same rows, of which these are no longer withheld, where that can be undone."""
    shown = {name for name in names if look.returnable(tenant, scope, name, now)}
    rest = {name: held for name, held in tenant.withheld.items() if name not in shown}
    return replace(tenant, withheld=rest)


def _withhold(tenant: Tenant, scope: Scope, asked: Withholding, now: datetime) -> None:
    for name in asked.context_ids:
        if look.live_context(tenant, scope, name, now) is not None:
            tenant.withheld[name] = Held(asked.root, now, asked.until)
            drop_vectors(tenant, name)
            _drop_what_shows(tenant, name)


def _forget(tenant: Tenant, scope: Scope, name: str, now: datetime) -> None:
    revisions = tenant.contexts.get(name)
    if not revisions or not within(scope, revisions[-1]):
        return
    bury(tenant, look.tombstone(tenant, name, now) or look.ended(revisions[-1], "forgotten", now))


def bury(tenant: Tenant, mark: Tombstone) -> None:
    """Content, history, keys, sightings, tasks and answers go; edges stay, and the mark."""
    name = mark.context_id
    tenant.tombstones[name] = mark
    del tenant.contexts[name]
    tenant.withheld.pop(name, None)
    tenant.fingerprints.pop(name, None)
    drop_vectors(tenant, name)
    tenant.sightings.pop(name, None)
    _drop_what_shows(tenant, name)


def drop_vectors(tenant: Tenant, name: str) -> None:
    for kept in tenant.vectors.values():
        kept.pop(name, None)


def _drop_what_shows(tenant: Tenant, name: str) -> None:
    _drop_tasks(tenant, [task for task in tenant.tasks if task[3] == name])
    _drop_receipts(tenant, name)


def _drop_tasks(tenant: Tenant, keys: list[TaskKey]) -> None:
    for key in keys:
        del tenant.tasks[key]


def _drop_receipts(tenant: Tenant, subject: Subject) -> None:
    """Empty the answers that show this; that they were given stays known."""
    for key in [key for key, shown in tenant.shown.items() if subject in shown]:
        tenant.receipts[key] = tenant.receipts[key].model_copy(update={"answer": ""})


def drop_receipt(tenant: Tenant, key: str) -> None:
    del tenant.receipts[key], tenant.shown[key]


def _subjects(changes: Changes) -> Iterator[Subject]:
    """The rows it was written with: its answer shows them."""
    yield from ((row.user_id, row.domain) for row in changes.users)
    yield from (context.context_id for context in changes.contexts)
    yield from (sighting.context_id for sighting in changes.sightings)
