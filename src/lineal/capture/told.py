"""What a client's hook tells, reduced to what lineage needs. No effects.

Standard library only, and little of it: a hook runs at every tool use, and each import is paid for
every time. So a record is a plain dict here; ledger.py has its type for those who read it.

Kept: which session, prompt, agent, tool call and model, when and how long. Never: what the prompt,
the input or the output says, who the user is (no e-mail address), or where they work.
"""

from __future__ import annotations

from lineal.canonical import canonical, hash_of, parsed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Record = dict[str, str | int | bool | None]

__all__ = [
    "CLIENTS",
    "label_of",
    "line_of",
    "of_claude",
    "of_cursor",
    "record_of",
]

WORD_CHARS_MAX = 200
"""A longer id, tool or model isn't one."""

PATH_CHARS_MAX = 4_096
LABEL_CHARS_MAX = 40
TOKEN_CHARS_MIN = 20
"""A label with a run this long of letters and digits mixed may be a secret, and is left out."""

DIGITS_MAX = 6
"""More may be a telephone's, an account's or a card's number, or a key."""

SWITCHES_MAX = 4
"""Letters and digits take turns more often in what nobody made up."""

PEOPLES_PLACES = ("home", "Users", "users")
"""What lies directly in them is named like its owner."""


def label_of(tool: str, tool_input: Any) -> str | None:
    """A word for a call: the program of a shell command, the name of a file, the host of an
    address, the kind of a sub-agent; None for what could say more than that."""
    if not isinstance(tool_input, dict):
        return None
    command, path = tool_input.get("command"), tool_input.get("file_path")
    if isinstance(command, str) and command:
        return _harmless(_program(command))
    if isinstance(path, str):
        return _harmless(_name(path))
    if isinstance(tool_input.get("subagent_type"), str):
        return _harmless(tool_input["subagent_type"])
    return _harmless(_host(tool_input.get("url")))


def _name(path: str) -> str:
    """The last part of a path; "" for a person's own directory."""
    parts = path.replace("\\", "/").rsplit("/", 2)
    return "" if parts[-2:-1] and parts[-2] in PEOPLES_PLACES else parts[-1]


def _program(command: str) -> str:
    """The program of a shell command; "" where what stands before it isn't plain enough to be sure
    that it is one, and no part of a quoted value."""
    for word in command.split(None, 8)[:8]:
        name, is_variable, value = word.partition("=")
        if not is_variable:
            return "" if "://" in word or _switches(word) > SWITCHES_MAX else _name(word)
        if not name.isidentifier() or not all(s.isalnum() or s in "._-/:,+@%" for s in value):
            return ""
        if not value:
            return ""
    return ""


def _host(url: object) -> str:
    """An address's host; "" where it holds a user's name or could."""
    if not isinstance(url, str) or "://" not in url or "@" in url:
        return ""
    place = url.split("://", 1)[1].replace("?", "/").replace("#", "/").split("/", 1)[0]
    host = place.split(":", 1)[0]
    named = host == "localhost" or "." in host
    return host if named and all(s.islower() or s.isdigit() or s in ".-" for s in host) else ""


def _harmless(word: str) -> str | None:
    """The word if it is short, of plain signs, and can't be a token or a number of somebody's."""
    if not 0 < len(word) <= LABEL_CHARS_MAX or sum(map(str.isdigit, word)) > DIGITS_MAX:
        return None
    if _switches(word) > SWITCHES_MAX:
        return None
    run = digits = letters = 0
    for sign in word:
        if not (sign.isalnum() or sign in "._-+"):
            return None
        run, digits, letters = (
            (run + 1, digits + sign.isdigit(), letters + sign.isalpha())
            if sign.isalnum() or sign in "_-"
            else (0, 0, 0)
        )
        if run >= TOKEN_CHARS_MIN and digits and letters:
            return None
    return word


def _switches(word: str) -> int:
    """How often a letter stands beside a digit."""
    pairs = ((word[i], word[i + 1]) for i in range(len(word) - 1))
    return sum((a.isalpha() and b.isdigit()) or (a.isdigit() and b.isalpha()) for a, b in pairs)


