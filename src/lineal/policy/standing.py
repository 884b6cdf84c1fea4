"""What stands of a field after all that was said of it, and which of that is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any

from lineal.models.claim import Claim, Claims, FieldValue, ValueSource
from lineal.models.schema import FieldSpec

__all__ = ["CLAIMS_OF_VALUE_MAX", "MEMBERS_MAX", "VALUES_MAX", "standing"]

MEMBERS_MAX = 32
"""Members a list keeps; those longest unmentioned are let go, their contexts stay."""

VALUES_MAX = 8
"""Distinct values kept of a field that has one: the latest said."""

CLAIMS_OF_VALUE_MAX = 3
"""Claims kept of one value: enough that forgetting one text, or its end, doesn't take what another
said too."""


def standing(spec: FieldSpec, claims: tuple[Claim, ...]) -> FieldValue:
    """The value that stands after all of these claims, which come in order of receipt, and those
    that are worth keeping. Nothing stands of a field without claims."""
    collects = spec.type == "list" and spec.merge == "union"
    if collects:
        claims = tuple(_by_member(claims))
        if _plain(claims):
            return _all_stand(claims[-MEMBERS_MAX:])
    by_value = _by_value(claims)
    stands = _standing_members(claims, by_value) if collects else _standing_one(spec, claims)
    values_max = MEMBERS_MAX if collects else VALUES_MAX
    places = _kept(claims, by_value, frozenset(stands), values_max)
    kept = [claims[place] for place in places]
    now_at = {place: at for at, place in enumerate(places)}
    stood_at = [now_at[place] for place in stands if place in now_at]
    stood = [kept[place].value for place in stood_at]
    ends = [claim.expires_at for claim in kept if claim.expires_at is not None]
    return FieldValue.model_construct(
        value=_collected(stood) if collects else next(iter(stood), None),
        claims=Claims(kept),
        standing=tuple(stood_at),
        ends_at=min(ends, default=None),
    )


def _plain(claims: tuple[Claim, ...]) -> bool:
    """Whether each is of another member, read in the order in which it was true: what a list
    mostly is, and then everything of it stands."""
    return (
        all(c.source is ValueSource.EXTRACTED and not c.denied for c in claims)
        and all(one.occurred_at <= other.occurred_at for one, other in pairwise(claims))
        and len({_key(claim.value) for claim in claims}) == len(claims)
    )


def _all_stand(claims: tuple[Claim, ...]) -> FieldValue:
    """What `standing` comes to then, at a tenth of its cost."""
    ends = [claim.expires_at for claim in claims if claim.expires_at is not None]
    return FieldValue.model_construct(
        value=[claim.value for claim in claims] if claims else None,
        claims=Claims(claims),
        standing=tuple(range(len(claims))),
        ends_at=min(ends, default=None),
    )


def _by_member(claims: tuple[Claim, ...]) -> Iterator[Claim]:
    """One claim for each member; a list was one claim while the schema let its newest stand."""
    for claim in claims:
        members = claim.value if isinstance(claim.value, list) and claim.value else [claim.value]
        for value in members:
            yield claim if value is claim.value else claim._replace(value=value)


def _collected(stood: list[Any]) -> list[Any] | None:
    """The members; [] where a client stated that there are none, None where nothing was said."""
    return [value for value in stood if value != []] if stood else None


def _standing_members(claims: tuple[Claim, ...], by_value: dict[str, list[int]]) -> list[int]:
    """Places of the claims that name the members, in order of when they were first true.

    A member stands if it is stated, or if the latest said of it is that it holds (A10, A12)."""
    first_true: dict[int, tuple[datetime, int]] = {}
    for said in by_value.values():
        stands = _latest(claims, said)
        if stands is not None:
            held = (place for place in said if not claims[place].denied)
            first_true[stands] = min((claims[place].occurred_at, place) for place in held)
    members = [place for place in first_true if claims[place].value != []]
    return sorted(members or first_true, key=first_true.__getitem__)


def _latest(claims: tuple[Claim, ...], said: list[int]) -> int | None:
    """Of claims about one value the one by which it stands; None if it doesn't."""
    stated = [place for place in said if claims[place].source is ValueSource.STATED]
    _, last = max((claims[place].occurred_at, place) for place in stated or said)
    return None if claims[last].denied else last


