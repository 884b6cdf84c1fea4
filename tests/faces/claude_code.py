"""A stand-in that behaves like Claude Code 2.1.330 towards an MCP server: its environment, its
`_meta`, its transcript with its delays, its hooks, its sub-agents. What it did is known, so that
what the server believes of it can be compared.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

from .clients import Lines, lines, server_environment

MODEL = "claude-sonnet-5"
HAIKU = "claude-haiku-5-5"
META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "claude-code", "version": "2.1.330"},
    "io.modelcontextprotocol/clientCapabilities": {"roots": {"listChanged": True}},
}


@dataclass(frozen=True)
class Timing:
    """When what is written down gets there.

    hooks: none | sink (events reach the server before the call) | late (after it) | command (a
    process for each). written_s: how far the transcript's lazy writer is behind, lines always in
    order; 0: not at all, so that a call's line is there before the call.
    """

    hooks: str = "none"
    written_s: float = 0.1


@dataclass
class Truth:
    """What really made a write: model, sub-agent, session, and the calls of its prompt."""

    model: str
    session: str
    prompt: str
    calls: list[str]
    agent: str | None = None
    read: list[str] = field(default_factory=list)


@dataclass
class Chain:
    """One agent's line of work. read: memories that it was shown since the prompt began."""

    agent: str | None
    agent_type: str | None
    model: str
    path: Path
    parent: str | None = None
    calls: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)


