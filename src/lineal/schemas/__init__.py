"""Domain schemas as files: the shipped ones beside this module, and a user's own directory."""

from lineal.schemas.book import SchemaBook

__all__ = ["SchemaBook"]
