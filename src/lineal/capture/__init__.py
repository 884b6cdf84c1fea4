"""Watching how a call came about: hooks, transcripts, what a session read, which project it is."""
