"""What others implement: small Protocols, no code."""
