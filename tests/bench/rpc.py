"""A raw JSON-lines client: no SDK in it, so that what is measured is the server."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = ["LINEAL", "Rpc", "RpcError", "clean_environment"]

LINEAL = [sys.executable, "-m", "lineal", "serve"]


class RpcError(Exception):
    """The server answered with an error, or not at all."""


def clean_environment(**extra: str) -> dict[str, str]:
    """What a client would hand on: the path and the home, and nothing of lineal's."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, **extra}


class Rpc:
    """One server process and its pipes; calls are answered in turn."""

    def __init__(
        self, command: list[str], environment: Mapping[str, str], stderr: Path | None = None
    ) -> None:
        log = stderr.open("ab") if stderr else subprocess.DEVNULL
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env=dict(environment),
        )
        self._id = 0

    def send(self, method: str, params: Mapping[str, Any] | None = None) -> int:
        """Write one request; its id."""
        self._id += 1
        self._write({"jsonrpc": "2.0", "id": self._id, "method": method, "params": params or {}})
        return self._id

    def notify(self, method: str) -> None:
        self._write({"jsonrpc": "2.0", "method": method})

    def answer(self, wanted: int) -> dict[str, Any]:
        """The result of that request; messages before it are passed over."""
        assert self.process.stdout is not None
        while line := self.process.stdout.readline():
            message = json.loads(line)
            if message.get("id") == wanted:
                if "error" in message:
                    raise RpcError(json.dumps(message["error"]))
                result: dict[str, Any] = message["result"]
                return result
        raise RpcError("the server closed its output")

    def request(self, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return self.answer(self.send(method, params))

    def handshake(self, name: str = "bench") -> None:
        """The 2025-11-25 opening, by a client of that name."""
        client = {"name": name, "version": "1"}
        opening = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}
        self.request("initialize", opening)
        self.notify("notifications/initialized")

    def call(
        self, tool: str, *, meta: Mapping[str, Any] | None = None, **arguments: Any
    ) -> dict[str, Any]:
        """A tool's structured answer. Raises RpcError with the message of a failed call."""
        params: dict[str, Any] = {"name": tool, "arguments": arguments}
        result = self.request("tools/call", {**params, "_meta": meta} if meta else params)
        content: dict[str, Any] = result.get("structuredContent") or {}
        if result.get("isError"):
            raise RpcError(json.dumps(content.get("error", result["content"])))
        return content

    def rss_bytes(self) -> int:
        """Resident memory of the server process (Linux)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) * 1024

    def close(self) -> None:
        """End of input, and a while to leave."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()

    def _write(self, message: Mapping[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(message).encode() + b"\n")
        self.process.stdin.flush()
