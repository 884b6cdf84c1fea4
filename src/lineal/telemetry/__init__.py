"""OpenTelemetry: a span around each verb of a backend, and where spans go. The only room of it."""
