"""Standard output that holds nothing but the protocol, whatever prints: our code, a strategy, a library, a child process.

The guard works on file descriptors, so that writes which go round Python are caught too. mcp 2 does the same by itself while it serves,
and would find an empty input under another guard; mcp 1 does nothing of the kind.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any, BinaryIO, Final

_IN: Final = 0
_OUT: Final = 1
_ERR: Final = 2
_GUARDS_ITSELF: Final = 2  # first version of mcp that does


class _OutputForTheProtocol:
    """Stands for ``sys.stdout``: text goes to standard error; the first reader of ``buffer``, the transport, gets the wire."""

    def __init__(self, wire: BinaryIO) -> None:
        self._wire: BinaryIO | None = wire

    @property
    def buffer(self) -> BinaryIO:
        wire, self._wire = self._wire, None
        return sys.stderr.buffer if wire is None else wire

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stderr, name)


@contextlib.contextmanager
def prints_on_standard_error() -> Iterator[None]:
    """Send what is printed while the server is made to standard error."""
    sys.stdout.flush()
    wire = os.dup(_OUT)
    os.dup2(_ERR, _OUT)
    try:
        yield
    finally:
        sys.stdout.flush()  # what Python still holds is printed, not sent
        os.dup2(wire, _OUT)
        os.close(wire)


@contextlib.contextmanager
def stdio_kept_for_the_protocol() -> Iterator[None]:
    """Keep standard input and output for the protocol while the server runs; children read an empty input."""
    if int(version("mcp").partition(".")[0]) >= _GUARDS_ITSELF:
        yield
        return
    sys.stdout.flush()
    saved = sys.stdin, sys.stdout
    wire_in, wire_out = os.dup(_IN), os.dup(_OUT)  # children do not inherit these
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, _IN)
    os.close(nothing)
    os.dup2(_ERR, _OUT)
    sys.stdin = os.fdopen(wire_in, "r", encoding="utf-8", closefd=False)
    sys.stdout = _OutputForTheProtocol(os.fdopen(wire_out, "wb", closefd=False))
    try:
        yield
    finally:
        sys.stdin, sys.stdout = saved
        sys.stdout.flush()
        os.dup2(wire_in, _IN)
        os.dup2(wire_out, _OUT)
