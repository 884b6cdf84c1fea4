"""What the demo tells: steps, each with what it promised and whether that was kept."""

from __future__ import annotations

from typing import Protocol

from lineal.models.base import Instant, Model
from lineal.models.lineage import Trace

__all__ = ["Check", "Narrator", "Question", "Shown", "Step", "Tale"]


class Check(Model):
    """A promise of the memory's, as a sentence, and whether it was kept."""

    promise: str
    kept: bool


class Shown(Model):
    """A hit as a model is told of it: its text, and in one line what it is and whence it came."""

    context_id: str
    about: str
    content: str
    score: float


class Question(Model):
    """What was asked and what came back, best first."""

    query: str
    hits: tuple[Shown, ...]


class Step(Model):
    """One thing done through the server. now: its time, which the demo moves."""

    name: str
    title: str
    now: Instant
    took_ms: float
    facts: tuple[str, ...] = ()
    questions: tuple[Question, ...] = ()
    trace: Trace | None = None
    checks: tuple[Check, ...] = ()

    @property
    def kept(self) -> bool:
        return all(check.kept for check in self.checks)


class Tale(Model):
    """The whole demo; ok only if every promise was kept."""

    home: str
    steps: tuple[Step, ...]

    @property
    def broken(self) -> tuple[str, ...]:
        """The promises that weren't kept."""
        return tuple(
            f"{step.name}: {check.promise}"
            for step in self.steps
            for check in step.checks
            if not check.kept
        )


class Narrator(Protocol):
    """Who shows it while it happens."""

    def progress(self, done: int, total: int) -> None:
        """Told after each turn that was stored."""
        ...

    def told(self, step: Step) -> None: ...
