"""What was seen of a session: its calls, prompts and models."""

from __future__ import annotations

from collections import OrderedDict
from itertools import islice
from typing import NamedTuple

__all__ = [
    "CALLS_MAX",
    "UNNAMED",
    "CallSeen",
    "Chain",
    "ReadSeen",
    "Seen",
    "plausible_ms",
    "same_prompt",
    "word",
]

CALLS_MAX = 4_096
"""Calls of one session that are remembered; the earliest go first."""

PROMPTS_MAX = 1_024

UNNAMED = "~"
"""The first sign of our own name for a call or a prompt that the client gave no id."""

SAME_CALL_MS = 30_000
"""Two hooks that tell of one call do so within this: its user may be asked in between."""

SAME_END_MS = 2_000
"""Two hooks that tell of one call's end do so within this."""

TWINS_MAX = 64
"""Among how many of the latest calls another sight of a call is looked for."""

WORD_CHARS_MAX = 200
"""A longer id, tool or model isn't one."""

YEAR_2100_MS = 4_102_444_800_000

Chain = tuple[str | None, str | None]
"""(agent, prompt): whose calls follow each other. agent None: the session's own."""


class CallSeen(NamedTuple):
    """One tool call as one witness saw it; None for what it didn't see.

    at_ms: when it was made. ended_ms: when somebody heard that it had ended. message: the answer of
    the model that it stands in; a model sees no result before the message is complete.
    session_model: what was known of the session's model then, and by which event.
    """

    use: str
    tool: str | None = None
    session: str | None = None
    prompt: str | None = None
    agent: str | None = None
    agent_type: str | None = None
    model: str | None = None
    at_ms: int | None = None
    duration_ms: int | None = None
    ok: bool | None = None
    input_hash: str | None = None
    label: str | None = None
    ended_ms: int | None = None
    message: str | None = None
    session_model: tuple[str, str] | None = None

    def with_more(self, other: CallSeen) -> CallSeen:
        """The same call with what another sight of it adds; what is known stays."""
        return CallSeen._make([b if a is None else a for a, b in zip(self, other, strict=True)])


class ReadSeen(NamedTuple):
    """That contexts were read: by which call, when, in which process. tool, input_hash, and the
    session as it was then believed to be: of a call that this process itself served."""

    use: str | None
    at_ms: int
    ids: tuple[str, ...]
    by: str | None
    tool: str | None = None
    input_hash: str | None = None
    session: str | None = None


class Seen:
    """The calls of one session in order: by id, and by agent and prompt."""

    def __init__(self) -> None:
        self.calls: OrderedDict[str, CallSeen] = OrderedDict()
        self.began_ms: OrderedDict[Chain, int] = OrderedDict()
        self._chains: dict[Chain, list[str]] = {}
        self._repeats = 0
        self._unnamed = 0

    def made(self, call: CallSeen) -> CallSeen:
        """Note that a call is made. An id that is used anew for another prompt's call is from then
        on that call's: not every model's calls have ids of their own."""
        known = self.calls.get(call.use)
        if known is not None and not same_prompt(known.prompt, call.prompt):
            self.unnote(call.use)
        return self.note(call)

    def note(self, call: CallSeen) -> CallSeen:
        """Add a call, or what is new of it."""
        known = self.calls.get(call.use)
        now = call if known is None else known.with_more(call)
        self.calls[call.use] = now
        chain = (now.agent, now.prompt)
        if known is None:
            self._unnamed += call.use.startswith(UNNAMED)
        if known is None or (known.agent, known.prompt) != chain:
            if known is not None:
                self._leave(known)
            self._chains.setdefault(chain, []).append(call.use)
        while len(self.calls) > CALLS_MAX:
            self._leave(self.calls.popitem(last=False)[1])
        return now

    def twin(self, call: CallSeen, *, unnamed: bool) -> str | None:
        """The latest other sight of what must be the same call: same prompt, tool and input, at
        about the same time. unnamed: whether that one is to be without or with an id."""
        if unnamed and not self._unnamed:
            return None
        for use, known in islice(reversed(self.calls.items()), TWINS_MAX):
            if (known.at_ms or 0) < (call.at_ms or 0) - SAME_CALL_MS:
                break
            alike = (known.prompt, known.tool, known.input_hash) == (
                call.prompt,
                call.tool,
                call.input_hash,
            )
            if alike and use.startswith(UNNAMED) is unnamed and _may_end_with(known, call):
                return use
        return None

    def unnote(self, use: str) -> None:
        """Take a call out again."""
        self._leave(self.calls.pop(use))

    def began(self, agent: str | None, prompt: str, at_ms: int | None) -> None:
        """A prompt began. Where one of that name had begun already (a forked session's copied lines
        all bear the new prompt's name), what was called since is an earlier prompt's."""
        chain = (agent, prompt)
        earlier = self._chains.pop(chain, [])
        if earlier:
            self._repeats += 1
            other = f"{prompt}#{self._repeats}"
            for use in earlier:
                self.calls[use] = self.calls[use]._replace(prompt=other)
            self._chains[agent, other] = earlier
        if at_ms is not None:
            self.began_ms[chain] = at_ms
        while len(self.began_ms) > PROMPTS_MAX:
            self.began_ms.popitem(last=False)

    def until(self, use: str) -> tuple[CallSeen, ...]:
        """The calls of the same prompt and agent up to this one, which comes last; () for a call
        that wasn't seen. Of a call whose prompt isn't known only itself."""
        call = self.calls.get(use)
        if call is None:
            return ()
        if call.prompt is None:
            return (call,)
        chain = self._chains[call.agent, call.prompt]
        return tuple(self.calls[name] for name in chain[: chain.index(use) + 1])

    def _leave(self, call: CallSeen) -> None:
        chain = (call.agent, call.prompt)
        self._chains[chain].remove(call.use)
        if not self._chains[chain]:
            del self._chains[chain]


def _may_end_with(known: CallSeen, call: CallSeen) -> bool:
    if known.ended_ms is None:
        return True
    return call.ended_ms is not None and call.ended_ms - known.ended_ms < SAME_END_MS


def same_prompt(one: str | None, other: str | None) -> bool:
    """Whether both may be the same prompt, as far as the client named them."""
    if one is None or other is None or UNNAMED in (one[0], other[0]):
        return True
    return one.split("#")[0] == other.split("#")[0]


def word(value: object) -> str | None:
    """What was found as an id or a name, if it is a plausible one."""
    plausible = isinstance(value, str) and 0 < len(value) <= WORD_CHARS_MAX and value.isprintable()
    return value if plausible and isinstance(value, str) else None


def plausible_ms(value: object) -> int | None:
    """What was found as a time since 1970 or a duration, if it is a plausible one."""
    plausible = type(value) is int and 0 <= value < YEAR_2100_MS
    return value if plausible and isinstance(value, int) else None
