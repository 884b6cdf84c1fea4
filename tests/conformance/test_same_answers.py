"""Whatever is done, and whenever, a store on disk answers as the plain dicts do (checks 38, 28,
29)."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from zlib import crc32

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from lineal.clock import Clock, ManualClock
from lineal.errors import ErrorCode, LinealError
from lineal.models.changes import (
    Changes,
    Completed,
    Fingerprint,
    Outcome,
    Plan,
    Reads,
    Receipt,
    Scope,
    Snapshot,
    StoreStats,
    Task,
    Withholding,
)
from lineal.models.context import Context, MemoryType, Sighting
from lineal.models.lineage import Basis, Edge, Lineage, Relation
from lineal.models.search import CandidatePage, TextQuery
from lineal.models.sheet import Meaning, Space
from lineal.models.user import Head
from lineal.policy.indexing import embedded
from lineal.ports.store import Store
from lineal.stores.memory import MemoryStore
from lineal.stores.sqlite import SqliteStore
from lineal.testing.samples import (
    ADA,
    START,
    a_context,
    a_sighting,
    a_task,
    a_user,
    an_edge,
    an_outcome,
)

IDS = tuple(f"ctx_{n}" for n in range(5))
WORDS = ("walnut", "almond", "granite", "velvet")
KEYS = ("k1", "k2", "k3")
ASKED = (
    Fingerprint(content_key="same"),
    Fingerprint(content_key="other", keys=(0, 1, 2)),
    Fingerprint(content_key="none", keys=(2, 3)),
)
ASKING = ("absent", '"', "NEAR(", "When did Ada", "how many", "walnutt", "grace", "May")
STEPS_S = (0.001, 1, 59, 60, 3_600, 82_800, 86_400, 90_000, 34_560_000)
"""Of the clock, forwards and back: within and beyond the jump that is believed at once."""

SPACE = Space("letters.v1", 4)
VECTORS = tuple(
    tuple(float(sign * (place == at)) for place in range(4)) for at in range(4) for sign in (1, -1)
) + tuple((0.5, a, b, 0.5) for a in (0.5, -0.5) for b in (0.5, -0.5))
"""Of length 1, and the same in 8 bits."""

SCORES_WITHIN, MEANINGS_WITHIN = 1e-9, 1e-6
"""How far scores may differ: a cosine of 8-bit numbers is one of 32-bit floats."""

tenants = st.sampled_from(("acme", "evil"))
scopes = st.builds(
    Scope,
    tenant=tenants,
    user_id=st.sampled_from(("ada", "grace")),
    domain=st.sampled_from(("coding", "hiring")),
)
wide_scopes = st.one_of(scopes, st.builds(Scope, tenant=tenants))
ids = st.sampled_from(IDS)
lives_s = st.sampled_from((None, None, 0, 60, 3_600, 200_000))
texts = st.lists(st.sampled_from(WORDS), min_size=1, max_size=3).map(" ".join)
says = st.builds(str.__add__, texts, st.sampled_from(("", "", "?", " in May 2023", " at 7")))
tags = st.sets(st.sampled_from(("a", "b", "A")), max_size=2).map(lambda s: tuple(sorted(s)))
types = st.sampled_from(MemoryType)
projects = st.sampled_from((None, "p", "q"))
asked_projects = st.sampled_from((None, (), ("p",), ("q", "r")))
sessions = st.sampled_from((None, "s", "t"))
speakers = st.sampled_from((None, "Ada", "Grace Hopper"))
sources = st.sampled_from((None, "chat", "doc"))
agents = st.sampled_from((None, "claude", "claude/1", "codex/2"))
minutes = st.integers(0, 3).map(lambda n: START + timedelta(minutes=n))
spans = st.tuples(st.none() | minutes, st.none() | minutes)
meanings = st.none() | st.integers(0, 11).map(lambda n: Meaning(SPACE, VECTORS[n]))
roots = st.sampled_from(("root", "other"))
some_ids = st.lists(ids, max_size=3).map(tuple)
fingerprints = st.none() | st.builds(
    Fingerprint,
    content_key=st.sampled_from(("same", "other")),
    keys=st.lists(st.integers(0, 3), max_size=4).map(tuple),
)
receipt_keys = st.sampled_from((None, None, *KEYS))
owners = {"user_id": st.sampled_from(("ada", "grace")), "domain": st.sampled_from(("coding",))}
tasks = st.builds(
    a_task,
    kind=st.sampled_from(("head", "extract")),
    tenant=tenants,
    **owners,
    context_id=st.sampled_from(("", *IDS[:2])),
    due_at=st.sampled_from((0, 60, 86_400)).map(lambda s: START + timedelta(seconds=s)),
    tries=st.integers(0, 2),
)
outcomes = st.builds(
    an_outcome,
    st.sampled_from(WORDS),
    **owners,
    candidate_id=st.sampled_from(("ada", "grace", "lin")),
)
steps = st.integers(-1, 2)
"""By how much an offered revision exceeds the present one; only 1 is right."""


class Place(Protocol):
    """Where a store lies while one example runs; empty at first."""

    def store(self, clock: Clock) -> Store:
        """A new object over what lies there."""
        ...

    def clear(self) -> None:
        """The example has ended."""
        ...


class InMemory:
    """It can be opened once: nothing of it outlives the object."""

    def store(self, clock: Clock) -> Store:
        return MemoryStore(clock=clock)

    def clear(self) -> None:
        """It goes with its object."""


class InFile:
    """A SQLite file in a directory of its own."""

    def __init__(self) -> None:
        self._directory = tempfile.TemporaryDirectory()

    def store(self, clock: Clock) -> Store:
        return SqliteStore(Path(self._directory.name) / "m.db", clock=clock)

    def clear(self) -> None:
        self._directory.cleanup()


class SameAnswers(RuleBasedStateMachine):
    """Two stores, one clock, two tenants with the same ids. The second is closed and opened now
    and then. holds_all: whoever claims a batch to embed keeps others from every tenant's, so that
    one who ends meanwhile leaves both stores alike."""

    holds_all = True

    def __init__(
        self, plain: Callable[[], Place] = InMemory, real: Callable[[], Place] = InFile
    ) -> None:
        super().__init__()
        self.clock = ManualClock(START)
        self.loop = asyncio.Runner()
        self.places = (plain(), real())
        self.plain, self.real = (place.store(self.clock) for place in self.places)

    @initialize()
    def open(self) -> None:
        self._run(lambda store: store.open())

    def teardown(self) -> None:
        report = self.loop.run(self.real.verify())
        self._run(lambda store: store.close())
        self.loop.close()
        for place in self.places:
            place.clear()
        # Edges are written here of what was never kept.
        assert [each for each in report.problems if "edges" not in each] == []
        assert report.damaged == ()

    @rule(
        scope=scopes,
        name=ids,
        text=says,
        tags=tags,
        kind=types,
        project=projects,
        said=st.tuples(sessions, speakers, sources, agents, minutes),
        life_s=lives_s,
        fingerprint=fingerprints,
        receipt=receipt_keys,
        step=st.one_of(st.just(1), steps),
        forget=st.one_of(st.none(), ids),
    )
    def write_context(
        self,
        scope: Scope,
        name: str,
        text: str,
        tags: tuple[str, ...],
        kind: MemoryType,
        project: str | None,
        said: tuple[str | None, str | None, str | None, str | None, datetime],
        life_s: int | None,
        fingerprint: Fingerprint | None,
        receipt: str | None,
        step: int,
        forget: str | None,
    ) -> None:
        """A first or further revision, perhaps a wrong one, perhaps forgetting another."""

        def decide(seen: Snapshot) -> Plan[None]:
            present = seen.contexts.get(name)
            session, speaker, source, agent, at = said
            context = a_context(
                name,
                user_id=scope.user_id,
                domain=scope.domain,
                revision=max(1, (present.revision if present else 0) + step),
                content=text,
                tags=tags,
                memory_type=kind,
                project=project,
                session_id=session,
                speaker=speaker,
                source=source,
                agent_source=agent,
                occurred_at=at,
                expires_at=_ends_at(seen, life_s),
                created_at=present.created_at if present else seen.now,
                updated_at=seen.now,
            )
            return Plan(
                Changes(
                    contexts=(context,),
                    fingerprints={name: fingerprint} if fingerprint else {},
                    forget=(forget,) if forget not in (None, name) else (),
                    receipt=_receipt(seen, receipt, name),
                ),
                None,
            )

        self._commit(scope, Reads(context_ids=(name,), receipt=receipt), decide)
        self._look(scope)

    @rule(scope=scopes, life_s=lives_s, step=st.one_of(st.just(1), steps), receipt=receipt_keys)
    def write_user(self, scope: Scope, life_s: int | None, step: int, receipt: str | None) -> None:
        """A first or further revision of a row with a head."""

        def decide(seen: Snapshot) -> Plan[None]:
            row = a_user(
                user_id=scope.user_id,
                domain=scope.domain,
                revision=max(1, (seen.user.revision if seen.user else 0) + step),
                expires_at=_ends_at(seen, life_s),
                updated_at=seen.now,
            )
            head = Head(name="coding", version=f"v{row.revision}", vector=(1.0, 0.0))
            kept = Changes(users=(row,), heads=(head,), receipt=_receipt(seen, receipt, "row"))
            return Plan(kept, None)

        self._commit(scope, Reads(user=True, receipt=receipt), decide)
        self._look(scope)

    @rule(scope=wide_scopes, child=ids, parent=ids, relation=st.sampled_from(Relation))
    def write_edge(self, scope: Scope, child: str, parent: str, relation: Relation) -> None:
        edge = an_edge(child, parent, relation=relation)
        self._commit(scope, Reads(), lambda _: Plan(Changes(edges=(edge,)), None))
        self._look(scope)

    @rule(scope=wide_scopes, name=ids, session=texts, receipt=receipt_keys)
    def write_sighting(self, scope: Scope, name: str, session: str, receipt: str | None) -> None:
        """Perhaps of what has ended, or of another's."""

        def decide(seen: Snapshot) -> Plan[None]:
            again = a_sighting(name, session_id=session, recorded_at=seen.now)
            given = _receipt(seen, receipt, name)
            return Plan(Changes(sightings=(again,), receipt=given), None)

        self._commit(scope, Reads(receipt=receipt), decide)
        self._look(scope)

    @rule(scope=scopes, name=ids, fingerprint=fingerprints.filter(bool))
    def write_fingerprint(self, scope: Scope, name: str, fingerprint: Fingerprint) -> None:
        kept = Changes(fingerprints={name: fingerprint})
        self._commit(scope, Reads(), lambda _: Plan(kept, None))
        self._look(scope)

    @rule(scope=scopes, left=st.lists(tasks, max_size=2), done=st.lists(tasks, max_size=2))
    def write_tasks(self, scope: Scope, left: list[Task], done: list[Task]) -> None:
        """Perhaps another tenant's, which is refused."""
        kept = Changes(tasks=tuple(left), done=tuple(done))
        self._commit(scope, Reads(), lambda _: Plan(kept, None))
        self._look(scope)

    @rule(scope=scopes, outcome=outcomes)
    def write_outcome(self, scope: Scope, outcome: Outcome) -> None:
        self._commit(scope, Reads(), lambda _: Plan(Changes(outcomes=(outcome,)), None))
        self._look(scope)

    @rule(scope=wide_scopes, name=ids, receipt=receipt_keys)
    def forget(self, scope: Scope, name: str, receipt: str | None) -> None:
        def decide(seen: Snapshot) -> Plan[None]:
            kept = Changes(forget=(name,), receipt=_receipt(seen, receipt, name))
            return Plan(kept, None)

        self._commit(scope, Reads(receipt=receipt), decide)
        self._look(scope)

    @rule(
        scope=wide_scopes,
        root=roots,
        names=some_ids,
        life_s=st.sampled_from((60, 3_600, 90_000)),
        receipt=receipt_keys,
    )
    def withhold(
        self, scope: Scope, root: str, names: tuple[str, ...], life_s: int, receipt: str | None
    ) -> None:
        def decide(seen: Snapshot) -> Plan[None]:
            until = seen.now + timedelta(seconds=life_s)
            held = Withholding(root=root, context_ids=names, until=until)
            return Plan(Changes(withhold=held, receipt=_receipt(seen, receipt, "held")), None)

        self._commit(scope, Reads(receipt=receipt), decide)
        self._look(scope)

    @rule(scope=wide_scopes, names=some_ids, forget=st.one_of(st.none(), ids))
    def restore(self, scope: Scope, names: tuple[str, ...], forget: str | None) -> None:
        """Perhaps of what isn't withheld, perhaps forgetting another."""
        kept = Changes(restore=names, forget=(forget,) if forget else ())
        self._commit(scope, Reads(), lambda _: Plan(kept, None))
        self._look(scope)

    @rule(scope=wide_scopes, root=roots)
    def undo(self, scope: Scope, root: str) -> None:
        """All that the root withholds."""

        def decide(seen: Snapshot) -> Plan[None]:
            return Plan(Changes(restore=tuple(c.context_id for c in seen.withheld)), None)

        self._commit(scope, Reads(withheld_by=root), decide)
        self._look(scope)

    @rule(
        scope=scopes, name=ids, model=texts, parents=some_ids, wrong=st.sampled_from((0, 0, 0, 1))
    )
    def complete(
        self, scope: Scope, name: str, model: str, parents: tuple[str, ...], wrong: int
    ) -> None:
        """All that is seen of a context and of the row, perhaps a revision that isn't kept."""

        def decide(seen: Snapshot) -> Plan[None]:
            lineage = Lineage(created_at=seen.now, model_version=model)
            kept = seen.revisions.get(name) or (a_context(name, user_id=scope.user_id),)
            contexts = tuple(_with(c, lineage, c.revision + wrong) for c in kept[:2])
            late = Completed(
                contexts=contexts,
                users=tuple(_with(row, lineage, row.revision) for row in (seen.user,) if row),
                sightings=tuple((s, _seen_by(s, lineage)) for s in seen.sightings.get(name, ())),
                edges=tuple(_use(c, parent) for c in contexts for parent in parents),
            )
            return Plan(Changes(completed=late), None)

        reads = Reads(user=True, context_ids=(name,), sightings=True, revisions=3)
        self._commit(scope, reads, decide)
        self._look(scope)

    @rule(scope=wide_scopes, name=ids)
    def write_half(self, scope: Scope, name: str) -> None:
        """A decision that raises."""

        def decide(_: Snapshot) -> Plan[None]:
            raise LinealError.conflict("Changed its mind.")

        self._commit(scope, Reads(context_ids=(name,)), decide)

    @rule(step_s=st.sampled_from(STEPS_S), back=st.booleans(), scope=wide_scopes)
    def move_clock(self, step_s: float, back: bool, scope: Scope) -> None:
        self.clock.advance(seconds=-step_s if back else step_s)
        self._look(scope)

    @rule(limit=st.sampled_from((1, 2, 500)), accept_clock=st.booleans(), scope=wide_scopes)
    def sweep(self, limit: int, accept_clock: bool, scope: Scope) -> None:
        async def swept(store: Store) -> tuple[int, int, int, bool]:
            report = await store.sweep(limit=limit, accept_clock=accept_clock)
            return report.contexts, report.users, report.receipts, report.refused is not None

        self._same(swept)
        self._look(scope)

    @rule(owner=st.sampled_from(("one", "other")), lost=st.integers(0, 3))
    def embed(self, owner: str, lost: int) -> None:
        """All that waits, perhaps by one who ends before it is kept."""

        async def embedded_by(store: Store) -> list[str]:
            shown: list[str] = []
            while (batch := await store.claim(SPACE, owner)) is not None:
                shown += [item.context.model_dump_json() for item in batch.items]
                if self.holds_all and not lost:
                    break
                await store.keep_vectors(batch, [_vector(item.context) for item in batch.items])
            return sorted(shown)

        self._same(embedded_by)
        self._look(ADA)

    @rule()
    def restart(self) -> None:
        """What a new process reads is what was acknowledged."""
        self.loop.run(self.real.close())
        self.real = self.places[1].store(self.clock)
        self.loop.run(self.real.open())

    @rule(
        scope=wide_scopes,
        terms=st.lists(st.sampled_from((*WORDS, *ASKING)), max_size=3).map(tuple),
        meaning=meanings,
        filters=st.fixed_dictionaries(
            {},
            optional={
                "sources": st.sampled_from((("chat",), ("doc", "chat"))),
                "agents": st.sampled_from((("claude",), ("claude/1", "codex"))),
                "occurred": spans,
                "recorded": spans,
                "model_version": texts,
                "derived_from": ids,
            },
        ),
        kinds=st.sets(types, max_size=2).map(tuple),
        tags=tags,
        projects=asked_projects,
        ago_s=st.sampled_from((None, -60, 0, 1, 60, 3_600, 90_000)),
        limit=st.integers(1, 4),
    )
    def find(
        self,
        scope: Scope,
        terms: tuple[str, ...],
        meaning: Meaning | None,
        filters: dict[str, Any],
        kinds: tuple[MemoryType, ...],
        tags: tuple[str, ...],
        projects: tuple[str, ...] | None,
        ago_s: int | None,
        limit: int,
    ) -> None:
        as_of = None if ago_s is None else self.clock.now() - timedelta(seconds=ago_s)
        query = TextQuery(
            terms=terms,
            meaning=meaning,
            memory_types=kinds,
            tags=tags,
            projects=projects,
            as_of=as_of,
            **filters,
        )
        self._same(lambda store: _found(store, scope, query))
        self._same_order(scope, query)
        bounded = query.model_copy(update={"limit": limit})
        self._same(lambda store: _counted(store, scope, bounded))

    def _look(self, scope: Scope) -> None:
        """Every other path, for this scope."""
        for receipt, alike in zip(KEYS, ASKED, strict=True):
            self._same(partial(_read, scope=scope, receipt=receipt, alike=alike))
        for root in ("root", "other"):
            self._same(partial(_withheld, scope=scope, root=root))
        start = TextQuery(terms=WORDS, as_of=START + timedelta(minutes=1))
        for query in (TextQuery(), TextQuery(terms=WORDS[:1]), start):
            self._same(partial(_found, scope=scope, query=query))
        self._same_order(scope, TextQuery(terms=WORDS[:2]))
        self._same_order(scope, TextQuery(terms=WORDS[2:], meaning=Meaning(SPACE, VECTORS[8])))
        said, told = (self.loop.run(s.speakers(scope, ("p",))) for s in (self.plain, self.real))
        assert set(said) <= set(told)  # which may name those of what isn't swept yet
        self._same(lambda store: store.unembedded(SPACE))
        self._same(lambda store: store.edges(scope, IDS, "both"))
        self._same(lambda store: store.tombstones(scope, IDS))
        self._same(lambda store: store.head(scope, "coding"))
        self._same(lambda store: store.user_history(scope))
        self._same(lambda store: _peers(store, scope))
        self._same(lambda store: _outcomes(store, scope))
        self._same(lambda store: store.due())
        self._same(lambda store: _counts(store, scope))
        for name in IDS[:2]:
            self._same(partial(_history, scope=scope, name=name))

    def _commit(self, scope: Scope, reads: Reads, decide: Callable[[Snapshot], Plan[None]]) -> None:
        self._same(lambda store: store.commit(scope, reads, decide))

    def _same(self, ask: Callable[[Store], Awaitable[object]]) -> None:
        expected, given = (self._outcome(store, ask) for store in (self.plain, self.real))
        assert given == expected

    def _same_order(self, scope: Scope, query: TextQuery) -> None:
        """Equal scores may stand in either order: sums of the same numbers differ in their last
        digit."""
        expected, given = (self.loop.run(_scored(s, scope, query)) for s in (self.plain, self.real))
        within = SCORES_WITHIN if query.meaning is None else MEANINGS_WITHIN
        assert given.keys() == expected.keys()
        assert list(given.values()) == sorted(given.values(), reverse=True)
        for name, score in expected.items():
            assert abs(given[name] - score) <= within, (name, expected, given)

    def _outcome(self, store: Store, ask: Callable[[Store], Awaitable[object]]) -> object:
        """What was answered, or with which code it was refused."""

        async def asked() -> object:
            try:
                return await ask(store)
            except LinealError as refused:
                return refused.code

        outcome = self.loop.run(asked())
        assert outcome not in (ErrorCode.UNAVAILABLE, ErrorCode.INTERNAL)
        return outcome

    def _run(self, ask: Callable[[Store], Awaitable[None]]) -> None:
        async def both() -> None:
            for store in (self.plain, self.real):
                await ask(store)

        self.loop.run(both())


