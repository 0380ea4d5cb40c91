"""Options, printing and one-line errors, shared by all commands."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from crew_router.errors import ConfigurationError, CrewRouterError, InvalidRequestError, UnknownDecisionError, UnknownModelError
from crew_router.types.codec import encode

if TYPE_CHECKING:
    from crew_router.router.router import Router

FAILED: Final = 1
WRONG_USE: Final = 2
_WRONG_USE_ERRORS: Final = (ConfigurationError, InvalidRequestError, UnknownModelError, UnknownDecisionError)

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
ConfigOption = Annotated[Path | None, typer.Option("--config", "-c", help="Configuration file or folder; by default that of the project.")]

VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Show every model with every reason.")]


@contextlib.contextmanager
def one_line_errors() -> Generator[None, None, None]:
    """Turn our errors into one line on stderr and an exit code: 1 failed, 2 wrong use."""
    try:
        yield
    except CrewRouterError as error:
        fail(one_line(error), code=WRONG_USE if isinstance(error, _WRONG_USE_ERRORS) else FAILED)
    except BrokenPipeError:
        # The reader of the pipe is gone (`| head`); with stdout redirected, the interpreter's flush at exit does not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(FAILED) from None


def one_line_logs() -> logging.Handler:
    """Return a handler that writes each warning as one line on stderr, without a traceback."""
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine())
    return handler


class _OneLine(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return f"crew-router: {' '.join(record.getMessage().split())}"


def one_line(error: CrewRouterError) -> str:
    """Return an error as one line: its first line and, of a longer text, the last, which says what to do."""
    lines = str(error).splitlines() or [type(error).__name__]
    return lines[0] if len(lines) == 1 else f"{lines[0]} {lines[-1]}"


def fail(message: str, *, code: int = FAILED) -> None:
    """Print one line on stderr and exit."""
    typer.echo(f"crew-router: {message}", err=True)
    raise typer.Exit(code)


def say(text: str) -> None:
    """Print text on stdout."""
    typer.echo(text)


def say_json(value: object) -> None:
    """Print a value as one JSON document on stdout."""
    typer.echo(json.dumps(encode(value), ensure_ascii=False, allow_nan=False))


def say_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; numbers are aligned right."""
    from rich.console import Console  # slow to import, so only for commands that print tables
    from rich.table import Table

    table = Table(title=title, title_justify="left", header_style="bold")
    for column, name in enumerate(header):
        numeric = bool(rows) and all(_numeric(row[column]) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    Console(soft_wrap=False, highlight=False, markup=False).print(table)


def open_router(config: Path | None) -> Router:
    """Return a router for a command."""
    from crew_router.router.router import Router  # slow to import, so only for commands that need it

    return Router(config=config)


def _numeric(text: str) -> bool:
    return not text or text[:1] in "$-+.0123456789" or text in {"unknown", "free"}
