"""The REST face: plain HTTP and JSON over the service."""