def _ends_at(seen: Snapshot, life_s: int | None) -> Any:
    return None if life_s is None else seen.now + timedelta(seconds=life_s)


def _receipt(seen: Snapshot, key: str | None, subject: str) -> Receipt | None:
    """A receipt that names its subject, unless the key has one."""
    if key is None or seen.receipt is not None:
        return None
    return Receipt(
        key=key,
        verb="append_context",
        request_hash="0" * 32,
        answer=f'{{"id": "{subject}"}}',
        recorded_at=seen.now,
    )


async def _read(store: Store, scope: Scope, receipt: str, alike: Fingerprint) -> Snapshot:
    reads = Reads(
        user=True,
        context_ids=IDS,
        receipt=receipt,
        alike=alike,
        sightings=True,
        revisions=2,
        owners=True,
        descendants_of=IDS[0],
        relations=tuple(Relation),
    )
    return await store.read(scope, reads)


def _with(row: Any, lineage: Lineage, revision: int) -> Any:
    """The same context or user row with that lineage."""
    return row.model_copy(update={"lineage": lineage, "revision": revision})


def _seen_by(sighting: Sighting, lineage: Lineage) -> Sighting:
    return sighting.model_copy(update={"lineage": lineage})


def _use(context: Context, parent: str) -> Edge:
    return Edge(
        child_id=context.context_id,
        revision=context.revision,
        parent_id=parent,
        relation=Relation.USED,
        basis=Basis.OBSERVED,
    )


