"""The demo from its beginning to its end: two server processes, one store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import anyio

from lineal.clock import SystemClock
from lineal.demo.chapters import AN_HOUR_LATER, CLIENT, FIRST_PROCESS, Book, Chapter, Page
from lineal.demo.client import connected
from lineal.demo.conversation import Conversation
from lineal.demo.script import LATER
from lineal.demo.steps import Check, Narrator, Step, Tale
from lineal.errors import LinealError

__all__ = ["tell"]


async def tell(home: Path, command: str, args: Sequence[str], narrator: Narrator) -> Tale:
    """Play it on the empty directory `home` with the server that the command starts.

    It ends at the first step whose call failed; a broken promise alone doesn't end it.
    """
    book = Book(Conversation.shipped(), narrator)
    steps: list[Step] = []
    for chapters, later in ((FIRST_PROCESS, timedelta()), (AN_HOUR_LATER, LATER)):
        env = {
            "LINEAL_HOME": str(home / "memory"),
            "LINEAL_CLOCK_OFFSET_S": f"{later.total_seconds():g}",
        }
        clock = SystemClock(later.total_seconds())
        log = home / "server.log"
        began = anyio.current_time()
        try:
            async with connected(command, args, env, log, CLIENT) as server:
                for chapter in chapters:
                    try:
                        page = await chapter.happens(book, server)
                    except LinealError as failure:
                        page = _unanswered(failure.message)
                    except KeyError as missing:
                        page = _unanswered(f"an answer lacks {missing}")
                    ended = anyio.current_time()
                    steps.append(_step(chapter, page, clock, ended - began))
                    began = ended
                    narrator.told(steps[-1])
                    if not page.answered:
                        return Tale(home=str(home), steps=tuple(steps))
        except LinealError as failure:
            steps.append(_step(chapters[0], _unanswered(failure.message), clock, 0.0))
            narrator.told(steps[-1])
            break
    return Tale(home=str(home), steps=tuple(steps))


def _step(chapter: Chapter, page: Page, clock: SystemClock, took_s: float) -> Step:
    return Step(
        name=chapter.name,
        title=chapter.title,
        now=clock.now(),
        took_ms=round(took_s * 1000, 1),
        facts=page.facts,
        questions=page.questions,
        trace=page.trace,
        checks=page.checks,
    )


def _unanswered(why: str) -> Page:
    check = Check(promise=f"every call is answered ({why})", kept=False)
    return Page(checks=(check,), answered=False)
