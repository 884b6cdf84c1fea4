"""The MCP face. Kept empty: the first stage of `lineal serve` imports it."""