def _standing_one(spec: FieldSpec, claims: tuple[Claim, ...]) -> list[int]:
    """The place of the one claim that stands: stated before read (A12), then by the merge rule."""
    in_time = sorted(range(len(claims)), key=lambda place: (claims[place].occurred_at, place))
    stated = [place for place in in_time if claims[place].source is ValueSource.STATED]
    if spec.merge == "newest":
        return _newest(claims, stated or in_time)
    held = [place for place in stated or in_time if _holds(claims, in_time, place)]
    if spec.merge == "max":
        return sorted(held, key=lambda place: _size(claims[place].value))[-1:]
    return held[:1]


def _newest(claims: tuple[Claim, ...], in_time: list[int]) -> list[int]:
    """The latest said, unless it was taken back since: then nothing, not what held before it."""
    stands: list[int] = []
    for place in in_time:
        claim = claims[place]
        if not claim.denied:
            stands = [place]
        elif stands and _key(claims[stands[0]].value) == _key(claim.value):
            stands = []
    return stands


def _holds(claims: tuple[Claim, ...], in_time: list[int], place: int) -> bool:
    """Whether it says that its value holds, and nothing later that it doesn't."""
    claim = claims[place]
    later = in_time[in_time.index(place) + 1 :]
    denied = (claims[p] for p in later if claims[p].denied)
    stays = claim.source is ValueSource.STATED
    return not claim.denied and (stays or all(_key(d.value) != _key(claim.value) for d in denied))


def _size(value: Any) -> tuple[bool, Any]:
    """What a maximum is the largest by; a schema's earlier version may have taken other types."""
    number = isinstance(value, int | float)
    return number, value if number else _key(value)


def _kept(
    claims: tuple[Claim, ...],
    by_value: dict[str, list[int]],
    stands: frozenset[int],
    values_max: int,
) -> list[int]:
    """Places of the claims worth keeping, in order of receipt: of what stands, then of what a
    client stated, then of the values latest spoken of."""

    def stated_at(place: int) -> bool:
        return claims[place].source is ValueSource.STATED

    def rank(place: int) -> tuple[bool, bool, datetime, int]:
        claim = claims[place]
        return (place in stands, stated_at(place), claim.occurred_at, place)

    groups = list(by_value.values())
    if len(groups) > values_max:
        groups.sort(key=lambda said: max(map(rank, said)), reverse=True)
        values_max = max(values_max, sum(any(map(stated_at, said)) for said in groups))
    worth = (
        said
        if len(said) <= CLAIMS_OF_VALUE_MAX
        else _worth(claims, sorted(said, key=rank, reverse=True))
        for said in groups[:values_max]
    )
    return sorted(place for said in worth for place in said)


def _worth(claims: tuple[Claim, ...], ranked: list[int]) -> list[int]:
    """Of the claims about one value, best first, the best, the one that was true first (by it
    members keep their order), and one that lives as long as any (what a live text says stays)."""
    held = [place for place in ranked if not claims[place].denied]
    denied = [place for place in ranked if claims[place].denied]
    first = sorted(held, key=lambda place: (claims[place].occurred_at, place))[:1]
    lasting = sorted(held, key=lambda place: _end(claims[place]), reverse=True)[:1]
    best = dict.fromkeys((*held[:1], *first, *lasting, *held))
    return [*list(best)[:CLAIMS_OF_VALUE_MAX], *denied[:CLAIMS_OF_VALUE_MAX]]


def _end(claim: Claim) -> tuple[bool, datetime]:
    """When it ends; what stays for good comes after all that ends."""
    return claim.expires_at is None, claim.expires_at or claim.recorded_at


def _by_value(claims: tuple[Claim, ...]) -> dict[str, list[int]]:
    """Places of the claims about each value, in order of receipt."""
    by_value: dict[str, list[int]] = {}
    for place, claim in enumerate(claims):
        by_value.setdefault(_key(claim.value), []).append(place)
    return by_value


def _key(value: Any) -> str:
    return value if isinstance(value, str) else f"\0{json.dumps(value, sort_keys=True)}"
