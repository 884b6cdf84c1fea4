"""What a remote asks of a title, a summary and a content, made of what there is."""

from __future__ import annotations

from lineal.models.base import rfc3339
from lineal.models.context import Context

__all__ = [
    "CONTENT_MIN",
    "SUMMARY_MAX",
    "SUMMARY_MIN",
    "TITLE_MAX",
    "content_of",
    "own_line",
    "summary_of",
    "title_of",
    "without",
]

TITLE_MAX = 200
SUMMARY_MIN = 10
SUMMARY_MAX = 1_000
CONTENT_MIN = 50
"""Characters, inclusive (N2)."""

NAMELESS = "Memory"
"""The title of a text without a line that could be one."""


def own_line(user_id: str, domain: str, at: str) -> str:
    """What is added to a short text; alone it is longer than CONTENT_MIN. at: RFC 3339."""
    return f"Remembered by lineal for {user_id} ({domain}) at {at}."


def title_of(context: Context) -> str:
    """1 to 200 characters: the title, else the first line of the text."""
    lines = (context.title or context.content).splitlines()
    line = next((line.strip() for line in lines if line.strip()), NAMELESS)
    return line[:TITLE_MAX].rstrip()


def summary_of(context: Context) -> str:
    """10 to 1,000 characters: the summary, else the beginning of the text."""
    text = " ".join((context.summary or context.content).split())
    if len(text) < SUMMARY_MIN:
        text = f"{text} {_line_of(context)}".lstrip()
    return text[:SUMMARY_MAX].rstrip()


def content_of(context: Context) -> str:
    """At least 50 characters: the text, a short one with a paragraph of ours behind it."""
    if len(context.content) >= CONTENT_MIN:
        return context.content
    return f"{context.content}\n\n{_line_of(context)}"


def without(content: str, line: str) -> str:
    """The text as it was before that line was put behind it."""
    return content.removesuffix(f"\n\n{line}")


def _line_of(context: Context) -> str:
    return own_line(context.user_id, context.domain, rfc3339(context.occurred_at))
