"""What to say of what isn't there."""

from __future__ import annotations

from lineal.errors import LinealError
from lineal.models.changes import Scope

__all__ = ["missing", "missing_user"]


def missing(context_id: str) -> LinealError:
    """What to say of an id that isn't live: the same for one that ended as for one that never
    was, and for another tenant's, so that nothing is told of what is not there to be read."""
    return LinealError.not_found(
        f"Context '{context_id[:80]}' is not known here: it never was, it has expired, or it was "
        "forgotten. Find ids with search_context.",
        context_id=context_id,
    )


def missing_user(scope: Scope) -> LinealError:
    """What to say of a user who has no live row in the domain."""
    return LinealError.not_found(
        f"User '{scope.user_id}' is not known in domain '{scope.domain}'. Call upsert_user first.",
        user_id=scope.user_id,
        domain=scope.domain,
    )
