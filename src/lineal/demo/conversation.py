"""The conversation that the demo remembers: two colleagues, four weeks, some changes of mind."""

from __future__ import annotations

from importlib import resources

from lineal.models.base import Instant, Model

__all__ = ["Conversation", "Turn"]


class Turn(Model):
    """One thing said. name: how the story refers to it; most turns need none."""

    speaker: str
    session_id: str
    occurred_at: Instant
    content: str
    name: str | None = None


class Conversation(Model):
    """Turns in the order they were said, and whose memory they go into."""

    about: str
    user_id: str
    domain: str
    turns: tuple[Turn, ...]

    @classmethod
    def shipped(cls) -> Conversation:
        """The one that comes with the package."""
        file = resources.files("lineal.demo") / "conversation.json"
        return cls.model_validate_json(file.read_text(encoding="utf-8"))
