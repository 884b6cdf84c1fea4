"""The ways in: MCP, REST, command line and web. A face turns words into models and back."""
