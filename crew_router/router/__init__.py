"""The router: its parts, how they are built from a configuration, and its duties besides deciding and calling models."""
