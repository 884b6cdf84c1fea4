"""A chat endpoint on a real socket, which answers as it was told to, badly if need be."""

from __future__ import annotations

import json

from .stand_in_http import Act, StandIn, drip, hang, http, hung_up, listening

__all__ = ["MODEL", "Act", "StandIn", "chat", "drip", "hang", "http", "hung_up", "listening"]

MODEL = "stand-in-1"


def chat(content: object, model: object = MODEL) -> Act:
    """A chat completion. content: a text, or what is sent as JSON in one."""
    text = content if isinstance(content, str) or content is None else json.dumps(content)
    message = {"role": "assistant", "content": text}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return http(200, json.dumps({"id": "c-1", "model": model, "choices": [choice]}))
