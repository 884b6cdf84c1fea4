"""The MCP face: the SDK's low-level server over the service."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any
from urllib.parse import quote, unquote

import mcp_types as types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel.server import Server
from mcp.server.subscriptions import (
    InMemorySubscriptionBus,
    ListenHandler,
    ResourceUpdated,
    ServerEvent,
)
from mcp.shared.exceptions import MCPError
from pydantic_core import from_json, to_json

from lineal import __version__
from lineal.canonical import hash_of
from lineal.errors import ErrorCode, LinealError
from lineal.faces.mcp import resources, texts
from lineal.faces.mcp.access import EVERYTHING, Access, AccessOf, guarded
from lineal.faces.mcp.budget import fitted
from lineal.faces.mcp.opening import NOTE_EVENT, TOOL_USE_ID
from lineal.faces.mcp.sampling import ask_of
from lineal.faces.mcp.tools import TOOLS, ToolSpec, listed
from lineal.models.base import Model
from lineal.models.changes import Call
from lineal.models.context import AppendAnswer, ContextAnswer, ForgetAnswer, GetContext
from lineal.models.lineage import Evidence, Lineage, Trace
from lineal.models.parse import parse
from lineal.models.search import CHARS_PER_TOKEN, SearchAnswer, SearchContext
from lineal.models.user import UserAnswer
from lineal.policy.limits import is_plain
from lineal.policy.packing import told
from lineal.policy.unread import unread

__all__ = ["build_server", "build_shared_server", "scope_of"]

CLAUDE = "claude"
"""How the name begins of the client whose environment tells of its session."""

NOTED = types.CallToolResult(content=[types.TextContent(type="text", text="{}")])
"""A client reads a hook's answer for orders; this one holds none, and nothing of it reaches the
model."""

WORD_CHARS_MAX = 200
"""A longer name, version or id of a client's is not taken down."""

NODE_SOURCES_MAX = 8
"""Sources named in a node of a trace; its edges name them all."""

ASKED_WRONG = (ErrorCode.INVALID_REQUEST, ErrorCode.NOT_FOUND)
"""Errors of what was asked, which repeat some of it; any other is ours."""


_audit = logging.getLogger("lineal.audit")


def build_server(access: Access, *, read_only: bool = False) -> Server[Any]:
    """A server with tools, resources and a prompt for one client; `access` leads to the service at
    the first call, so that listing needs none. Lists do not depend on any setting but
    read_only."""
    return build_shared_server(lambda _: access, read_only=read_only)


def build_shared_server(access_of: AccessOf, *, read_only: bool = False) -> Server[Any]:
    """The same for many clients: `access_of` says whose a request is. Each is shown the tools that
    its scopes let it call."""
    face = _Face(access_of, read_only=read_only)
    return Server(
        "lineal",
        version=__version__,
        title="lineal memory",
        instructions=texts.INSTRUCTIONS,
        on_list_tools=face.list_tools,
        on_call_tool=face.call_tool,
        on_list_resources=face.list_resources,
        on_list_resource_templates=face.list_resource_templates,
        on_read_resource=face.read_resource,
        on_list_prompts=face.list_prompts,
        on_get_prompt=face.get_prompt,
        on_subscriptions_listen=face.listen,
    )


Ctx = ServerRequestContext[Any, Any]


class Bus(InMemorySubscriptionBus):
    """The SDK's bus, which yields to the loop at each event, silent while nobody listens."""

    def __init__(self) -> None:
        super().__init__()
        self._listening = 0

    def subscribe(self, listener: Callable[[ServerEvent], None]) -> Callable[[], None]:
        self._listening += 1
        leave = super().subscribe(listener)
        left = False

        def unsubscribe() -> None:
            nonlocal left
            self._listening -= not left
            left = True
            leave()

        return unsubscribe

    async def publish(self, event: ServerEvent) -> None:
        if self._listening:
            await super().publish(event)


class _Listening:
    """Who listens behind one wall."""

    def __init__(self) -> None:
        self.bus = Bus()
        self.handler = ListenHandler(self.bus)


