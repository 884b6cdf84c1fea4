"""Who suits whom: the rules, the filters, the vectors, and what is made on the way."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineal.clock import ManualClock
from lineal.engine.matching import Matcher
from lineal.engine.outcomes import outcomes, record_outcome
from lineal.engine.reading import Reader
from lineal.engine.shortlist import HEADS_MAX, Shortlist
from lineal.errors import ErrorCode, LinealError
from lineal.ids import RandomIds, SequentialIds
from lineal.models.asking import Ask
from lineal.models.changes import Peer, Reads, Scope, Stamp
from lineal.models.claim import Claim, Claims, FieldValue, ValueSource
from lineal.models.lineage import DeclaredLineage, Evidence
from lineal.models.matching import MatchAnswer, MatchCandidate, MatchUsers, RecordOutcome
from lineal.models.schema import FieldSpec, Schema
from lineal.models.user import Head, UserRow
from lineal.policy.matching import (
    HEAD_WEIGHT,
    candidate,
    cosine,
    fits,
    scored,
    sought,
    values_of,
)
from lineal.policy.suiting import met
from lineal.ports.extractor import Extracted, Extraction
from lineal.ports.store import Store
from lineal.stores.memory import MemoryStore
from lineal.stores.sqlite import SqliteStore
from lineal.testing.samples import START, a_user, keep

DIETS = ("vegan", "vegetarian", "omnivore")


def spec(kind: str = "hard", type_: str = "string", **values: Any) -> FieldSpec:
    return FieldSpec.model_validate({"kind": kind, "type": type_, **values})


def ruled(rule: str, type_: str = "integer", **match: Any) -> FieldSpec:
    return spec(type_=type_, match={"rule": rule, **match})


DATING = Schema(
    domain="dating",
    version=1,
    fields={
        "age": ruled("near", scale=10, weight=2).model_copy(update={"unit": "years"}),
        "diet": spec(
            type_="enum",
            values=dict.fromkeys(DIETS, ()),
            match={"rule": "compatible", "fits": {"vegan": ("vegan", "vegetarian")}},
        ),
        "smoker": ruled("same", "boolean", filter=True),
        "town": spec(),
        "born": spec(type_="date"),
        "pets": ruled("overlap", "list"),
        "interests": spec("soft", "list", merge="union"),
        "values_text": spec("soft"),
    },
)
HIRING = Schema(
    domain="hiring",
    version=1,
    fields={
        "role": spec(),
        "age": spec(type_="integer"),
        "interests": spec("soft", "list", merge="union"),
        "values_text": spec("hard"),
    },
)

# The rules, pure.


def a_sought(values: dict[str, Any], head: tuple[float, ...] | None = None, **filters: Any) -> Any:
    return sought(DATING, values, head, filters)


def shown(values: dict[str, Any], other: dict[str, Any]) -> MatchCandidate:
    what = a_sought(values)
    return candidate(what, scored(what, "eve", other, None))


@pytest.mark.parametrize(
    ("field", "mine", "theirs", "suits"),
    [
        (ruled("same", "string"), "Paris", "paris", 1.0),
        (ruled("same", "string"), "Paris", "Delft", 0.0),
        (ruled("same", "list"), ["a", "b"], ["b", "a"], 1.0),
        (ruled("same", "boolean"), True, False, 0.0),
        (ruled("overlap", "list"), ["cat", "dog"], ["Dog", "fish"], 1 / 3),
        (ruled("overlap", "list"), ["cat"], [], None),
        (ruled("near", scale=10), 30, 32, 0.8),
        (ruled("near", scale=10), 30, 60, 0.0),
        (ruled("near"), 30, 30, None),
        (ruled("near", "date", scale=10), "2026-03-01", "2026-02-24", 0.5),
        (ruled("near", "date", scale=10), "2026-03-01", "last week", None),
        (ruled("at_least"), 5, 5, 1.0),
        (ruled("at_least"), 5, 4, 0.0),
        (ruled("at_most"), 5, 4, 1.0),
        (ruled("at_most", "number"), 5, 5.5, 0.0),
        (ruled("at_least"), 5, "many", None),
        (DATING.fields["diet"], "vegan", "vegetarian", 1.0),
        (DATING.fields["diet"], "vegan", "omnivore", 0.0),
        (DATING.fields["diet"], "omnivore", "omnivore", 1.0),
        (DATING.fields["diet"], "omnivore", "vegan", 0.0),
        (spec(), "Paris", "Paris", None),
        (ruled("same", "string"), None, "Paris", None),
        (ruled("same", "string"), "Paris", None, None),
    ],
)
def test_two_values_meet_by_the_fields_rule(
    field: FieldSpec, mine: Any, theirs: Any, suits: float | None
) -> None:
    found = met(field, mine, theirs)
    assert found == (None if suits is None else pytest.approx(suits))


def test_an_enums_order_counts_for_at_least() -> None:
    level = spec(
        type_="enum", values=dict.fromkeys(("junior", "senior"), ()), match={"rule": "at_least"}
    )
    assert (met(level, "junior", "senior"), met(level, "senior", "junior")) == (1.0, 0.0)


def test_the_score_is_the_weighted_mean_of_what_is_known() -> None:
    what = a_sought({"age": 30, "diet": "vegan"})
    assert scored(what, "eve", {"age": 35, "diet": "vegan"}, None).score == pytest.approx(
        (2 * 0.5 + 1) / 3, abs=1e-4
    )
    assert scored(what, "eve", {"age": 35}, None).score == 0.5
    assert scored(what, "eve", {"diet": "vegan"}, None).score == 1.0


def test_nothing_known_in_common_is_no_reason_to_meet() -> None:
    found = scored(a_sought({"age": 30}), "eve", {"diet": "vegan"}, None)
    assert (found.score, found.head, found.fields) == (0.0, None, None)


def test_a_rule_without_weight_is_no_reason() -> None:
    schema = Schema(domain="x", version=1, fields={"sign": ruled("same", "string", weight=0)})
    what = sought(schema, {"sign": "leo"}, None, {})
    found = candidate(what, scored(what, "eve", {"sign": "leo"}, None))
    assert (found.score, found.reasons, found.fields) == (0.0, (), {})


def test_the_head_counts_with_its_own_weight() -> None:
    what = a_sought({"diet": "vegan"}, (1.0, 0.0))
    found = scored(what, "eve", {"diet": "omnivore"}, (0.6, 0.8))
    assert found.head == pytest.approx(0.8)
    assert found.score == pytest.approx(HEAD_WEIGHT * 0.8 / (HEAD_WEIGHT + 1), abs=1e-4)
    assert found.fields == 0.0


def test_a_head_of_zeros_says_nothing() -> None:
    what = a_sought({}, (1.0, 0.0))
    assert scored(what, "eve", {}, (0.0, 0.0)).head is None
    assert a_sought({}, (0.0, 0.0)).head is None


unit_vectors = (
    st.lists(st.floats(-1, 1), min_size=4, max_size=4)
    .filter(any)
    .map(lambda v: tuple(x / (math.hypot(*v) or 1.0) for x in v))
)
people = st.fixed_dictionaries(
    {},
    optional={
        "age": st.integers(18, 120),
        "diet": st.sampled_from(DIETS),
        "smoker": st.booleans(),
        "pets": st.lists(st.sampled_from(("cat", "dog", "fish")), min_size=1, unique=True),
    },
)


@given(people, people, st.none() | unit_vectors, st.none() | unit_vectors)
def test_a_score_is_never_out_of_bounds(
    mine: dict[str, Any],
    theirs: dict[str, Any],
    head: tuple[float, ...] | None,
    other: tuple[float, ...] | None,
) -> None:
    found = scored(a_sought(mine, head), "eve", theirs, other)
    parts = [part for part in (found.head, found.fields) if part is not None]
    assert 0 <= found.score <= 1
    assert all(0 <= part <= 1 for part in parts)
    # Between its stages, as a mean is.
    assert not parts or min(parts) - 1e-4 <= found.score <= max(parts) + 1e-4


@given(people)
def test_nobody_suits_better_than_ones_like(values: dict[str, Any]) -> None:
    """Every rule but at_least and at_most gives its best to an equal value."""
    found = scored(a_sought(values), "eve", values, None)
    assert found.score == (1.0 if values else 0.0)


@given(unit_vectors, unit_vectors)
def test_cosine_is_symmetric_and_highest_for_the_same(
    one: tuple[float, ...], other: tuple[float, ...]
) -> None:
    assert cosine(one, other) == pytest.approx(cosine(other, one))
    assert cosine(one, one) == pytest.approx(1, abs=1e-6) or not any(one)
    assert -1 <= cosine(one, other) <= 1


def test_reasons_are_in_plain_words_the_weightiest_first() -> None:
    mine = {"age": 29, "diet": "vegan", "pets": ["dog"], "interests": ["hiking", "reading", "go"]}
    theirs = {
        "age": 31,
        "diet": "vegetarian",
        "pets": ["cat"],
        "interests": ["Reading", "hiking", "chess"],
    }
    assert shown(mine, theirs).reasons == (
        "age 31, 2 years apart",
        "vegetarian suits vegan",
        "both: Reading, hiking",
        "no pets in common",
    )
    assert shown({"age": 30}, {"age": 31}).reasons == ("age 31, 1 year apart",)
    assert shown({"smoker": False}, {"smoker": False}).reasons == ("same smoker: no",)


def test_only_hard_values_that_were_compared_are_shown() -> None:
    what = a_sought({"age": 29, "interests": ["hiking"]}, town="Paris")
    values = {"age": 31, "diet": "vegan", "town": "Paris", "interests": ["hiking"]}
    found = candidate(what, scored(what, "eve", values, None))
    assert found.fields == {"age": 31, "town": "Paris"}


def test_extras_never_count() -> None:
    row = a_user(fields={"age": said(30)}, extras={"diet": "vegan", "shoe": 44})
    assert values_of(DATING, row) == {"age": 30}


# Filters.


def test_a_schemas_filter_leaves_out_who_is_known_not_to_meet_it() -> None:
    what = a_sought({"smoker": False})
    assert not fits(what, {"smoker": True})
    assert fits(what, {"smoker": False})
    assert fits(what, {})


@pytest.mark.parametrize(
    ("value", "passing", "failing"),
    [
        ({"town": "Paris"}, {"town": "paris"}, {"town": "Delft"}),
        ({"town": ["Paris", "Delft"]}, {"town": "Delft"}, {"town": "Lima"}),
        ({"age": {"minimum": 25}}, {"age": 25}, {"age": 24}),
        ({"age": {"minimum": 25, "maximum": 35.5}}, {"age": 35}, {"age": 36}),
        ({"born": {"maximum": "1999-12-31"}}, {"born": "1999-12-31"}, {"born": "2000-01-01"}),
        ({"pets": "cat"}, {"pets": ["dog", "cat"]}, {"pets": ["dog"]}),
        ({"pets": ["cat", "dog"]}, {"pets": ["dog"]}, {"pets": ["fish"]}),
        ({"smoker": False}, {"smoker": False}, {"smoker": True}),
        ({"town": "Paris"}, {"town": "Paris"}, {}),
        ({"age": {"minimum": 1}}, {"age": 2}, {"age": "two"}),
    ],
)
def test_a_callers_filter_must_be_met(
    value: dict[str, Any], passing: dict[str, Any], failing: dict[str, Any]
) -> None:
    what = a_sought({}, **value)
    assert fits(what, passing)
    assert not fits(what, failing)


@pytest.mark.parametrize(
    ("filters", "field"),
    [
        ({"shoe": 44}, "filters.shoe"),
        ({"age": "thirty"}, "filters.age"),
        ({"age": True}, "filters.age"),
        ({"diet": "paleo"}, "filters.diet"),
        ({"diet": ["vegan", "paleo"]}, "filters.diet"),
        ({"town": []}, "filters.town"),
        ({"town": None}, "filters.town"),
        ({"town": ["Paris"] * 300}, "filters.town"),
        ({"town": {"minimum": "A"}}, "filters.town"),
        ({"age": {}}, "filters.age"),
        ({"age": {"least": 3}}, "filters.age"),
        ({"age": {"minimum": "3"}}, "filters.age.minimum"),
        ({"age": {"maximum": math.nan}}, "filters.age.maximum"),
        ({"born": {"minimum": "May"}}, "filters.born.minimum"),
    ],
)
def test_a_wrong_filter_is_refused_by_name(filters: dict[str, Any], field: str) -> None:
    with pytest.raises(LinealError) as refused:
        sought(DATING, {}, None, filters)
    assert refused.value.code is ErrorCode.INVALID_REQUEST
    assert refused.value.details["field"] == field


# Over a store.


class Book:
    def get(self, domain: str) -> Schema:
        known = {schema.domain: schema for schema in (DATING, HIRING)}
        return known.get(domain) or Schema(domain=domain, version=0)

    def domains(self) -> tuple[str, ...]:
        return ("dating", "hiring")


class LetterEmbedder:
    """Counts of the letters h, r and c, so that a test sees what is near; and its batches."""

    dim = 3
    ready = True

    def __init__(self, version: str = "letters.v1") -> None:
        self.version = version
        self.batches: list[list[str]] = []

    async def embed(self, texts: Sequence[str]) -> list[tuple[float, ...]]:
        self.batches.append(list(texts))
        return [self._vector(text) for text in texts]

    async def warm_up(self) -> None:
        """Nothing to load."""

    def reads(self, text: str) -> float:
        return 1.0

    async def free_if_idle(self) -> bool:
        return False

    async def close(self) -> None:
        """Nothing to let go of."""

    def _vector(self, text: str) -> tuple[float, ...]:
        counts = [float(text.count(letter)) for letter in "hrc"]
        length = math.hypot(*counts) or 1.0
        return tuple(count / length for count in counts)


class NoVectors:
    version = "none"
    dim = 0
    ready = True

    async def embed(self, texts: Sequence[str]) -> list[tuple[float, ...]]:
        return [()] * len(texts)

    async def warm_up(self) -> None:
        """Nothing to load."""

    def reads(self, text: str) -> float:
        return 1.0

    async def free_if_idle(self) -> bool:
        return False

    async def close(self) -> None:
        """Nothing to let go of."""


class BrokenEmbedder(NoVectors):
    version = "letters.v1"
    dim = 3

    async def embed(self, texts: Sequence[str]) -> list[tuple[float, ...]]:
        raise LinealError.unavailable("The model isn't there.")


class WordReader:
    """Finds "vegan" and "hiking"."""

    async def extract(
        self, schema: Schema, text: str, occurred_at: datetime, ask: Ask | None = None
    ) -> Extracted:
        known = {"vegan": "diet", "hiking": "interests"}
        finds = tuple(
            Extraction(
                field=field,
                value=word,
                span=(text.index(word), text.index(word) + len(word)),
                confidence=0.9,
            )
            for word, field in known.items()
            if word in text and field in schema.fields
        )
        return Extracted(finds=finds, model_version="words.v1")


def said(value: Any, *, expires_at: datetime | None = None) -> FieldValue:
    members = value if isinstance(value, list) else [value]
    claims = [
        Claim(
            value=member,
            source=ValueSource.EXTRACTED,
            origin="append",
            occurred_at=START,
            recorded_at=START,
            expires_at=expires_at,
        )
        for member in members
    ]
    return FieldValue(
        value=value, claims=Claims(claims), standing=tuple(range(len(claims))), ends_at=expires_at
    )


class House:
    """A store with people in it, and a matcher over it."""

    def __init__(self, embedder: Any = None, path: Path | None = None) -> None:
        self.clock = ManualClock(START)
        self.store: Store = (
            SqliteStore(path, clock=self.clock) if path else MemoryStore(clock=self.clock)
        )
        self.embedder: Any = embedder or LetterEmbedder()
        self.ids = SequentialIds()

    @property
    def matcher(self) -> Matcher:
        reader = Reader(
            self.store,
            schemas=Book(),
            extractor=WordReader(),
            embedder=self.embedder,
            ids=self.ids,
            clock=self.clock,
            heads_per_minute=6,
        )
        return Matcher(self.store, reader, schemas=Book(), embedder=self.embedder)

    async def add(
        self,
        user_id: str,
        domain: str = "dating",
        *,
        tenant: str = "acme",
        expires_at: datetime | None = None,
        extras: dict[str, Any] | None = None,
        **values: Any,
    ) -> None:
        row = a_user(
            user_id=user_id,
            domain=domain,
            expires_at=expires_at,
            extras=extras or {},
            fields={n: v if isinstance(v, FieldValue) else said(v) for n, v in values.items()},
        )
        await keep(self.store, Scope(tenant=tenant, user_id=user_id, domain=domain), users=(row,))

    async def match(
        self, user_id: str | None = "ada", domain: str = "dating", **asked: Any
    ) -> MatchAnswer:
        request = MatchUsers(user_id=user_id, domain=domain, **asked)
        return await self.matcher.match(a_stamp(user_id, domain), request)

    async def row(self, user_id: str, domain: str = "dating") -> UserRow:
        scope = Scope(tenant="acme", user_id=user_id, domain=domain)
        row = (await self.store.read(scope, Reads(user=True))).user
        assert row is not None
        return row

    async def head(self, user_id: str, name: str = "dating", domain: str = "dating") -> Head | None:
        return await self.store.head(Scope(tenant="acme", user_id=user_id, domain=domain), name)


def a_stamp(user_id: str | None = "ada", domain: str = "dating") -> Stamp:
    scope = Scope(tenant="acme", user_id=user_id, domain=domain)
    return Stamp(scope=scope, evidence=Evidence(tool="match_users"))


def names(answer: MatchAnswer) -> list[str]:
    return [found.user_id for found in answer.candidates]


@pytest.fixture(params=["memory", "sqlite"])
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[House]:
    house = House(path=tmp_path / "match.db" if request.param == "sqlite" else None)
    await house.store.open()
    await house.add("ada", age=30, diet="vegan", smoker=False, interests=["hhh"])
    await house.add("ben", age=31, diet="vegetarian", interests=["hhr"])
    await house.add("cyd", age=38, diet="omnivore", interests=["ccc"])
    await house.add("dan", age=30, diet="vegan", smoker=True, interests=["hhh"])
    yield house
    await house.store.close()


async def test_the_best_come_first_and_the_user_never(house: House) -> None:
    answer = await house.match()
    assert names(answer) == ["ben", "cyd"]
    assert (answer.considered, answer.filtered, answer.more) == (3, 1, 0)
    assert (answer.user_id, answer.domain, answer.head, answer.headless) == (
        "ada",
        "dating",
        "ready",
        0,
    )
    first = answer.candidates[0]
    assert first.stages.keys() == {"head", "fields"}
    assert 0.9 < first.score <= 1
    assert "vegetarian suits vegan" in first.reasons


async def test_more_says_how_many_passed_and_arent_shown(house: House) -> None:
    answer = await house.match(limit=1)
    assert (names(answer), answer.more) == (["ben"], 1)


async def test_equal_scores_are_in_order_of_the_id(house: House) -> None:
    for name in ("zoe", "eve", "kim"):
        await house.add(name, diet="vegan")
    assert names(await house.match())[:3] == ["eve", "kim", "zoe"]
    assert await house.match() == await house.match()


async def test_a_value_only_in_extras_changes_nothing(house: House) -> None:
    await house.add("eve", extras={"diet": "vegan", "age": 30})
    found = next(c for c in (await house.match()).candidates if c.user_id == "eve")
    assert (found.score, found.fields, found.stages) == (0.0, {}, {})


async def test_who_has_expired_is_nobody(house: House) -> None:
    await house.add("eve", diet="vegan", expires_at=START + timedelta(hours=1))
    assert "eve" in names(await house.match())
    house.clock.advance(hours=1)
    assert "eve" not in names(await house.match())


async def test_a_value_whose_text_has_ended_isnt_compared(house: House) -> None:
    await house.add("eve", diet=said("vegan", expires_at=START + timedelta(hours=1)))
    assert next(c for c in (await house.match()).candidates if c.user_id == "eve").score == 1.0
    house.clock.advance(hours=1)
    assert next(c for c in (await house.match()).candidates if c.user_id == "eve").score == 0.0


async def test_another_tenants_users_are_never_seen(house: House) -> None:
    await house.add("eve", tenant="other", diet="vegan", age=30)
    answer = await house.match()
    assert "eve" not in names(answer)
    assert answer.considered == 3


async def test_another_domains_users_are_no_candidates(house: House) -> None:
    await house.add("eve", "hiring", age=30)
    assert "eve" not in names(await house.match())


async def test_a_callers_filter_is_counted(house: House) -> None:
    answer = await house.match(filters={"age": {"maximum": 35}})
    assert (names(answer), answer.filtered) == (["ben"], 2)


async def test_a_wrong_filter_costs_no_vector(house: House) -> None:
    with pytest.raises(LinealError):
        await house.match(filters={"shoe": 44})
    assert house.embedder.batches == []


async def test_an_unknown_user_is_not_found_and_told_the_domain(house: House) -> None:
    with pytest.raises(LinealError) as refused:
        await house.match("nobody")
    assert refused.value.code is ErrorCode.NOT_FOUND
    assert refused.value.details == {"user_id": "nobody", "domain": "dating"}


async def test_a_domain_without_a_schema_cant_be_matched(house: House) -> None:
    with pytest.raises(LinealError) as refused:
        await house.match(domain="notes")
    assert refused.value.details["field"] == "domain"


# Vectors made on the way.


async def test_heads_are_made_once_and_kept_with_the_row(house: House) -> None:
    await house.match()
    assert house.embedder.batches == [["hhh"], ["hhr", "ccc"]]
    for name in ("ada", "ben", "cyd"):
        row, head = await house.row(name), await house.head(name)
        assert head is not None
        assert row.heads == {"dating": head.info}
        assert row.revision == 2
    first = await house.match()
    assert len(house.embedder.batches) == 2
    assert first.head == "ready"


async def test_no_more_than_a_batch_of_heads_is_made_in_a_call(house: House) -> None:
    for number in range(HEADS_MAX + 5):
        await house.add(f"p{number:02}", interests=["ccc"])
    answer = await house.match(limit=100)
    assert len(house.embedder.batches[1]) == HEADS_MAX
    # ben and cyd came first; of the others those that were left.
    assert answer.headless == 7
    assert len(answer.candidates) == HEADS_MAX + 7
    assert (await house.match(limit=100)).headless == 0


async def test_heads_of_another_version_are_made_anew_and_never_compared(house: House) -> None:
    await house.match()
    house.embedder = LetterEmbedder("letters.v2")
    await house.match()
    assert house.embedder.batches == [["hhh"], ["hhr", "ccc"]]
    head = await house.head("ben")
    assert head is not None
    assert head.version == "letters.v2"


async def test_a_head_over_the_limit_is_used_and_not_kept(house: House) -> None:
    for number in range(8):
        house.embedder = LetterEmbedder(f"letters.v{number}")
        await house.match()
    head = await house.head("ben")
    assert head is not None
    assert head.version == "letters.v5"
    assert (await house.match()).candidates[0].stages.keys() == {"head", "fields"}


async def test_without_an_embedder_fields_alone_rank() -> None:
    house = House(NoVectors())
    await house.add("ada", diet="vegan", interests=["hiking"])
    await house.add("ben", diet="vegetarian", interests=["hiking"])
    answer = await house.match()
    assert (answer.head, answer.headless) == ("off", 0)
    assert answer.candidates[0].stages == {"fields": 1.0}
    assert (await house.row("ben")).revision == 1


async def test_while_the_model_cant_be_used_fields_alone_rank_and_that_is_said(
    house: House,
) -> None:
    house.embedder = BrokenEmbedder()
    answer = await house.match()
    assert (names(answer), answer.head) == (["ben", "cyd"], "unavailable")
    house.embedder = LetterEmbedder()
    await house.match("dan", filters={"diet": "omnivore"})  # makes dan's and cyd's
    house.embedder = BrokenEmbedder()
    answer = await house.match("dan")
    assert (answer.head, answer.headless) == ("ready", 1)
    stages = {found.user_id: sorted(found.stages) for found in answer.candidates}
    assert stages == {"ben": ["fields"], "cyd": ["fields", "head"]}


async def test_nothing_soft_known_of_the_user_is_said(house: House) -> None:
    await house.add("eve", diet="vegan")
    answer = await house.match("eve")
    assert answer.head == "absent"
    assert house.embedder.batches == []


async def test_someone_of_another_domain_gets_this_ones_head_there(house: House) -> None:
    """U10: by the fields that both schemas know; what is hard there isn't embedded here."""
    await house.add("fay", "hiring", age=31, role="cook", interests=["hhr"], values_text="rrr")
    answer = await house.match("fay")
    assert answer.from_domain == "hiring"
    assert answer.head == "ready"
    assert names(answer)[0] in ("ada", "ben", "dan")
    assert house.embedder.batches[0] == ["hhr"]
    row = await house.row("fay", "hiring")
    assert row.heads.keys() == {"dating"}
    assert await house.head("fay", "dating", "hiring") is not None
    batches = len(house.embedder.batches)
    await house.match("fay")
    assert len(house.embedder.batches) == batches


