"""What is decided, as pure functions; time is handed in."""
