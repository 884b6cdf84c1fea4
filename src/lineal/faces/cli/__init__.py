"""The command line: words in a terminal to the same service as every face."""
