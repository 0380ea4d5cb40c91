"""Tables of one line a row: as wide as the terminal, tab-separated at full width into a pipe."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from typing import Final

import typer

_GAP: Final = "  "
_NUMBER_STARTS: Final = "$-+.0123456789"


def print_rows(header: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "") -> None:
    """Print a table; its first column is never cut, and columns from the right are left out where the terminal is too narrow.

    Into a pipe goes every column, separated by tabs, and no title, so that `cut`, `sort` and `awk` can read it.

    Args:
        header: Names of the columns, the most important first.
        rows: The cells.
        title: A line above the table, on a terminal.
    """
    if sys.stdout.isatty():
        lines = [*([title] if title else []), *aligned(header, rows, width=shutil.get_terminal_size().columns)]
    else:
        lines = ["\t".join(" ".join(cell.split()) for cell in row) for row in (header, *rows)]
    for line in lines:
        typer.echo(line)


def aligned(header: Sequence[str], rows: Sequence[Sequence[str]], *, width: int) -> list[str]:
    """Return a table as lines that fit a width where the first column alone does; numbers stand at the right of their column.

    Example:
        >>> aligned(("model", "cost", "why"), [("a:b", "$1", "cheap"), ("a:longer", "$20", "good")], width=16)
        ['model     cost', 'a:b         $1', 'a:longer   $20']
    """
    table = [[" ".join(cell.split()) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[column]) for row in table) for column in range(len(header))]
    shown, used = 1, widths[0]
    while shown < len(widths) and used + len(_GAP) + widths[shown] <= width:
        used += len(_GAP) + widths[shown]
        shown += 1
    numeric = [_is_numeric([row[column] for row in table[1:]]) for column in range(shown)]
    return [_line(row[:shown], widths, numeric=numeric) for row in table]


def _line(row: Sequence[str], widths: Sequence[int], *, numeric: Sequence[bool]) -> str:
    cells = [cell.rjust(wide) if right else cell.ljust(wide) for cell, wide, right in zip(row, widths, numeric, strict=False)]
    return _GAP.join(cells).rstrip()


def _is_numeric(cells: Sequence[str]) -> bool:
    return bool(cells) and all(not cell or cell[0] in _NUMBER_STARTS or cell in {"unknown", "free"} for cell in cells)
