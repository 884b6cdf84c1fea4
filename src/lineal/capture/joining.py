"""Joining what several witnesses saw of one call. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from lineal.capture.seen import UNNAMED, CallSeen, ReadSeen, Seen, same_prompt
from lineal.clock import from_ms
from lineal.models.lineage import Evidence, ModelSeen, ToolCall
from lineal.policy.provenance import CALLS_TOLD_MAX

__all__ = ["Account", "evidence_of", "joined", "known_of", "reads_since"]

CALLS_MAX = 64
"""How many of a prompt's latest calls stand in one write's tool_calls."""

SESSION_EVENTS = {"session": ModelSeen.SESSION_START, "switch": ModelSeen.MODEL_SWITCH}


class Account(NamedTuple):
    """What is known of one call.

    call: of itself. before: the earlier calls of its prompt and agent. began_ms: when that prompt
    began. model, model_seen: which model made the call, and where that stood.
    """

    call: CallSeen
    before: tuple[CallSeen, ...] = ()
    began_ms: int | None = None
    model: str | None = None
    model_seen: ModelSeen | None = None


def joined(use: str, written: Seen | None, told: Seen) -> Account | None:
    """What the transcript (the one that holds the call, if any does) and the hooks tell of a call.

    The transcript says best which model it was, the hooks which session, prompt and agent: a fork's
    transcript repeats other sessions' calls as its own. What is known of the session's model counts
    only for a call that a hook has told to be the session's own agent's: a sub-agent may have
    another, and nothing is guessed (L3).
    """
    by_transcript = written.calls.get(use) if written else None
    by_hook = told.calls.get(use)
    if by_transcript and by_hook and _differ(by_transcript, by_hook):
        by_transcript = None  # an earlier call of that id, or a fork's copy
    call = _both(by_transcript, by_hook)
    if call is None:
        return None
    sources = [seen for seen, by in ((written, by_transcript), (told, by_hook)) if seen and by]
    calls = _until(use, sources)
    chain = (call.agent, call.prompt)
    begins = (
        seen.began_ms.get(chain) or seen.began_ms.get((None, call.prompt)) for seen in sources
    )
    account = Account(call, calls[:-1], next((at for at in begins if at is not None), None))
    if by_transcript is not None and by_transcript.model:
        return account._replace(model=by_transcript.model, model_seen=ModelSeen.TRANSCRIPT)
    if by_hook is not None and by_hook.model:
        return account._replace(model=by_hook.model, model_seen=ModelSeen.HOOK)
    if call.agent is None and by_hook is not None and by_hook.session_model is not None:
        model, event = by_hook.session_model
        return account._replace(model=model, model_seen=SESSION_EVENTS[event])
    return account


def _differ(written: CallSeen, told: CallSeen) -> bool:
    """Whether these can't be the same call. A sub-agent may work on when the next prompt has begun,
    and the two needn't name that alike."""
    mains = written.agent is None and told.agent is None
    return mains and not same_prompt(written.prompt, told.prompt)


def _both(written: CallSeen | None, told: CallSeen | None) -> CallSeen | None:
    if written is None or told is None:
        return written or told
    return written._replace(
        session=told.session or written.session,
        prompt=told.prompt or written.prompt,
        agent=told.agent or written.agent,
    ).with_more(told)


def _until(use: str, sources: Sequence[Seen]) -> tuple[CallSeen, ...]:
    """The prompt's calls up to this one, by the first source that knows its prompt; the few of
    which more is told with all that any source knows of them."""
    chains = [seen.until(use) for seen in sources]
    chain = next((c for c in chains if c[-1].prompt is not None), chains[0])
    latest = (_known(call, sources) for call in chain[-CALLS_TOLD_MAX:])
    return (*chain[:-CALLS_TOLD_MAX], *latest)


def _known(call: CallSeen, sources: Iterable[Seen]) -> CallSeen:
    """The call with all that any source knows of it."""
    for seen in sources:
        other = seen.calls.get(call.use)
        if other is not None and other is not call and same_prompt(call.prompt, other.prompt):
            call = call.with_more(other)
    return call


def evidence_of(
    asked: Evidence, account: Account | None, name_of: Callable[[CallSeen], str]
) -> Evidence:
    """The evidence with an account of the call; name_of: how a call's tool is named."""
    if account is None:
        return asked
    return asked.model_copy(update=known_of(asked, account, name_of))


def known_of(
    asked: Evidence, account: Account, name_of: Callable[[CallSeen], str]
) -> dict[str, Any]:
    """What an account changes of the evidence, by name."""
    call = account.call
    told = CALLS_TOLD_MAX - 1
    earlier = account.before[-CALLS_MAX + 1 : -told]
    before = [_tool_call(c, name_of(c)) for c in account.before[-told:]]
    own = _tool_call(
        call._replace(input_hash=asked.input_hash or call.input_hash),
        asked.tool,
        come=asked.calls[-1].at if asked.calls else None,
    )
    return {
        "session_id": call.session or asked.session_id,
        "model_version": account.model,
        "model_seen": account.model_seen,
        "prompt_id": None if call.prompt is None else _plain(call.prompt),
        "agent_id": call.agent,
        "agent_type": call.agent_type,
        "calls": (*before, own),
        "earlier_calls": tuple(_tool_call_name(c.use, name_of(c)) for c in earlier),
    }


def _plain(prompt: str) -> str:
    """The client's name of a prompt."""
    return prompt.removeprefix(UNNAMED).split("#")[0]


def _tool_call_name(use: str, tool: str) -> str:
    return tool if use.startswith(UNNAMED) else f"{tool}:{use}"


@lru_cache(maxsize=1_024)  # a prompt's earlier calls come again with each later one
def _tool_call(call: CallSeen, tool: str, come: datetime | None = None) -> ToolCall:
    """come: when it came here, for one of which it isn't known when it was made."""
    return ToolCall(
        id=None if call.use.startswith(UNNAMED) else call.use,
        tool=tool,
        at=come if call.at_ms is None else from_ms(call.at_ms),
        duration_ms=call.duration_ms,
        ok=call.ok,
        input_hash=call.input_hash,
        label=call.label,
    )


def reads_since(
    reads: Iterable[ReadSeen], account: Account | None, began_ms: int | None = None
) -> tuple[str, ...]:
    """Contexts read since the prompt began, by the same agent, oldest first; as far as a read is
    known to be another prompt's or another agent's it is left out, and what was read by a call of
    the same message, whose results the model hadn't seen when it wrote this one. began_ms: of the
    session's present prompt, where the call's own isn't known."""
    known = account is not None and account.call.prompt is not None
    calls = {c.use for c in account.before if _answered(c, account.call)} if account else set[str]()
    began_ms = account.began_ms if account and known else began_ms
    found: dict[str, None] = {}
    for read in sorted(reads, key=lambda read: read.at_ms):
        if known and read.use is not None:
            ours = read.use in calls
        else:
            ours = began_ms is None or read.at_ms >= began_ms
        for name in read.ids if ours else ():
            found.pop(name, None)
            found[name] = None
    return tuple(found)


def _answered(earlier: CallSeen, call: CallSeen) -> bool:
    """Whether the model can have seen what came of an earlier call when it made this one."""
    return earlier.message is None or earlier.message != call.message
