"""What a backend promises, by theme; backend_suite.py joins them."""
