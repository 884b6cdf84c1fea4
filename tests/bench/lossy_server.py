"""A control: a server that acknowledges what it has not kept, so that the crowd must catch it.

It answers the same tools as lineal over a JSON file that each process reads at its start and
writes back whole, now and then, without a lock: two processes silently discard each other's
writes, and a killed one loses what it had only in memory.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

FLUSH_EVERY = 20


def main(path: Path) -> None:
    kept: dict[str, dict[str, Any]] = json.loads(path.read_text()) if path.exists() else {}
    writes = 0
    for line in sys.stdin:
        message = json.loads(line)
        if "id" not in message:
            continue
        result: dict[str, Any] = {}
        if message["method"] == "initialize":
            result = {"protocolVersion": "2025-11-25", "capabilities": {}, "serverInfo": {}}
        elif message["method"] == "tools/call":
            arguments = message["params"]["arguments"]
            result = {"structuredContent": answer(kept, message["params"]["name"], arguments)}
            writes += 1
            if writes % FLUSH_EVERY == 0:
                path.write_text(json.dumps(kept))
        print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)


def answer(kept: dict[str, dict[str, Any]], tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
    if tool == "append_context":
        context_id = f"ctx_{len(kept)}_{abs(hash(arguments['content']))}"
        kept[context_id] = {"content": arguments["content"], "revision": 1}
        return {"context_id": context_id}
    if tool == "update_context":
        row = kept.setdefault(arguments["context_id"], {"content": "", "revision": 0})
        row["content"], row["revision"] = arguments["content"], row["revision"] + 1
        return {"id": arguments["context_id"], "revision": row["revision"]}
    return {}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
