"""The offline extractor: a schema's words and phrases, read with a little English grammar."""

from lineal.extractors.rules.extractor import RulesExtractor

__all__ = ["RulesExtractor"]
