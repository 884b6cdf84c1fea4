"""What a store promises, by theme; store_suite.py joins them."""
