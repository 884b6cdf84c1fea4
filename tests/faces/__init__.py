"""The ways in, tried from outside."""
