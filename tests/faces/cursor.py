"""A stand-in that behaves like Cursor towards an MCP server, as far as its documentation tells:
the older handshake, no ids in `_meta`, hooks as processes. What it did is known, so that what the
server believes of it can be compared.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .claude_code import hook
from .clients import Lines, lines, server_environment

EMAIL = "canary-dev@example.com"
MODEL = "gpt-5-codex"
INSTALLED = ("beforeSubmitPrompt", "postToolUse", "postToolUseFailure")
"""The events that `lineal init cursor` asks for: each tool use is told of when it is over."""

ALL = (*INSTALLED, "sessionStart", "preToolUse", "beforeMCPExecution", "afterMCPExecution")


@dataclass
class Window:
    """One window: one server, however many conversations go on in it."""

    client: Lines
    home: Path
    _number: int = 0

    def hello(self) -> None:
        info = {"name": "cursor-vscode", "version": "1.0.0"}
        params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": info}
        self._ask("initialize", params)
        self.client.say(b'{"jsonrpc":"2.0","method":"notifications/initialized"}')

    def call(self, tool: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """A tool's structured answer."""
        result = self._ask("tools/call", {"name": tool, "arguments": arguments})
        assert not result.get("isError"), result
        return dict(result["structuredContent"])

    def _ask(self, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        self._number += 1
        request = {"jsonrpc": "2.0", "id": self._number, "method": method, "params": params}
        self.client.say(json.dumps(request).encode())
        return dict(self.client.answer_to(self._number)["result"])


@dataclass
class Conversation:
    """One conversation. hooks: the events that are hooked. as_text: whether a tool's input is told
    as JSON text. slow: hooks about a call that are told before it are told after it all the same.
    """

    window: Window
    model: str = MODEL
    hooks: tuple[str, ...] = INSTALLED
    as_text: bool = False
    slow: bool = False
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    generation: str = ""
    calls: list[str] = field(default_factory=list)

    def prompt(self) -> None:
        self.generation, self.calls = str(uuid.uuid4()), []
        self._hook("beforeSubmitPrompt", prompt="canary-prompt", attachments=[])

    def other(self, tool: str, given: Mapping[str, Any]) -> None:
        """A use of one of the client's own tools."""
        use = self._use(tool)
        self._hook("preToolUse", tool_name=tool, tool_input=given, tool_use_id=use)
        self._hook("postToolUse", **self._after(tool, given, use))

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """A use of one of the server's tools, with all its hooks."""
        done = self.begin(tool, arguments)
        answer = self.window.call(tool, arguments)
        done()
        return answer

    def begin(self, tool: str, arguments: Mapping[str, Any]) -> Any:
        """What is told before a use; what is called tells the rest."""
        use = self._use(f"MCP:{tool}")
        mcp = {"tool_name": tool, "tool_input": json.dumps(arguments), "mcp_server_name": "lineal"}
        given = json.dumps(arguments) if self.as_text else dict(arguments)
        generic = {"tool_name": f"MCP:{tool}", "tool_input": given, "tool_use_id": use}

        def before() -> None:
            self._hook("preToolUse", **generic)
            self._hook("beforeMCPExecution", **mcp)

        def done() -> None:
            if self.slow:
                before()
            self._hook("afterMCPExecution", **mcp, result_json="canary-result", duration=2)
            self._hook("postToolUse", **self._after(f"MCP:{tool}", given, use))

        if not self.slow:
            before()
        return done

    def named(self, tool: str) -> str:
        """How the last use stands in tool_calls: without an id where no hook tells one."""
        tells = {"preToolUse", "postToolUse"} & set(self.hooks)
        return self.calls[-1].removeprefix("MCP:") if tells else tool

    def _use(self, tool: str) -> str:
        use = f"call_{uuid.uuid4().hex[:16]}"
        self.calls.append(f"{tool}:{use}")
        return use

    def _after(self, tool: str, given: object, use: str) -> dict[str, Any]:
        out = {"tool_output": "canary-output", "duration": 2}
        return {"tool_name": tool, "tool_input": given, "tool_use_id": use, **out}

    def _hook(self, name: str, **told: Any) -> None:
        if name not in self.hooks:
            return
        common = {
            "conversation_id": self.id,
            "generation_id": self.generation,
            "model": self.model,
            "hook_event_name": name,
            "cursor_version": "2.1.0",
            "workspace_roots": [str(self.window.home / "canary-proj")],
            "user_email": EMAIL,
            "transcript_path": None,
        }
        hook(self.window.home, {**common, **told}, client="cursor")


@contextmanager
def cursor(home: Path) -> Iterator[Window]:
    """A window on a server of its own."""
    with lines(home, environment=server_environment(home)) as client:
        window = Window(client, home)
        window.hello()
        yield window
