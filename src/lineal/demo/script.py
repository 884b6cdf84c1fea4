"""What is said and asked in the demo, besides the conversation itself."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

__all__ = [
    "CONCLUSIONS",
    "LATER",
    "NOTE",
    "NOTE_QUESTION",
    "QUESTIONS",
    "RELEASE_MOVED",
    "Conclusion",
]


class Conclusion(NamedTuple):
    """Something an agent writes down. derived_from: names of turns and of earlier conclusions."""

    name: str
    memory_type: str
    content: str
    derived_from: tuple[str, ...]
    confidence: float


CONCLUSIONS = (
    Conclusion(
        "release",
        "fact",
        "Harbor is released to its first customers on Friday, 20 March 2026.",
        ("release_date",),
        0.9,
    ),
    Conclusion(
        "queue",
        "fact",
        "Harbor keeps its events in a queue table in Postgres (SKIP LOCKED, polled every 500 ms); "
        "RabbitMQ was dropped because platform operations won't run it.",
        ("queue_choice", "queue_change"),
        0.95,
    ),
    Conclusion(
        "cause",
        "fact",
        "The duplicate invoices of March 2026 came from an idempotency key that held the "
        "webhook's arrival time, so a second delivery counted as a new one.",
        ("root_cause", "fix", "proof"),
        0.95,
    ),
    Conclusion(
        "procedure",
        "procedural",
        "When handling an outside event, build the idempotency key from the order id and the event "
        "type only, and write a test that delivers the same event twice.",
        ("cause", "lesson"),
        0.8,
    ),
)
RELEASE_MOVED = (
    "Harbor is released to its first customers on Friday, 27 March 2026; it was moved by a week "
    "because the queue was rebuilt on Postgres."
)

QUESTIONS = (
    ("When is Harbor released to its first customers?", ("release",)),
    ("What caused the duplicate invoices?", ("cause", "root_cause")),
    ("Who is allergic to nuts?", ("allergy",)),
    ("How does Maya like her pull requests?", ("preference",)),
    ("Which autovacuum setting does the queue table need?", ("vacuum",)),
)
"""A question, and the names of the memories of which one must be among the first three."""

NOTE = (
    "The staging dashboard shows nonsense until lunch because Grafana is being upgraded; "
    "don't trust its error rate."
)
NOTE_QUESTION = "Can I trust the staging dashboard in Grafana?"

LATER = timedelta(seconds=3_700)
"""A little more than a scratchpad lives; under the day beyond which no clock is believed."""
