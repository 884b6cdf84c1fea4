"""Servers that keep the contracts of remote backends, in memory and on a real socket, for tests."""
