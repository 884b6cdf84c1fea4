"""The HTTP process: MCP over streamable HTTP beside REST, and who may call."""
