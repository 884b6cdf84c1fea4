"""Rows as the stores on disk keep them, with their hashes: the same bytes whatever engine it is."""
