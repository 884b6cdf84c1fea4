"""A real PostgreSQL of the tests' own, and what only it can show."""