CLAUDE_EVENTS = {
    "SessionStart": "session",
    "UserPromptSubmit": "prompt",
    "PreToolUse": "before",
    "PostToolUse": "after",
    "PostToolUseFailure": "after",
    "PostModelSwitch": "switch",
    "SubagentStop": "agent",
}
"""Claude Code's name of an event → ours. Any other is of no use here."""

CURSOR_EVENTS = {
    "sessionStart": "session",
    "beforeSubmitPrompt": "prompt",
    "preToolUse": "before",
    "beforeMCPExecution": "before",
    "postToolUse": "after",
    "postToolUseFailure": "after",
    "afterMCPExecution": "after",
}


CURSOR_CHOOSES = ("default", "auto")
"""Said in place of a model when Cursor chooses one itself, and doesn't say which."""


def of_claude(told: dict[str, Any], at_ms: int) -> Record | None:
    """The record of one of Claude Code's hook events, as a command hook gets it on stdin, or as
    the sink tool gets it (`event` for `hook_event_name`, every value a string, "" for absent)."""
    name = str(told.get("hook_event_name") or told.get("event"))
    event = CLAUDE_EVENTS.get(name)
    if event is None:
        return None
    model = told.get("to_model") if event == "switch" and told.get("to_model") else None
    return record_of(
        at_ms,
        "claude-code",
        event,
        told.get("session_id"),
        transcript=told.get("agent_transcript_path") or told.get("transcript_path"),
        prompt=told.get("prompt_id"),
        use=told.get("tool_use_id"),
        tool=told.get("tool_name"),
        agent=told.get("agent_id"),
        agent_type=told.get("agent_type"),
        model=model or told.get("model"),
        ms=told.get("duration_ms"),
        ok=False if name == "PostToolUseFailure" else None,
        tool_input=told.get("tool_input"),
    )


def of_cursor(told: dict[str, Any], at_ms: int) -> Record | None:
    """The record of one of Cursor's hook events. A generation is what follows one prompt."""
    name = str(told.get("hook_event_name"))
    event = CURSOR_EVENTS.get(name)
    if event is None:
        return None
    tool, tool_input = told.get("tool_name"), told.get("tool_input")
    model = told.get("model")
    if isinstance(tool_input, str):
        tool_input = parsed(tool_input)
    if "MCPExecution" in name and isinstance(tool, str):
        tool = "MCP:" + tool.removeprefix("MCP:")
    return record_of(
        at_ms,
        "cursor",
        event,
        told.get("conversation_id"),
        prompt=told.get("generation_id"),
        use=told.get("tool_use_id"),
        tool=tool,
        model=None if model in CURSOR_CHOOSES else model,
        ms=told.get("duration"),
        ok=False if name == "postToolUseFailure" else None,
        tool_input=tool_input,
    )


CLIENTS = {"claude-code": of_claude, "cursor": of_cursor}
"""Client → how its events are read."""


def record_of(
    at_ms: int,
    client: str,
    event: str,
    session: object,
    *,
    transcript: object = None,
    tool_input: object = None,
    ms: object = None,
    ok: bool | None = None,
    **words: object,
) -> Record | None:
    """A record with what is plausible of it; None without a session to belong to."""
    name = _word(session)
    if name is None:
        return None
    record: Record = {"at": at_ms, "client": client, "event": event, "session": name}
    record["transcript"] = _word(transcript, PATH_CHARS_MAX)
    record.update({key: _word(value) for key, value in words.items()})
    record["ms"] = _milliseconds(ms)
    record["ok"] = ok
    if isinstance(tool_input, dict):
        record["input"] = hash_of(tool_input)
        record["label"] = label_of(str(words.get("tool")), tool_input)
    return {key: value for key, value in record.items() if value is not None}


def _word(value: object, most: int = WORD_CHARS_MAX) -> str | None:
    """A client's own word, if it is a plausible one: no placeholder that was left as it was."""
    if not isinstance(value, str) or not 0 < len(value) <= most or value.startswith("${"):
        return None
    return value if value.isprintable() else None


def _milliseconds(value: object) -> int | None:
    if isinstance(value, str) and value.isdecimal() and len(value) < 12:
        return int(value)
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e12:
        return int(value)
    return None


def line_of(record: Record) -> bytes:
    """One line of a ledger."""
    return canonical(record).encode("utf-8", "surrogatepass") + b"\n"
