"""The demo's chapters: each does one thing through the server and checks what it was promised."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, TypeVar

import anyio
from pydantic import ValidationError

from lineal.demo.client import Connection
from lineal.demo.conversation import Conversation
from lineal.demo.script import (
    CONCLUSIONS,
    LATER,
    NOTE,
    NOTE_QUESTION,
    QUESTIONS,
    RELEASE_MOVED,
)
from lineal.demo.steps import Check, Narrator, Question, Shown
from lineal.errors import ErrorCode, LinealError
from lineal.models.base import Model, rfc3339
from lineal.models.lineage import Trace

__all__ = ["AN_HOUR_LATER", "CLIENT", "FIRST_PROCESS", "Book", "Chapter", "Page"]

Answer = TypeVar("Answer", bound=Model)

CLIENT = "lineal-demo"
"""What we say of ourselves when we connect; it must turn up in every lineage."""

TOOLS = frozenset(
    {
        "append_context",
        "upsert_user",
        "update_context",
        "search_context",
        "get_context",
        "get_user",
        "forget_context",
        "trace_lineage",
    }
)


class Page(NamedTuple):
    """What a chapter has to tell. answered: False when a call failed and the story can't go on."""

    checks: tuple[Check, ...]
    facts: tuple[str, ...] = ()
    questions: tuple[Question, ...] = ()
    trace: Trace | None = None
    answered: bool = True


class Book:
    """What one chapter leaves for the next: which memory has which id."""

    def __init__(self, conversation: Conversation, narrator: Narrator) -> None:
        self.conversation = conversation
        self.narrator = narrator
        self.ids: dict[str, str] = {}
        self.turn_ids: list[str] = []

    @property
    def whose(self) -> dict[str, str]:
        return {"user_id": self.conversation.user_id, "domain": self.conversation.domain}

    def of(self, names: Sequence[str]) -> list[str]:
        return [self.ids[name] for name in names]


class Chapter(NamedTuple):
    """name: for --json. title: for people."""

    name: str
    title: str
    happens: Callable[[Book, Connection], Awaitable[Page]]


async def start(book: Book, server: Connection) -> Page:
    missing = TOOLS - set(server.tools)
    return Page(
        checks=(Check(promise="every tool of the contract is listed", kept=not missing),),
        facts=(
            f"protocol {server.protocol_version}, {len(server.tools)} tools listed "
            f"{server.ready_ms:.0f} ms after the process was started",
        ),
    )


async def meet(book: Book, server: Connection) -> Page:
    answer = await server.call(
        "upsert_user",
        **book.whose,
        context="Maya is a backend developer in Lisbon. She works in Python on Linux and runs the "
        "tests with `pytest -q`.",
        fields={"editor": "neovim", "timezone": "Europe/Lisbon"},
    )
    read = {name: value for name, value in answer["fields"].items() if name != "editor"}
    told = ", ".join(f"{name} = {_plain(value)}" for name, value in read.items()) or "nothing"
    return Page(
        checks=(
            Check(
                promise="a field that was stated is kept as it was stated",
                kept=answer["fields"].get("editor") == "neovim",
            ),
            Check(
                promise="what the schema doesn't know is kept apart, in extras",
                kept=(answer.get("extras") or {}).get("timezone") == "Europe/Lisbon",
            ),
        ),
        facts=(f"schema {answer['schema_version']}; read from her description: {told}",),
    )


async def listen(book: Book, server: Connection) -> Page:
    turns = book.conversation.turns
    began = anyio.current_time()
    answers = []
    for number, turn in enumerate(turns):
        answer = await _said(book, server, number)
        answers.append(answer)
        if turn.name:
            book.ids[turn.name] = answer["context_id"]
        book.narrator.progress(number + 1, len(turns))
    took_ms = (anyio.current_time() - began) * 1000
    book.turn_ids = [answer["context_id"] for answer in answers]
    again = await _said(book, server, 0)
    moved = sorted({name for answer in answers for name in answer["fields_updated"]})
    return Page(
        checks=(
            Check(
                promise=f"each of the {len(turns)} turns has an id of its own",
                kept=len(set(book.turn_ids)) == len(turns),
            ),
            Check(
                promise="each has its lineage, though nobody sent one",
                kept=all(_by_us(answer["lineage"]) for answer in answers),
            ),
            Check(
                promise="the same request sent again is the same memory",
                kept=again["context_id"] == book.turn_ids[0],
            ),
        ),
        facts=(
            f"{len(turns)} turns in {took_ms / 1000:.1f} s, {took_ms / len(turns):.0f} ms each, "
            "on disk before each answer",
            f"Maya's row learned from them: {', '.join(moved) or 'nothing'}",
        ),
    )


