"""The router: what it consists of, how it is built, and what it does besides deciding and calling."""