async def test_nobody_gets_another_domains_head_unasked(house: House) -> None:
    await house.add("fay", "hiring", interests=["hhr"])
    await house.match("ada")
    assert (await house.row("fay", "hiring")).heads == {}


@given(st.lists(people, max_size=30), st.integers(1, 8), st.integers(1, 9))
def test_pages_make_no_difference(crowd: list[dict[str, Any]], limit: int, page: int) -> None:
    """The best of the pages are the best of all, sorted at once."""
    what = a_sought({"age": 30, "diet": "vegan", "smoker": False, "pets": ["cat"]})
    peers = tuple(
        Peer(a_user(user_id=f"u{n}", fields={f: said(v) for f, v in one.items()}), None, n)
        for n, one in enumerate(crowd)
    )
    found = Shortlist(what, "v", "u0", limit)
    for start in range(0, len(peers), page):
        found.take(peers[start : start + page], START)
    passing = [(f"u{n}", one) for n, one in enumerate(crowd) if n and fits(what, one)]
    best = sorted((scored(what, name, one, None) for name, one in passing), key=lambda s: s.place)
    assert [one.user_id for one in found.best] == [one.user_id for one in best[:limit]]
    assert found.considered == max(len(crowd) - 1, 0)
    assert found.filtered == found.considered - len(passing)


