"""A server with what the official conformance suite calls for, behind our own gate and process.

python -m tests.http.conformance_server      prints its address, and serves until it is told to end
The tools are the suite's, none of them ours: what is tried is what carries them.
"""

from __future__ import annotations

import base64
import json
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.prompts.base import UserMessage
from mcp.server.transport_security import TransportSecuritySettings
from mcp.shared.exceptions import MCPError
from mcp.shared.message import ServerMessageMetadata

from lineal.clock import SystemClock, monotonic_s
from lineal.errors import LinealError
from lineal.faces.http.app import Process
from lineal.faces.http.bodies import Bodies
from lineal.faces.http.gate import Gate, Rules
from lineal.faces.http.metrics import Metrics
from lineal.faces.http.serving import address_of, listen, serve_app

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8"
    "z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg=="
)
WAV = base64.b64encode(
    b"RIFF$\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0@\x1f\0\0@\x1f\0\0\1\0\x08\0data\0\0\0\0"
).decode()
PAUSE_S = 0.05

FIXTURE = "What the conformance suite calls for."

server = MCPServer("conformance-fixtures", version="1", log_level="WARNING")
tool = partial(server.tool, description=FIXTURE)
prompt = partial(server.prompt, description=FIXTURE)


def text(said: str) -> types.TextContent:
    return types.TextContent(type="text", text=said)


def image() -> types.ImageContent:
    return types.ImageContent(type="image", data=PNG, mime_type="image/png")


def embedded(uri: str, mime_type: str, said: str) -> types.EmbeddedResource:
    inner = types.TextResourceContents(uri=uri, mime_type=mime_type, text=said)
    return types.EmbeddedResource(type="resource", resource=inner)


@tool()
async def test_simple_text() -> str:
    return "This is a simple text response for testing."


@tool()
async def test_image_content() -> types.ImageContent:
    return image()


@tool()
async def test_audio_content() -> types.AudioContent:
    return types.AudioContent(type="audio", data=WAV, mime_type="audio/wav")


@tool()
async def test_embedded_resource() -> types.EmbeddedResource:
    said = "This is an embedded resource content."
    return embedded("test://embedded-resource", "text/plain", said)


@tool()
async def test_multiple_content_types() -> list[Any]:
    mixed = embedded(
        "test://mixed-content-resource", "application/json", '{"test":"data","value":123}'
    )
    return [text("Multiple content types test:"), image(), mixed]


@tool()
async def test_tool_with_logging(ctx: Context[Any, Any]) -> str:
    for said in ("started", None, "completed"):
        await ctx.info("Tool processing data" if said is None else f"Tool execution {said}")
        await anyio.sleep(PAUSE_S)
    return "Logged three times."


@tool()
async def test_error_handling() -> str:
    raise ToolError("This tool intentionally returns an error for testing")


@tool()
async def test_tool_with_progress(ctx: Context[Any, Any]) -> str:
    for progress in (0, 50, 100):
        await ctx.report_progress(progress, 100)
        await anyio.sleep(PAUSE_S)
    return "Went all the way."


@tool()
async def test_sampling(prompt: str, ctx: Context[Any, Any]) -> str:
    message = types.SamplingMessage(role="user", content=text(prompt))
    request = types.CreateMessageRequest(
        params=types.CreateMessageRequestParams(messages=[message], max_tokens=100)
    )
    said = await _asked(ctx, request, types.CreateMessageResult)
    assert isinstance(said.content, types.TextContent)
    return f"LLM response: {said.content.text}"


async def _asked(ctx: Context[Any, Any], request: Any, answer: type[Any]) -> Any:
    """Asked on the stream of the call, as the protocol has it."""
    metadata = ServerMessageMetadata(related_request_id=ctx.request_context.request_id)
    return await ctx.session.send_request(request, answer, metadata=metadata)


async def _elicited(ctx: Context[Any, Any], message: str, schema: dict[str, Any]) -> str:
    params = types.ElicitRequestFormParams(message=message, requested_schema=schema)
    said = await _asked(ctx, types.ElicitRequest(params=params), types.ElicitResult)
    return f"action={said.action}, content={json.dumps(said.content)}"


def form(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required)}


@tool()
async def test_elicitation(message: str, ctx: Context[Any, Any]) -> str:
    word = {"type": "string", "description": "User's response"}
    asked = form({"username": word, "email": word}, "username", "email")
    return f"User response: {await _elicited(ctx, message, asked)}"