async def conclude(book: Book, server: Connection) -> Page:
    kept = True
    for said in CONCLUSIONS:
        sources = book.of(said.derived_from)
        answer = await server.call(
            "append_context",
            **book.whose,
            content=said.content,
            memory_type=said.memory_type,
            tags=["harbor"],
            lineage={"derived_from": sources, "confidence": said.confidence},
        )
        book.ids[said.name] = answer["context_id"]
        kept = kept and answer["lineage"]["derived_from"] == sources
        kept = kept and answer["expires_at"] is None
    return Page(
        checks=(
            Check(promise="what they rest on is kept, and they don't expire", kept=kept),
            Check(
                promise="the server adds who wrote them, which nobody had to say",
                kept=_by_us(answer["lineage"]),
            ),
        ),
        facts=tuple(
            f"{said.memory_type}: {said.content} "
            f"(from: {', '.join(said.derived_from)}; confidence {said.confidence:g})"
            for said in CONCLUSIONS
        ),
    )


async def change(book: Book, server: Connection) -> Page:
    release = book.ids["release"]
    changed = await server.call(
        "update_context",
        context_id=release,
        content=RELEASE_MOVED,
        lineage={"derived_from": book.of(["release_change"]), "confidence": 0.95},
        expected_revision=1,
    )
    first = await server.call("get_context", context_id=release, revision=1)
    refused = await _refused(
        server, "update_context", context_id=release, title="Too late", expected_revision=1
    )
    return Page(
        checks=(
            Check(promise="the present reads the new date", kept=changed["revision"] == 2),
            Check(
                promise="the past keeps the old date and what that rested on",
                kept="20 March" in first["content"]
                and first["lineage"]["derived_from"] == book.of(["release_date"]),
            ),
            Check(
                promise="whoever still holds revision 1 is told so instead of overwriting",
                kept=refused is ErrorCode.CONFLICT,
            ),
        ),
        facts=(
            f"revision 1: {first['content']}",
            f"revision 2: {changed['content']}",
        ),
    )


async def ask(book: Book, server: Connection) -> Page:
    questions = [await _asked(book, server, query) for query, _ in QUESTIONS]
    found = [
        bool({hit.context_id for hit in question.hits} & set(book.of(expected)))
        for question, (_, expected) in zip(questions, QUESTIONS, strict=True)
    ]
    return Page(
        checks=tuple(
            Check(promise=f"'{query}' finds it among the first three", kept=kept)
            for (query, _), kept in zip(QUESTIONS, found, strict=True)
        ),
        questions=tuple(questions),
    )


async def jot(book: Book, server: Connection) -> Page:
    answer = await server.call(
        "append_context", **book.whose, content=NOTE, memory_type="scratchpad"
    )
    book.ids["note"] = answer["context_id"]
    question = await _asked(book, server, NOTE_QUESTION)
    return Page(
        checks=(
            Check(
                promise="a scratchpad note is found while it lives",
                kept=_holds(question, book.ids["note"]),
            ),
        ),
        facts=(f"a scratchpad lives for an hour: this one ends at {answer['expires_at']}",),
        questions=(question,),
    )


async def expire(book: Book, server: Connection) -> Page:
    question = await _asked(book, server, NOTE_QUESTION)
    gone = await _refused(server, "get_context", context_id=book.ids["note"])
    others = [*book.turn_ids, *book.of([said.name for said in CONCLUSIONS])]
    there = [await server.call("get_context", context_id=other) for other in others]
    return Page(
        checks=(
            Check(
                promise="no search shows the note any more",
                kept=not _holds(question, book.ids["note"]),
            ),
            Check(
                promise="asked for by its id, it is not found",
                kept=gone is ErrorCode.NOT_FOUND,
            ),
            Check(
                promise=f"the other {len(others)} memories are there, in a process that "
                "didn't write them",
                kept=[context["id"] for context in there] == others,
            ),
        ),
        facts=(
            f"nobody waited: a new process on the same file, ready after {server.ready_ms:.0f} ms, "
            f"was started with LINEAL_CLOCK_OFFSET_S={LATER.total_seconds():.0f}, which moves its "
            f"clock on by {LATER.total_seconds() / 60:.0f} minutes",
        ),
        questions=(question,),
    )


