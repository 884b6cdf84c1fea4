"""The REST face, asked from outside."""
