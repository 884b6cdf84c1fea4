"""The client's own model is asked where the client lends it, and nobody waits for it for ever.

python tests/faces/test_sampling.py        the same server behind the front, on stdio
"""

from __future__ import annotations

import json
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

from lineal.faces.mcp.front import Front, run

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

    from lineal.models.asking import Ask

TIMEOUT_S = 0.3
WITHIN_S = 20.0
"""A cold start on a busy machine, with room."""

QUESTION = {"system": "Be brief.", "prompt": "Who?", "max_tokens": 7}


def server(timeout_s: float = WITHIN_S) -> Server[Any]:
    """One tool that asks the caller's own model, and says what came of it as JSON."""
    from mcp.server.lowlevel import Server
    from mcp_types import CallToolResult, ListToolsResult, TextContent, Tool

    from lineal.faces.mcp.sampling import ask_of

    async def list_tools(ctx: Any, params: Any) -> ListToolsResult:
        return ListToolsResult(tools=[Tool(name="ask", input_schema={"type": "object"})])

    async def call_tool(ctx: Any, params: Any) -> CallToolResult:
        answer = await _answered(ask_of(ctx, timeout_s))
        return CallToolResult(content=[TextContent(type="text", text=json.dumps(answer))])

    return Server("sampling", on_list_tools=list_tools, on_call_tool=call_tool)


async def _answered(ask: Ask | None) -> dict[str, Any]:
    from lineal.errors import LinealError
    from lineal.models.asking import Question

    if ask is None:
        return {"nobody": True}
    try:
        said = await ask(Question.model_validate(QUESTION))
    except LinealError as error:
        return dict(error.body()["error"])
    return said.model_dump()


class Lending:
    """A client's side of sampling: what it was asked, and what it answers."""

    def __init__(self, content: Any = None, model: str = "client-model-7") -> None:
        from mcp_types import TextContent

        self._content = content or TextContent(type="text", text="Ada.")
        self._model = model
        self.asked: list[Any] = []

    async def __call__(self, context: Any, params: Any) -> Any:
        from mcp_types import CreateMessageResult

        self.asked.append(params)
        return CreateMessageResult(role="assistant", content=self._content, model=self._model)


async def declining(context: Any, params: Any) -> Any:
    from mcp_types import INVALID_REQUEST, ErrorData

    return ErrorData(code=INVALID_REQUEST, message="The person said no.")


async def thinking(context: Any, params: Any) -> Any:
    import anyio

    await anyio.sleep(3_600)


async def told(where: Any, mode: str, lends: Any = None) -> dict[str, Any]:
    """What the tool said to a client that lends this."""
    import anyio
    from mcp import Client
    from mcp_types import CallToolResult, TextContent

    with anyio.fail_after(WITHIN_S):
        async with Client(where, mode=mode, sampling_callback=lends) as client:
            result = await client.call_tool("ask", {})
    assert isinstance(result, CallToolResult)
    assert isinstance(result.content[0], TextContent)
    answer: dict[str, Any] = json.loads(result.content[0].text)
    return answer


async def test_the_clients_model_is_asked_and_named() -> None:
    lends = Lending()
    assert await told(server(), "legacy", lends) == {"text": "Ada.", "model": "client-model-7"}
    [asked] = lends.asked
    assert (asked.system_prompt, asked.max_tokens) == ("Be brief.", 7)
    assert (asked.temperature, asked.include_context) == (0, "none")
    assert [message.content.text for message in asked.messages] == ["Who?"]


@pytest.mark.parametrize("mode", ["auto", "legacy", "2026-07-28"])
async def test_a_client_that_lends_nothing_is_not_asked(mode: str) -> None:
    assert await told(server(), mode) == {"nobody": True}


async def test_in_the_modern_era_a_call_is_never_broken_off_for_a_question() -> None:
    """Whoever declines there never makes the call again, and the memory would be lost."""
    lends = Lending()
    assert await told(server(), "2026-07-28", lends) == {"nobody": True}
    assert lends.asked == []


async def test_a_client_that_declines_is_no_defect() -> None:
    answer = await told(server(), "legacy", declining)
    assert (answer["code"], answer["retryable"]) == ("unavailable", True)
    assert "was not lent" in answer["message"]
    assert "LINEAL_SAMPLING" in answer["message"]


async def test_a_client_that_thinks_too_long_is_not_waited_for() -> None:
    answer = await told(server(TIMEOUT_S), "legacy", thinking)
    assert answer["code"] == "unavailable"
    assert f"within {TIMEOUT_S:g} s" in answer["message"]


async def test_an_answer_that_is_no_text_is_none() -> None:
    from mcp_types import ImageContent

    picture = ImageContent(type="image", data="aGk=", mime_type="image/png")
    answer = await told(server(), "legacy", Lending(picture))
    assert answer["code"] == "unavailable"
    assert "aGk=" not in json.dumps(answer)


async def test_an_answer_of_another_shape_is_none() -> None:
    from mcp_types import EmptyResult

    async def empty(context: Any, params: Any) -> Any:
        return EmptyResult()

    answer = await told(server(TIMEOUT_S), "legacy", empty)
    assert answer["code"] == "unavailable"


async def test_a_question_and_its_answer_pass_the_front_and_the_wire() -> None:
    """Over stdio, where a client's answers come in by the same lines as its requests."""
    from mcp import StdioServerParameters

    command = StdioServerParameters(command=sys.executable, args=[__file__])
    answer = await told(command, "legacy", Lending())
    assert answer == {"text": "Ada.", "model": "client-model-7"}
    answer = await told(command, "legacy", declining)
    assert "was not lent" in answer["message"]


def run_stdio(front: Front, *, read_only: bool) -> int:
    import anyio

    from lineal.faces.mcp.serve import serve_stdio

    anyio.run(serve_stdio, server(), front)
    return 0


if __name__ == "__main__":
    stage_two = ModuleType("lineal.app")
    stage_two.run_stdio = run_stdio  # type: ignore[attr-defined]
    sys.modules["lineal.app"] = stage_two
    sys.exit(run())