async def _withheld(store: Store, scope: Scope, root: str) -> tuple[Context, ...]:
    return (await store.read(scope, Reads(withheld_by=root))).withheld


async def _history(store: Store, scope: Scope, name: str) -> tuple[Context, ...]:
    return await store.history(scope, name)


async def _peers(store: Store, scope: Scope) -> object:
    """Two by two; where a page begins is each store's own."""
    pages: list[object] = []
    after = 0
    while page := await store.peers(scope, "coding", after=after, limit=2):
        pages.append([(peer.row, peer.head) for peer in page])
        after = page[-1].after
    return pages


async def _outcomes(store: Store, scope: Scope) -> object:
    pages: list[object] = []
    page = await store.outcomes(scope, limit=2)
    while page.outcomes:
        pages.append(page.outcomes)
        page = await store.outcomes(scope, after=page.after, limit=2)
    return pages


async def _found(store: Store, scope: Scope, query: TextQuery) -> object:
    """Which match; in order only where no words were asked, for stores rank as they like."""
    page = await store.find(scope, query)
    contexts = [found.context for found in page.candidates]
    if query.terms:
        contexts.sort(key=lambda context: context.context_id)
    return contexts, page.matched


async def _scored(store: Store, scope: Scope, query: TextQuery) -> dict[str, float]:
    """Whose context, and its score, in order."""
    page = await store.find(scope, query)
    found = [(f.context.user_id, f.context.domain, f) for f in page.candidates]
    return {f"{user} {domain} {f.context.context_id}": f.score for user, domain, f in found}


def _vector(context: Context) -> tuple[float, ...]:
    """Of its text alone; zeros for one in five."""
    number = crc32(embedded(context).encode())
    return VECTORS[number % len(VECTORS)] if number % 5 else (0.0,) * SPACE.dim


async def _counted(store: Store, scope: Scope, query: TextQuery) -> tuple[int, int]:
    page: CandidatePage = await store.find(scope, query)
    return len(page.candidates), page.matched


async def _counts(store: Store, scope: Scope) -> StoreStats:
    """What is counted, without what an engine says of itself."""
    stats = await store.stats(scope)
    own = {"size_bytes": 0, "wal_bytes": 0, "schema_version": 0, "engine": ""}
    return stats.model_copy(update=own)


SameAnswers.TestCase.settings = settings(
    max_examples=max(1, settings().max_examples // 4), stateful_step_count=30
)
TestSameAnswers = pytest.mark.slow(SameAnswers.TestCase)
