"""Claude Code's transcript: which model made which call, for which prompt.

One JSON object a line. It is no stable interface, so every line is read tolerantly: what isn't
understood is passed over. What is said in it isn't kept, only that it was.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from lineal.canonical import hash_of
from lineal.capture.seen import UNNAMED, CallSeen, Seen, plausible_ms, word
from lineal.capture.tail import Tail
from lineal.capture.told import label_of
from lineal.clock import to_ms

__all__ = ["START_BYTES", "Transcript"]

START_BYTES = 4_000_000
"""Of a transcript that is there already, the end that is read: a prompt is hardly longer."""

UNREAD_MAX = 2_000
"""Lines that may wait to be understood."""

SYNTHETIC = "<synthetic>"
"""The model of what the client itself put in the assistant's mouth."""


LOCAL_COMMANDS = ("<local-command", "<command-name>", "<bash-")
"""What the client does by itself, and notes as if the user had said it."""


class Transcript:
    """Follows one transcript file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen = Seen()
        self._tail = Tail(path, start_bytes=START_BYTES)
        self._prompts: dict[str | None, str] = {}
        self._says_turns = False
        self._turns = 0
        self._unread: list[bytes] = []

    def read(self, bytes_max: int) -> bool:
        """Take in new lines; whether that was all there is. Of a file in another's place only what
        it says itself is known."""
        self._fetch(bytes_max)
        lines, self._unread = self._unread, []
        for line in lines:
            if b'"assistant"' in line or b'"user"' in line:
                self._take(line)
        return not self._tail.behind()

    def glance(self, bytes_max: int, use: str) -> None:
        """Take in new lines if they hold this call; otherwise leave them for who has time."""
        name = use.encode()
        if any(name in line for line in self._fetch(bytes_max)):
            self.read(0)

    def _fetch(self, bytes_max: int) -> list[bytes]:
        lines = self._tail.lines(bytes_max)
        if self._tail.turns > self._turns:
            self.seen, self._prompts, self._unread = Seen(), {}, []
            self._turns = self._tail.turns
        self._unread += lines
        if len(self._unread) > UNREAD_MAX:
            self.read(0)
        return lines

    def close(self) -> None:
        self._tail.close()

    def current(self, agent: str | None = None) -> str | None:
        """The prompt that an agent works on, as far as was read."""
        return self._prompts.get(agent)

    def _take(self, line: bytes) -> None:
        try:
            told = from_json(line)
        except ValueError:
            return
        message = told.get("message") if isinstance(told, dict) else None
        if not isinstance(message, dict):
            return
        agent = _agent(told)
        if told.get("type") == "user":
            self._user(told, message, agent)
        elif told.get("type") == "assistant":
            self._assistant(told, message, agent)

    def _user(self, told: dict[str, Any], message: dict[str, Any], agent: str | None) -> None:
        content = message.get("content")
        blocks = content if isinstance(content, list) else []
        results = [b for b in blocks if isinstance(b, dict) and b.get("type") == "tool_result"]
        prompt = word(told.get("promptId")) or self._prompts.get(agent)
        if results:
            if prompt is not None:  # where the beginning wasn't read
                self._prompts.setdefault(agent, prompt)
            for result in results:
                self._ended(told, result, prompt, agent)
            return
        if not self._begins(told, content, agent):
            return
        line = word(told.get("uuid"))
        name = word(told.get("promptId")) or (line and f"{UNNAMED}{line}")
        goes_on = name == self._prompts.get(agent) and "turnOrigin" not in told
        if name is not None and not goes_on:
            self._prompts[agent] = name
            self.seen.began(agent, name, _at_ms(told))

    def _begins(self, told: dict[str, Any], content: object, agent: str | None) -> bool:
        """Whether a prompt begins here: it says whose turn it is, or opens a sub-agent's work.
        Versions that don't say so are known by never having said so."""
        if "turnOrigin" in told:
            self._says_turns = True
            return True
        if told.get("isMeta") or told.get("isCompactSummary"):
            return False
        if agent is not None:
            return told.get("parentUuid") is None or told.get("promptId") != self._prompts.get(
                agent
            )
        local = isinstance(content, str) and content.startswith(LOCAL_COMMANDS)
        return not self._says_turns and not local

    def _assistant(self, told: dict[str, Any], message: dict[str, Any], agent: str | None) -> None:
        if "forkedFrom" in told:  # a copy of what another session did
            return
        content = message.get("content")
        model = word(message.get("model"))
        for block in content if isinstance(content, list) else []:
            use = word(block.get("id")) if isinstance(block, dict) else None
            if use is None or block.get("type") != "tool_use":
                continue
            tool, given = word(block.get("name")), block.get("input")
            self.seen.made(
                CallSeen(
                    use,
                    tool,
                    session=word(told.get("sessionId")),
                    prompt=self._prompts.get(agent),
                    agent=agent,
                    agent_type=word(told.get("attributionAgent")) if agent else None,
                    model=None if model == SYNTHETIC else model,
                    at_ms=_at_ms(told),
                    input_hash=hash_of(given) if isinstance(given, dict) else None,
                    label=label_of(tool or "", given),
                    message=word(message.get("id")),
                )
            )

    def _ended(
        self, told: dict[str, Any], result: dict[str, Any], prompt: str | None, agent: str | None
    ) -> None:
        """A result names its prompt, which the call's own line doesn't."""
        use = word(result.get("tool_use_id"))
        call = self.seen.calls.get(use) if use else None
        if call is None:
            return
        began, ended = call.at_ms, _at_ms(told)
        lasted = max(0, ended - began) if began is not None and ended is not None else None
        ok = result.get("is_error") is not True
        named = prompt if call.prompt is None else None
        self.seen.note(CallSeen(call.use, prompt=named, agent=agent, ok=ok, duration_ms=lasted))


def _agent(told: dict[str, Any]) -> str | None:
    """Whose line it is: a sub-agent's id, or a name for one that isn't told, or None."""
    name = word(told.get("agentId"))
    return name or ("sidechain" if told.get("isSidechain") is True else None)


def _at_ms(told: dict[str, Any]) -> int | None:
    """When a line was written."""
    try:
        at = datetime.fromisoformat(str(told.get("timestamp")))
        return plausible_ms(to_ms(at))
    except ValueError:
        return None
