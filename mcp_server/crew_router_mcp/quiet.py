"""What the server writes to standard error, which clients keep in log files: nothing of prompts or arguments.

Libraries log arguments and messages that they refuse, in full, and the text of an unexpected error may hold a prompt. So a record
says what kind of thing happened and where; only our own loggers, whose messages hold models and figures, are shown as they are.
"""

from __future__ import annotations

import logging
import sys
import traceback
from types import TracebackType
from typing import Final

_OURS: Final = ("crew_router", "crew_router_mcp")
_NOISE: Final = ("Failed to validate request",)  # mcp 1.x, at every connect of a client that asks for the newer protocol first


class DiscreetFormatter(logging.Formatter):
    """Writes one line: our own messages as they are, of all others the template without what was put into it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return a record as one line."""
        said = record.getMessage() if record.name.partition(".")[0] in _OURS else _template(record)
        kind = record.exc_info[0] if record.exc_info else None
        trouble = "" if kind is None else f" ({kind.__name__}{_place(record.exc_info[2] if record.exc_info else None)})"
        return f"{record.levelname} {record.name}: {' '.join(said.split())}{trouble}"


class NoNoise(logging.Filter):
    """Drops what says nothing: a client tries the newer protocol, and this server speaks the older one."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record is worth a line."""
        return not str(record.msg).startswith(_NOISE)


def log_discreetly(level: int = logging.WARNING) -> None:
    """Send everything that is logged in this process to standard error, discreetly."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(DiscreetFormatter())
    handler.addFilter(NoNoise())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in ("fastmcp", "mcp", "uvicorn", "uvicorn.error", "uvicorn.access"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
        logger.setLevel(level)
    logging.captureWarnings(capture=True)
    sys.excepthook = _fatal


def _template(record: logging.LogRecord) -> str:
    """Return what was logged without values: a template is a constant of the code, a text without arguments may be a finished one."""
    return str(record.msg) if record.args else f"a message of {record.filename}:{record.lineno}"


def _place(trace: TracebackType | None) -> str:
    frames = traceback.extract_tb(trace)
    return f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def _fatal(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    del error  # its text may hold anything
    sys.stderr.write(f"crew-router-mcp: stopped by an unexpected {kind.__name__}{_place(trace)}\n")