# A description.


async def test_a_description_is_read_and_not_stored(house: House) -> None:
    answer = await house.match(None, description="someone vegan who loves hiking")
    assert answer.user_id is None
    assert answer.understood == {"diet": "vegan", "interests": ["hiking"]}
    assert answer.extractor == "words.v1"
    assert names(answer)[0] in ("ada", "ben", "dan")
    assert answer.considered == 4
    assert house.embedder.batches[0] == ["hiking"]
    stats = await house.store.stats(Scope(tenant="acme"))
    assert (stats.contexts, stats.users) == (0, 4)


# Outcomes.


def an_outcome(candidate_id: str = "ben", **values: Any) -> RecordOutcome:
    return RecordOutcome.model_validate(
        {"candidate_id": candidate_id, "outcome": "accepted", **values}
    )


async def test_an_outcome_is_kept_and_listed(house: House) -> None:
    lineage = DeclaredLineage(model_version="m-1")
    asked = an_outcome(weight=2.5, score=0.9, lineage=lineage)
    answer = await record_outcome(house.store, house.ids, a_stamp(), asked)
    assert answer.outcome_id == "out_1"
    assert answer.recorded_at == START
    assert answer.lineage.declared == lineage
    assert answer.lineage.tool_calls == ("match_users",)
    await record_outcome(house.store, house.ids, a_stamp("cyd"), an_outcome(outcome="rejected"))
    kept = [found async for found in outcomes(house.store, Scope(tenant="acme"))]
    assert [(o.user_id, o.candidate_id, o.outcome, o.weight, o.score) for o in kept] == [
        ("ada", "ben", "accepted", 2.5, 0.9),
        ("cyd", "ben", "rejected", 1.0, None),
    ]
    assert [o async for o in outcomes(house.store, Scope(tenant="other"))] == []


