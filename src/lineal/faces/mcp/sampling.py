"""The client's own model, lent through MCP sampling."""

from __future__ import annotations

from typing import Any

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from lineal.errors import LinealError
from lineal.models.asking import Ask, Question, Said

__all__ = ["ask_of"]

TIMEOUT_S = 30.0
"""A client may show the question to a person first."""


def ask_of(ctx: ServerRequestContext[Any, Any], timeout_s: float = TIMEOUT_S) -> Ask | None:
    """A way to ask the model of the client whose call this is; None where it lends none.

    Up to protocol 2025-11-25 only. From 2026-07-28 on a server can't ask in the middle of a call:
    it would end the call with a question and the client would have to make it again, and one that
    declines never does. A memory is not lost for a better reading of it.
    """
    capabilities = ctx.session.client_capabilities
    if capabilities is None or capabilities.sampling is None:
        return None
    if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS or not ctx.session.can_send_request:
        return None

    async def ask(question: Question) -> Said:
        """Raises unavailable when the client declines, fails, or takes longer than timeout_s."""
        try:
            result = await ctx.session.send_request(
                _request(question),
                types.CreateMessageResult,
                request_read_timeout_seconds=timeout_s,
                metadata=ServerMessageMetadata(related_request_id=ctx.request_id),
            )
        except MCPError as refusal:
            late = refusal.code == types.REQUEST_TIMEOUT
            raise _unavailable(
                f"did not answer within {timeout_s:g} s" if late else "was not lent"
            ) from refusal
        except ValidationError:  # its words would hold the answer's
            result = None
        return _said(result)

    return ask


def _request(question: Question) -> types.CreateMessageRequest:
    content = types.TextContent(type="text", text=question.prompt)
    return types.CreateMessageRequest(
        params=types.CreateMessageRequestParams(
            messages=[types.SamplingMessage(role="user", content=content)],
            system_prompt=question.system,
            max_tokens=question.max_tokens,
            temperature=0,
            include_context="none",
        )
    )


def _said(result: types.CreateMessageResult | None) -> Said:
    if result is None or not isinstance(result.content, types.TextContent):
        raise _unavailable("answered something else than text")
    return Said(text=result.content.text, model=result.model)


def _unavailable(what: str) -> LinealError:
    return LinealError.unavailable(
        f"The client's own model {what}. Set LINEAL_LLM_URL to ask another, or LINEAL_SAMPLING=0 "
        "not to ask it."
    )