@tool()
async def test_elicitation_sep1034_defaults(ctx: Context[Any, Any]) -> str:
    status = {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"}
    asked = form(
        {
            "name": {"type": "string", "default": "John Doe"},
            "age": {"type": "integer", "default": 30},
            "score": {"type": "number", "default": 95.5},
            "status": status,
            "verified": {"type": "boolean", "default": True},
        }
    )
    return f"Elicitation completed: {await _elicited(ctx, 'Defaults', asked)}"


@tool()
async def test_elicitation_sep1330_enums(ctx: Context[Any, Any]) -> str:
    options = ["option1", "option2", "option3"]
    titled = [{"const": f"value{n}", "title": f"Choice {n}"} for n in (1, 2, 3)]
    legacy = {"enum": ["opt1", "opt2", "opt3"], "enumNames": ["One", "Two", "Three"]}
    asked = form(
        {
            "untitledSingle": {"type": "string", "enum": options},
            "titledSingle": {"type": "string", "oneOf": titled},
            "legacyEnum": {"type": "string", **legacy},
            "untitledMulti": {"type": "array", "items": {"type": "string", "enum": options}},
            "titledMulti": {"type": "array", "items": {"anyOf": titled}},
        }
    )
    return f"Elicitation completed: {await _elicited(ctx, 'Choices', asked)}"


# --- questions that end a call, which is made again with their answers (2026-07-28) ---


def ask_name(key: str, message: str, field: str = "name") -> dict[str, types.InputRequest]:
    params = types.ElicitRequestFormParams(
        message=message, requested_schema=form({field: {"type": "string"}}, field)
    )
    return {key: types.ElicitRequest(params=params)}


def ask_model(key: str, said: str) -> dict[str, types.InputRequest]:
    message = types.SamplingMessage(role="user", content=text(said))
    params = types.CreateMessageRequestParams(messages=[message], max_tokens=100)
    return {key: types.CreateMessageRequest(params=params)}


def ask_roots(key: str) -> dict[str, types.InputRequest]:
    return {key: types.ListRootsRequest()}


def needs(
    requests: dict[str, types.InputRequest], state: str | None = None
) -> types.InputRequiredResult:
    return types.InputRequiredResult(input_requests=requests, request_state=state)


def answered(ctx: Context[Any, Any], key: str) -> Any:
    """The answer to one question; None until it was asked."""
    return (ctx.input_responses or {}).get(key)


@tool()
async def test_input_required_result_elicitation(
    ctx: Context[Any, Any],
) -> str | types.InputRequiredResult:
    said = answered(ctx, "user_name")
    if not isinstance(said, types.ElicitResult) or "name" not in (said.content or {}):
        return needs(ask_name("user_name", "What is your name?"))
    return f"Hello, {(said.content or {})['name']}!"


@tool()
async def test_input_required_result_sampling(
    ctx: Context[Any, Any],
) -> str | types.InputRequiredResult:
    said = answered(ctx, "capital_question")
    if said is None:
        return needs(ask_model("capital_question", "What is the capital of France?"))
    return f"It said: {said.content}"


@tool()
async def test_input_required_result_list_roots(
    ctx: Context[Any, Any],
) -> str | types.InputRequiredResult:
    said = answered(ctx, "client_roots")
    return needs(ask_roots("client_roots")) if said is None else f"Roots: {said.roots}"


@tool()
async def test_input_required_result_request_state(
    ctx: Context[Any, Any],
) -> str | types.InputRequiredResult:
    if ctx.request_state != "one":
        return needs(ask_name("confirm", "Please confirm", "ok"), "one")
    return "state-ok"


@tool()
async def test_input_required_result_tampered_state(
    ctx: Context[Any, Any],
) -> str | types.InputRequiredResult:
    if ctx.request_state != "one":
        return needs(ask_name("confirm", "Please confirm", "ok"), "one")
    return "state-ok"


@tool()
async def test_input_required_result_multiple_inputs(
    ctx: Context[Any, Any],
) -> str | types.InputRequiredResult:
    if ctx.request_state != "all":
        asked = ask_name("user_name", "What is your name?")
        return needs(asked | ask_model("greeting", "Greet.") | ask_roots("client_roots"), "all")
    return f"Answered: {sorted(ctx.input_responses or {})}"


@tool()
async def test_input_required_result_multi_round(
    ctx: Context[Any, Any],
) -> str | types.InputRequiredResult:
    if ctx.request_state is None:
        return needs(ask_name("step1", "Step 1: What is your name?"), "first")
    if ctx.request_state == "first":
        return needs(ask_name("step2", "Step 2: What is your favorite color?", "color"), "second")
    return "Done after two questions."


@tool()
async def test_input_required_result_capabilities(
    ctx: Context[Any, Any],
) -> str | types.InputRequiredResult:
    """Only what the client declared is asked of it."""
    can = ctx.client_capabilities
    requests: dict[str, types.InputRequest] = {}
    if can is not None and can.elicitation is not None:
        requests |= ask_name("user_name", "What is your name?")
    if can is not None and can.sampling is not None:
        requests |= ask_model("greeting", "Greet.")
    return needs(requests) if requests and not ctx.input_responses else "Nothing to ask."


@prompt()
async def test_input_required_result_prompt(
    ctx: Context[Any, Any],
) -> str | types.InputRequiredResult:
    said = answered(ctx, "user_context")
    if said is None:
        return needs(ask_name("user_context", "What context should the prompt use?", "context"))
    return f"In the context of {said.content}"


@tool()
async def test_missing_capability() -> str:
    raise MCPError(
        code=types.MISSING_REQUIRED_CLIENT_CAPABILITY,
        message="It needs sampling.",
        data={"requiredCapabilities": {"sampling": {}}},
    )


@tool()
async def test_streaming_elicitation(
    ctx: Context[Any, Any],
) -> str | types.InputRequiredResult:
    await ctx.report_progress(1, 2)
    said = answered(ctx, "user_name")
    return needs(ask_name("user_name", "What is your name?")) if said is None else "Heard."


@tool()
async def test_logging_tool(ctx: Context[Any, Any]) -> str:
    await ctx.info("A line of the log.")
    return "Logged."


async def noted(ctx: Any, params: Any) -> types.EmptyResult:
    """For requests of the older protocol that only have to be taken."""
    return types.EmptyResult()


@server.resource("test://static-text", mime_type="text/plain")
async def static_text() -> str:
    return "This is the content of the static text resource."


@server.resource("test://static-binary", mime_type="image/png")
async def static_binary() -> bytes:
    return base64.b64decode(PNG)


@server.resource("test://template/{id}/data", mime_type="application/json")
async def template(id: str) -> str:
    return json.dumps({"id": id, "templateTest": True, "data": f"Data for ID: {id}"})


@prompt()
async def test_simple_prompt() -> str:
    return "This is a simple prompt for testing."


@prompt()
async def test_prompt_with_arguments(arg1: str, arg2: str) -> str:
    return f"Prompt with arguments: arg1='{arg1}', arg2='{arg2}'"


@prompt()
async def test_prompt_with_embedded_resource(resourceUri: str) -> list[UserMessage]:
    inner = embedded(resourceUri, "text/plain", "Embedded resource content for testing.")
    return [UserMessage(inner), UserMessage("Please process the embedded resource above.")]


@prompt()
async def test_prompt_with_image() -> list[UserMessage]:
    return [UserMessage(image()), UserMessage("Please analyze the image above.")]


@server.completion()  # type: ignore[no-untyped-call,untyped-decorator]
async def complete(ref: Any, argument: Any, context: Any) -> types.Completion:
    return types.Completion(values=["paris", "park", "party"], total=3, has_more=False)


for method, params in (
    ("logging/setLevel", types.SetLevelRequestParams),
    ("resources/subscribe", types.SubscribeRequestParams),
    ("resources/unsubscribe", types.UnsubscribeRequestParams),
):
    server._lowlevel_server.add_request_handler(method, params, noted)


async def _fetch(url: str) -> bytes:
    raise LinealError.unavailable(f"nothing is fetched here: {url}")


async def main(home: Path) -> None:
    """Serve the fixtures through the gate and the process that lineal's own server has."""
    process = Process.of("127.0.0.1", home, SystemClock(), tenant="local", fetch=_fetch)
    inner = server.streamable_http_app(
        transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False)
    )
    rules = Rules(
        addresses=process.addresses,
        callers=process.callers,
        rates=None,
        bodies=Bodies(1_000_000),
        public=(),
        metadata=lambda path: None,
        elapsed_s=monotonic_s,
    )
    listening = listen("127.0.0.1", 0)
    said = f"listens on {address_of(listening)}"
    await serve_app(Gate(inner, rules, Metrics()), listening, lambda: print(said, flush=True))  # noqa: T201


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        anyio.run(main, Path(home))