class ClaudeCode:
    """One session on one server."""

    def __init__(
        self,
        client: Lines,
        *,
        home: Path,
        project: Path,
        session: str,
        timing: Timing,
        truths: dict[str, Truth],
    ) -> None:
        self.client = client
        self.session = session
        self.timing = timing
        self.truths = truths
        self.prompt_id = ""
        self._home = home
        self._project = project
        self._number = 0
        self._waiting: SimpleQueue[tuple[float, Path, dict[str, Any]] | None] = SimpleQueue()
        self._writer = Thread(target=self._write_lazily, daemon=True)
        self._writer.start()
        self.main = Chain(None, None, MODEL, self.transcript(session))
        self.chain = self.main

    def transcript(self, session: str) -> Path:
        slug = re.sub(r"[^A-Za-z0-9]", "-", str(self._project))
        return self._home / ".claude" / "projects" / slug / f"{session}.jsonl"

    def start(self, source: str = "startup") -> None:
        """The session begins; interactively it names its model."""
        self._hook({"hook_event_name": "SessionStart", "source": source, "model": self.main.model})
        self._write(self.main, {"type": "mode", "mode": "normal"})

    def prompt(self, text: str = "please") -> None:
        """The user says something: a new prompt, on whose lines all that follows rests."""
        self.prompt_id = str(uuid.uuid4())
        self.main.calls, self.main.read = [], []
        self.chain = self.main
        line = {"type": "user", "message": {"role": "user", "content": text}}
        self._line(self.main, {**line, "turnOrigin": "human", "promptSource": "typed"})
        self._hook({"hook_event_name": "UserPromptSubmit", "prompt": text})

    def switch(self, model: str) -> None:
        """`/model`."""
        self._hook(
            {
                "hook_event_name": "PostModelSwitch",
                "from_model": self.main.model,
                "to_model": model,
            }
        )
        self.main.model = model

    def clear(self) -> None:
        """`/clear`: another session, on the same server, whose environment stays what it was."""
        self.session = str(uuid.uuid4())
        self.main = Chain(None, None, self.main.model, self.transcript(self.session))
        self.chain = self.main
        self._hook({"hook_event_name": "SessionStart", "source": "clear"})

    @contextmanager
    def sub_agent(self, kind: str, model: str) -> Iterator[None]:
        """A sub-agent works, with its own model and its own transcript."""
        use = self.other("Agent", {"description": "look", "prompt": "…", "subagent_type": kind})
        agent = uuid.uuid4().hex[:17]
        path = self.main.path.with_suffix("") / "subagents" / f"agent-{agent}.jsonl"
        before, self.chain = self.chain, Chain(agent, kind, model, path)
        self._line(
            self.chain, {"type": "user", "message": {"role": "user", "content": "look around"}}
        )
        yield
        self._hook({"hook_event_name": "SubagentStop", "agent_transcript_path": str(path)})
        self.chain = before
        self._result(use)

    def other(self, tool: str, given: dict[str, Any]) -> str:
        """A call of one of the client's own tools."""
        use = self._use()
        self.chain.calls.append(f"{tool}:{use}")
        self._hook({"hook_event_name": "PreToolUse", **_tool(use, tool, given)})
        self._assistant(use, tool, given)
        self._result(use)
        after = {"hook_event_name": "PostToolUse", "duration_ms": 12, "tool_response": {"a": "b"}}
        self._hook({**after, **_tool(use, tool, given)})
        return use

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """A call of one of the server's tools by the model."""
        (answer,) = self.calls((tool, arguments))
        return answer

    def calls(self, *wanted: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
        """Calls in one message, made one after the other as this client does."""
        uses = [(self._use(), tool, given) for tool, given in wanted]
        for use, tool, given in uses:
            self._assistant(use, f"mcp__lineal__{tool}", given)
        return [self._called(use, tool, given) for use, tool, given in uses]

    def settle(self) -> None:
        """All that was to be written is."""
        self._waiting.put(None)
        self._writer.join()
        self._writer = Thread(target=self._write_lazily, daemon=True)
        self._writer.start()

    def _write_lazily(self) -> None:
        while (line := self._waiting.get()) is not None:
            due_s, path, whole = line
            time.sleep(max(0.0, due_s - time.monotonic()))
            self._append(path, whole)

    def _called(self, use: str, tool: str, given: dict[str, Any]) -> dict[str, Any]:
        name, chain = f"{tool}:{use}", self.chain
        chain.calls.append(name)
        truth = Truth(
            chain.model,
            self.session,
            self.prompt_id,
            list(chain.calls),
            chain.agent,
            list(chain.read),
        )
        told = {"hook_event_name": "PreToolUse", **_tool(use, f"mcp__lineal__{tool}", given)}
        if self.timing.hooks != "late":
            self._hook(told)
        meta = {**META, "claudecode/toolUseId": use, "progressToken": self._number}
        request_id = f"c{use}"
        request = {"jsonrpc": "2.0", "id": request_id, "method": "tools/call"}
        params = {"name": tool, "arguments": given, "_meta": meta}
        self.client.say(json.dumps({**request, "params": params}).encode())
        answer = self.client.answer_to(request_id)["result"]
        if self.timing.hooks == "late":
            self._hook(told)
        self._hook({**told, "hook_event_name": "PostToolUse", "duration_ms": 3})
        self._result(use)
        content = answer["structuredContent"]
        self._note(content, use, truth)
        return dict(content)

    def _note(self, content: Mapping[str, Any], use: str, truth: Truth) -> None:
        if "hits" in content:
            self.chain.read += [hit["context_id"] for hit in content["hits"]]
        else:
            self.truths[use] = truth

    def _use(self) -> str:
        self._number += 1
        return f"toolu_01{uuid.uuid4().hex[:20].upper()}"

    def _assistant(self, use: str, tool: str, given: dict[str, Any]) -> None:
        block = {"type": "tool_use", "id": use, "name": tool, "input": given}
        message = {"role": "assistant", "model": self.chain.model, "content": [block]}
        more = {"attributionAgent": self.chain.agent_type} if self.chain.agent else {}
        self._line(self.chain, {"type": "assistant", "message": message, **more})

    def _result(self, use: str) -> None:
        block = {"type": "tool_result", "tool_use_id": use, "content": "done", "is_error": False}
        message = {"role": "user", "content": [block]}
        self._line(self.chain, {"type": "user", "message": message})

    def _line(self, chain: Chain, line: dict[str, Any]) -> None:
        """One line of a transcript; an assistant's has no promptId."""
        own = str(uuid.uuid4())
        at = datetime.now(UTC) + timedelta(microseconds=1)
        whole = {
            "parentUuid": chain.parent,
            "isSidechain": chain.agent is not None,
            **({"agentId": chain.agent} if chain.agent else {}),
            **({"promptId": self.prompt_id} if line["type"] == "user" else {}),
            **line,
            "uuid": own,
            "timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "sessionId": self.session,
            "cwd": str(self._project),
            "version": "2.1.330",
        }
        chain.parent = own
        self._write(chain, whole)

    def _write(self, chain: Chain, line: dict[str, Any]) -> None:
        if self.timing.written_s > 0:
            self._waiting.put((time.monotonic() + self.timing.written_s, chain.path, line))
        else:
            self._append(chain.path, line)

    @staticmethod
    def _append(path: Path, line: dict[str, Any]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line, separators=(",", ":")) + "\n")

    def _hook(self, event: dict[str, Any]) -> None:
        """Tell a hook, the way that this session's hooks go."""
        chain = self.chain
        whole = {
            "session_id": self.session,
            "transcript_path": str(self.main.path),
            "cwd": str(self._project),
            **({"prompt_id": self.prompt_id} if self.prompt_id else {}),
            **({"agent_id": chain.agent, "agent_type": chain.agent_type} if chain.agent else {}),
            **event,
        }
        starts = event["hook_event_name"] == "SessionStart"
        if self.timing.hooks == "none":
            return
        if self.timing.hooks == "command" or starts:
            hook(self._home, whole)
        else:
            self._sink(whole)

    def _sink(self, event: Mapping[str, Any]) -> None:
        """As the plugin's hooks.json has it: every value a string, "" for what isn't there."""
        names = ("session_id", "transcript_path", "tool_use_id", "tool_name", "prompt_id")
        more = ("agent_id", "agent_type", "duration_ms", "source", "agent_transcript_path")
        given = {name: str(event.get(name, "")) for name in (*names, *more)}
        given |= {"event": str(event["hook_event_name"]), "model": str(event.get("to_model", ""))}
        request_id = f"h{uuid.uuid4().hex}"
        params = {"name": "note_event", "arguments": given, "_meta": META}
        request = {"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": params}
        self.client.say(json.dumps(request).encode())
        result = self.client.answer_to(request_id)["result"]
        assert result["content"] == [{"type": "text", "text": "{}"}]


