"""Where the embedded backend keeps things; each store implements ports/store.py."""
