"""Extractors behind the extractor port."""