def _tool(use: str, tool: str, given: dict[str, Any]) -> dict[str, Any]:
    return {"tool_use_id": use, "tool_name": tool, "tool_input": given}


def hook(home: Path, event: Mapping[str, Any], client: str = "claude-code") -> None:
    """`lineal hook`, as a client runs it."""
    done = subprocess.run(
        [sys.executable, "-m", "lineal", "hook", client],
        input=json.dumps(event).encode(),
        env={"HOME": str(home), "LINEAL_HOME": str(home / "lineal")},
        capture_output=True,
        timeout=30,
        check=False,
    )
    said = b"{}\n" if client == "cursor" else b""
    assert (done.returncode, done.stdout, done.stderr) == (0, said, b"")


@contextmanager
def claude_code(
    home: Path,
    project: Path,
    timing: Timing,
    truths: dict[str, Truth],
    *,
    session: str | None = None,
    told_session: str | None = None,
) -> Iterator[ClaudeCode]:
    """A session on a server of its own. told_session: what the server's environment says instead,
    as it does after --continue."""
    name = session or str(uuid.uuid4())
    environment = {
        **server_environment(home),
        "CLAUDE_CODE_SESSION_ID": told_session or name,
        "CLAUDE_PROJECT_DIR": str(project),
        "CLAUDE_CODE_ENTRYPOINT": "cli",
        "CLAUDECODE": "1",
        "ANTHROPIC_API_KEY": "canary-sk-ant-51fe",
    }
    project.mkdir(parents=True, exist_ok=True)
    with lines(home, environment=environment) as client:
        yield ClaudeCode(
            client, home=home, project=project, session=name, timing=timing, truths=truths
        )


def stored(client: Lines, context_ids: list[str], within_s: float = 12.0) -> dict[str, Any]:
    """What a client reads of these memories once nothing is awaited any more."""
    deadline_s = time.monotonic() + within_s
    while True:
        found = {
            i: client.call("get_context", context_id=i)["structuredContent"] for i in context_ids
        }
        waiting = [i for i, context in found.items() if context["lineage"].get("awaits")]
        if not waiting or time.monotonic() > deadline_s:
            return found
        time.sleep(0.1)