class _Face:
    """The handlers; each turns words into a model, forwards it, and turns the answer to words."""

    def __init__(self, access_of: AccessOf, *, read_only: bool) -> None:
        self._access_of = access_of
        self._read_only = read_only
        self._listening: dict[str, _Listening] = {}

    async def list_tools(
        self, ctx: Ctx, params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        scopes = self._access_of(ctx).scopes
        if scopes >= EVERYTHING:
            return types.ListToolsResult(tools=self._tools)
        tools = [tool for tool in self._tools if scope_of(TOOLS[tool.name]) in scopes]
        return types.ListToolsResult(tools=tools)

    @cached_property
    def _tools(self) -> list[types.Tool]:
        """Made when the SDK is first asked: usually the front has answered long before."""
        return listed(read_only=self._read_only)

    async def listen(
        self, ctx: Ctx, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        """What changes behind the caller's own wall; a name alone tells no other of it."""
        access = self._access_of(ctx)
        if "read" not in access.scopes:
            raise _refusal(_denied(access, "subscriptions/listen", "read"))
        listening = self._listening.setdefault(access.tenant, _Listening())
        return await listening.handler(ctx, params)

    async def call_tool(
        self, ctx: Ctx, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        """Every failure of a call is a result with isError, which the model can read (E1)."""
        access = self._access_of(ctx)
        if params.name == NOTE_EVENT and TOOL_USE_ID not in (ctx.meta or {}):
            return await self._noted(access, ctx, params.arguments or {})
        spec = TOOLS.get(params.name)
        if spec is None or (self._read_only and not spec.read_only):
            raise MCPError(code=types.INVALID_PARAMS, message=f"Unknown tool: {params.name[:80]}")
        sent = params.arguments or {}
        try:
            return await guarded(spec.name, self._called(access, ctx, spec, sent))
        except LinealError as error:
            return _failed(await self._discreet(access, error, sent))

    async def _called(
        self, access: Access, ctx: Ctx, spec: ToolSpec, arguments: Mapping[str, Any]
    ) -> types.CallToolResult:
        _check_scope(access, spec.name, scope_of(spec))
        request = _within(access, parse(spec.request, arguments))
        service = await access.service()
        answer = await spec.run(service, self._call(access, ctx, spec.name, arguments), request)
        if not spec.read_only:
            await self._tell(access, answer)
        if "read" not in access.scopes:
            answer = unread(answer)
        return _succeeded(answer, spec, _budget(request, access.result_chars))

    async def _noted(
        self, access: Access, ctx: Ctx, event: Mapping[str, Any]
    ) -> types.CallToolResult:
        """A hook's word. Whatever is wrong with it or us, the agent goes on undisturbed."""
        if not access.hears_hooks:
            return NOTED
        try:
            service = await guarded(NOTE_EVENT, access.service())
            service.note_event(self._call(access, ctx, NOTE_EVENT), event)
        except LinealError:
            return NOTED
        return NOTED

    async def _discreet(
        self, access: Access, error: LinealError, sent: Mapping[str, Any]
    ) -> LinealError:
        """The error without a secret that was sent (E3); what can't be looked at is not told."""
        if error.code not in ASKED_WRONG:
            return error
        try:
            service = await access.service()
            return await guarded("an error", service.discreet(error, sent))
        except LinealError as worse:
            return worse

    def _call(
        self, access: Access, ctx: Ctx, tool: str, arguments: Mapping[str, Any] | None = None
    ) -> Call:
        """Whose call it is and what the request shows of its origin."""
        client = ctx.session.client_params.client_info if ctx.session.client_params else None
        meta = dict(ctx.meta or {})
        name = _text(client.name) if client else None
        # A process that an agent started inherits its environment, and isn't its session.
        own = name is not None and name.startswith(CLAUDE)
        evidence = Evidence(
            tool=tool,
            client_name=name,
            client_version=_text(client.version) if client else None,
            tool_use_id=_text(meta.get(TOOL_USE_ID)),
            input_hash=_hash(arguments),
            session_id=access.client_session_id if own else None,
            entrypoint=_text(access.entrypoint) if own else None,
            traceparent=_text(meta.get("traceparent")),
        )
        return Call(
            tenant=access.tenant,
            evidence=evidence,
            session=access.session or _apart(tool),
            project=access.project,
            read_only=self._read_only or "write" not in access.scopes,
            ask=ask_of(ctx),
        )

    async def _tell(self, access: Access, answer: Model) -> None:
        """Tell subscribers which resources changed."""
        listening = self._listening.get(access.tenant)
        if listening is None:
            return
        for uri in _changed(answer):
            await listening.bus.publish(ResourceUpdated(uri=uri))

    async def list_resources(
        self, ctx: Ctx, params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        return types.ListResourcesResult(resources=resources.RESOURCES)

    async def list_resource_templates(
        self, ctx: Ctx, params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        return types.ListResourceTemplatesResult(resource_templates=resources.TEMPLATES)

    async def read_resource(
        self, ctx: Ctx, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        """A context, a user row or a schema as JSON. An unknown one is the protocol's error."""
        uri = str(params.uri)
        access = self._access_of(ctx)
        try:
            answer = await guarded("resources/read", self._read(access, ctx, uri))
        except LinealError as told:
            error = await self._discreet(access, told, {"uri": [uri, unquote(uri)]})
            raise _refusal(error) from told
        text = to_json(answer.model_dump(mode="json"), indent=2).decode()
        contents = types.TextResourceContents(uri=uri, mime_type="application/json", text=text)
        return types.ReadResourceResult(contents=[contents])

    async def _read(self, access: Access, ctx: Ctx, uri: str) -> Model:
        _check_scope(access, "resources/read", "read")
        service = await access.service()
        return await resources.read(service, self._call(access, ctx, "resources/read"), uri)

    async def list_prompts(
        self, ctx: Ctx, params: types.PaginatedRequestParams | None
    ) -> types.ListPromptsResult:
        return types.ListPromptsResult(
            prompts=[
                types.Prompt(
                    name=texts.PROMPT_NAME,
                    title=texts.PROMPT_TITLE,
                    description="How to use this memory: what to store as which type, and how.",
                )
            ]
        )

    async def get_prompt(
        self, ctx: Ctx, params: types.GetPromptRequestParams
    ) -> types.GetPromptResult:
        if params.name != texts.PROMPT_NAME:
            raise MCPError(code=types.INVALID_PARAMS, message=f"Unknown prompt: {params.name[:80]}")
        return types.GetPromptResult(
            description=texts.PROMPT_TITLE,
            messages=[
                types.PromptMessage(
                    role="user", content=types.TextContent(type="text", text=texts.PROMPT_TEXT)
                )
            ],
        )


def scope_of(spec: ToolSpec) -> str:
    """What a caller must be allowed for this tool: read, write or erase."""
    if spec.name == "forget_context":
        return "erase"
    return "read" if spec.read_only else "write"


def _check_scope(access: Access, tool: str, scope: str) -> None:
    """Raises forbidden."""
    if scope not in access.scopes:
        raise _denied(access, tool, scope)


def _denied(access: Access, tool: str, scope: str) -> LinealError:
    """The error, after a line in the log of who was denied what."""
    _audit.warning("denied %s to %r: the token lacks the scope '%s'", tool, access.name, scope)
    return LinealError(
        ErrorCode.FORBIDDEN,
        f"{tool} needs the scope '{scope}', which this token doesn't have. Use another token "
        "(`lineal token create`).",
        details={"scope": scope},
    )


def _refusal(error: LinealError) -> MCPError:
    """The protocol's error, where a result can't tell of ours."""
    code = types.INVALID_PARAMS if error.code in ASKED_WRONG else types.INTERNAL_ERROR
    return MCPError(code=code, message=error.message, data=_json(error.body())["error"])


def _apart(tool: str) -> str:
    """Requests that name no session have nothing in common: what one read is no source of what
    another writes (L4), so reads and writes go by names of their own."""
    spec = TOOLS.get(tool)
    return "apart:reads" if spec is None or spec.read_only else "apart:writes"


def _within(access: Access, request: Model) -> Model:
    """A search that says no size is packed to the usual one, if that is the smaller."""
    usual = access.result_chars // CHARS_PER_TOKEN
    if isinstance(request, SearchContext) and "max_tokens" not in request.model_fields_set:
        return request.model_copy(update={"max_tokens": min(request.max_tokens, usual)})
    return request


def _text(value: object) -> str | None:
    """A client's own word, if it is a plausible one: short, and nothing hidden in it."""
    plausible = isinstance(value, str) and 0 < len(value) <= WORD_CHARS_MAX
    return value if plausible and isinstance(value, str) and is_plain(value) else None


def _hash(arguments: Mapping[str, Any] | None) -> str | None:
    """Of a call's input; None for one that is nested beyond reason."""
    try:
        return None if arguments is None else hash_of(arguments)
    except RecursionError:
        return None


def _changed(answer: Model) -> list[str]:
    """Addresses of what a write changed."""
    match answer:
        case AppendAnswer():
            return [f"lineal://context/{answer.context_id}"]
        case ContextAnswer():
            return [f"lineal://context/{answer.id}"]
        case ForgetAnswer() if not answer.dry_run:
            return [f"lineal://context/{gone}" for gone in answer.forgotten]
        case UserAnswer():
            return [f"lineal://user/{quote(answer.domain)}/{quote(answer.user_id)}"]
    return []


def _budget(request: Model, usual: int) -> int:
    """Characters of the answer: what the call asks for, or the usual."""
    asked = request.model_fields_set
    if isinstance(request, GetContext) and request.max_chars is not None:
        return request.max_chars
    if isinstance(request, SearchContext) and "max_tokens" in asked:
        return request.max_tokens * CHARS_PER_TOKEN
    return usual


def _succeeded(answer: Model, spec: ToolSpec, chars_max: int) -> types.CallToolResult:
    payload = _payload(answer, spec)
    context_id = payload.get("id") or payload.get("context_id") or payload.get("root")
    text = to_json(payload).decode()
    if len(text) > chars_max:
        payload = fitted(payload, chars_max, context_id=context_id, whole=spec.whole)
        text = to_json(payload).decode()
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=text)], structured_content=payload
    )


def _payload(answer: Model, spec: ToolSpec) -> dict[str, Any]:
    payload = _told(answer, spec).model_dump(mode="json")
    if isinstance(answer, SearchAnswer):
        payload["hits"] = [told(hit, answer.now) for hit in answer.hits]
    return payload


def _told(answer: Model, spec: ToolSpec) -> Model:
    """What is told of an answer: a write's own lineage without the details of each call, which are
    get_context's and trace_lineage's to show."""
    if isinstance(answer, Trace):
        return _short(answer)
    lineage = getattr(answer, "lineage", None)
    if spec.read_only or not isinstance(lineage, Lineage) or lineage.observed is None:
        return answer
    observed = lineage.observed.model_copy(update={"calls": ()})
    update = {"lineage": lineage.model_copy(update={"observed": observed})}
    return answer.model_copy(update=update)


def _short(trace: Trace) -> Trace:
    """Each node with what is known of it, and how; the whole account only of the root."""
    nodes = tuple(
        node
        if node.lineage is None or node.context_id == trace.root
        else node.model_copy(update={"lineage": _short_lineage(node.lineage)})
        for node in trace.nodes
    )
    return trace.model_copy(update={"nodes": nodes})


def _short_lineage(lineage: Lineage) -> Lineage:
    return lineage.model_copy(
        update={
            "observed": None,
            "declared": None,  # `basis` tells how each value is known
            "source_ids": lineage.source_ids[:NODE_SOURCES_MAX],
        }
    )


def _failed(error: LinealError) -> types.CallToolResult:
    body = _json(error.body())
    return types.CallToolResult(
        is_error=True,
        content=[types.TextContent(type="text", text=to_json(body).decode())],
        structured_content=body,
    )


def _json(body: dict[str, Any]) -> dict[str, Any]:
    """The body through JSON, so that a detail JSON can't hold never ends a call."""
    text = to_json(body, fallback=str, inf_nan_mode="strings", bytes_mode="base64")
    safe: dict[str, Any] = from_json(text)
    return safe