async def draw(book: Book, server: Connection) -> Page:
    trace = await _traced(server, book.ids["procedure"], "up")
    reached = {node.context_id for node in trace.nodes}
    expected = set(book.of(["cause", "lesson", "root_cause", "fix", "proof"]))
    return Page(
        checks=(
            Check(
                promise="a rule leads back to the very turns it was learned from",
                kept=expected <= reached,
            ),
        ),
        trace=trace,
    )


async def forget(book: Book, server: Connection) -> Page:
    root = book.ids["root_cause"]
    resting = set(book.of(["root_cause", "cause", "procedure"]))
    plan = await server.call("forget_context", context_id=root, cascade=True, dry_run=True)
    still = await _refused(server, "get_context", context_id=root)
    done = await server.call("forget_context", context_id=root, cascade=True)
    gone = [await _refused(server, "get_context", context_id=one) for one in sorted(resting)]
    question = await _asked(book, server, "Why did the idempotency key hold the arrival time?")
    trace = await _traced(server, book.ids["fix"], "down")
    states = {node.context_id: node.state for node in trace.nodes}
    return Page(
        checks=(
            Check(
                promise="the dry run names the turn and all that was derived from it, and takes "
                "nothing",
                kept=set(plan["forgotten"]) == resting and still is None,
            ),
            Check(
                promise="then exactly those are gone",
                kept=set(done["forgotten"]) == resting
                and all(code is ErrorCode.NOT_FOUND for code in gone),
            ),
            Check(
                promise="no search shows them",
                kept=not any(_holds(question, one) for one in resting),
            ),
            Check(
                promise="the lineage of what stays keeps their marks, without content",
                kept=all(states.get(one) == "forgotten" for one in book.of(["cause", "procedure"])),
            ),
        ),
        facts=(f"forgotten: {done['count']}, the turn itself and what rested on it",),
        trace=trace,
    )


FIRST_PROCESS = (
    Chapter("start", "A client starts the server", start),
    Chapter("upsert_user", "It says who the memory is about", meet),
    Chapter("append_context", "Two colleagues talk for four weeks", listen),
    Chapter("derive", "An agent draws conclusions and says from what", conclude),
    Chapter("update_context", "A date moves", change),
    Chapter("search_context", "Somebody asks", ask),
    Chapter("scratchpad", "A note for the next hour", jot),
)

AN_HOUR_LATER = (
    Chapter("expire", "The server ends; another starts, its clock moved on an hour", expire),
    Chapter("trace_lineage", "Where does that rule come from?", draw),
    Chapter("forget_context", "A source is taken back, and all that was built on it", forget),
)


async def _said(book: Book, server: Connection, number: int) -> dict[str, Any]:
    """The turn of that number appended; sent again it carries the same key."""
    turn = book.conversation.turns[number]
    return await server.call(
        "append_context",
        **book.whose,
        content=turn.content,
        source="chat",
        speaker=turn.speaker,
        session_id=turn.session_id,
        occurred_at=rfc3339(turn.occurred_at),
        memory_type="episodic",
        idempotency_key=f"demo-turn-{number}",
    )


async def _asked(book: Book, server: Connection, query: str) -> Question:
    answer = await server.call("search_context", **book.whose, query=query, limit=3)
    hits = tuple(_read(Shown, hit, "search_context") for hit in answer["hits"])
    return Question(query=query, hits=hits)


async def _traced(server: Connection, context_id: str, direction: str) -> Trace:
    answer = await server.call("trace_lineage", context_id=context_id, direction=direction)
    return _read(Trace, answer, "trace_lineage")


def _read(kind: type[Answer], answer: dict[str, Any], tool: str) -> Answer:
    """The parts of an answer that we know; of a large one, `cut` says besides what is missing.

    Raises LinealError when they aren't what they were.
    """
    known = {name: value for name, value in answer.items() if name in kind.model_fields}
    try:
        return kind.model_validate(known)
    except ValidationError as failure:
        first = failure.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise LinealError(
            ErrorCode.INTERNAL, f"{tool} answers otherwise than it should: {where}: {first['msg']}"
        ) from failure


async def _refused(server: Connection, tool: str, **arguments: Any) -> ErrorCode | None:
    """The code of the refusal, or None when the call was answered."""
    try:
        await server.call(tool, **arguments)
    except LinealError as refusal:
        return refusal.code
    return None


def _plain(value: Any) -> str:
    return " and ".join(map(str, value)) if isinstance(value, list) else str(value)


def _by_us(lineage: dict[str, Any]) -> bool:
    return str(lineage.get("agent_source")).startswith(CLIENT)


def _holds(question: Question, context_id: str) -> bool:
    return any(hit.context_id == context_id for hit in question.hits)
