"""Embedders behind the embedder port."""