async def test_the_same_key_records_an_outcome_once(house: House) -> None:
    asked = an_outcome(idempotency_key="k")
    first = await record_outcome(house.store, house.ids, a_stamp(), asked)
    assert await record_outcome(house.store, house.ids, a_stamp(), asked) == first
    assert len([o async for o in outcomes(house.store, Scope(tenant="acme"))]) == 1


@pytest.mark.parametrize(("user_id", "candidate_id"), [("nobody", "ben"), ("ada", "nobody")])
async def test_an_outcome_of_someone_unknown_is_not_found(
    house: House, user_id: str, candidate_id: str
) -> None:
    with pytest.raises(LinealError) as refused:
        await record_outcome(house.store, house.ids, a_stamp(user_id), an_outcome(candidate_id))
    assert refused.value.code is ErrorCode.NOT_FOUND
    assert refused.value.details["user_id"] == "nobody"


async def test_nobody_is_a_candidate_of_their_own(house: House) -> None:
    with pytest.raises(LinealError) as refused:
        await record_outcome(house.store, house.ids, a_stamp(), an_outcome("ada"))
    assert refused.value.details["field"] == "candidate_id"


def test_an_outcomes_id_can_be_told_from_a_contexts() -> None:
    ids = RandomIds()
    assert ids.outcome().startswith("out_")
    assert len({ids.outcome() for _ in range(100)}) == 100
