"""HTTP requests to others: one way to make them, bound them and name what went wrong."""
