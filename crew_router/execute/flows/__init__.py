"""Flows: how one request is carried out, as generators without I/O."""
