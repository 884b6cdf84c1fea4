"""A language model as an extractor: the question, its answer's checking, and an endpoint."""
