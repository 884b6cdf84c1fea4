"""Other people's memories behind the backend port: forwarded to, with a ledger beside them."""
