"""``crew-router cost``, ``export``, ``import`` and ``reset``: what the ledger holds, out of it, into it, and out of the way."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from crew_router.cli.console import FAILED, ConfigOption, JsonOption, one_line_errors, say, say_json, say_table
from crew_router.errors import InvalidRequestError
from crew_router.types.model import NANO_PER_USD

if TYPE_CHECKING:
    from rich.progress import Progress

    from crew_router.config.router_config import RouterConfig
    from crew_router.record.ledger.sql_ledger import Book

_END: Final = 1e300
BeforeOption = Annotated[str | None, typer.Option("--before", help="Date or time, as 2026-03-01 or 2026-03-01T12:00+01:00.")]


def cost(
    *,
    reconcile: Annotated[
        bool, typer.Option("--reconcile", help="Derive every budget from its rows and compare; exit 1 if one differs.")
    ] = False,
    repair: Annotated[bool, typer.Option("--repair", help="With --reconcile: put right what differs.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show what was spent by model and task type; with --reconcile, check the budgets against their rows."""
    with one_line_errors():
        book = _book(config)
        try:
            if reconcile:
                _reconcile(book, repair=repair, as_json=as_json)
            else:
                _cost(book, as_json=as_json)
        finally:
            book.close()


def export(
    out: Annotated[Path | None, typer.Argument(help="File to write; standard output when left out.")] = None,
    *,
    before: BeforeOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Write the ledger as JSON lines, with a progress bar on standard error."""
    with one_line_errors():
        book, end = _book(config), _time(before)
        try:
            written = _export(book, out, end)
        finally:
            book.close()
        if out is not None:
            document = {"rows": written, "file": str(out)}
            say_json(document) if as_json else say(f"{written} rows written to {out}")


def take_in(
    file: Annotated[Path | None, typer.Argument(help="File to read; standard input when left out.")] = None,
    *,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Read JSON lines of an export, or of a mirror, into the ledger; rows that are there already are left out."""
    with one_line_errors():
        if file is not None and not file.is_file():
            raise InvalidRequestError("file", str(file), expected="a file that `crew-router export` wrote")
        book = _book(config)
        try:
            added = _take_in(book, file)
        finally:
            book.close()
        say_json({"rows": added}) if as_json else say(f"{added} new rows")


def reset(
    *,
    before: BeforeOption = None,
    delete: Annotated[bool, typer.Option("--delete", help="With --before: delete the rows too. Money, budgets and audit stay.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Start statistics afresh, now or from a time on; spend, budgets and audit are not touched."""
    with one_line_errors():
        if delete and before is None:
            raise InvalidRequestError("--delete", value=True, expected="a time with --before")
        at = _time(before)
        if not yes:
            typer.confirm("Start statistics afresh?", abort=True, err=True)
        deleted = _reset(config, at if before else None, delete=delete)
        say_json({"reset": True, "deleted_rows": deleted}) if as_json else say(f"statistics start afresh; {deleted} rows deleted")


def _loaded(config: Path | None) -> RouterConfig:
    from crew_router.config.load import load_config  # pydantic and YAML come when something is loaded

    return load_config(config, env=os.environ)


def _book(config: Path | None) -> Book:
    from crew_router.router.storage import opened_ledger

    return opened_ledger(_loaded(config))


def _cost(book: Book, *, as_json: bool) -> None:
    slots, totals = book.breakdown(), book.totals()
    if as_json:
        say_json({"totals": totals, "by_model_and_task": slots})
        return
    rows = [
        (*(str(part or "-") for part in _pair(slot.key)), str(slot.requests), str(slot.successes), f"{slot.cost_nano / NANO_PER_USD:.6f}")
        for slot in slots
    ]
    say_table("cost", ("model", "task type", "requests", "successes", "USD"), rows)
    say(f"{totals['requests']:.0f} requests, ${totals['cost_usd']:.6f}")


def _reconcile(book: Book, *, repair: bool, as_json: bool) -> None:
    balances = book.reconcile(repair=repair)
    wrong = [balance for balance in balances if not balance.agrees]
    if as_json:
        say_json({"ok": not wrong, "repaired": repair and bool(wrong), "budgets": balances})
    else:
        header = ("budget", "period", "limit USD", "spent USD", "held USD", "agrees")
        amounts = [(b.limit_nano, b.derived_spent_nano, b.derived_leased_nano) for b in balances]
        rows = [
            (b.scope, b.period or "-", *(f"{nano / NANO_PER_USD:.6f}" for nano in three), "yes" if b.agrees else "no")
            for b, three in zip(balances, amounts, strict=True)
        ]
        say_table("budgets", header, rows)
    if wrong and not repair:
        raise typer.Exit(FAILED)


def _take_in(book: Book, file: Path | None) -> int:
    with _progress() as progress:
        task = progress.add_task("import", total=None if file is None else _lines(file))
        if file is None:
            return book.take_in(sys.stdin, tick=lambda rows: progress.advance(task, rows))
        with file.open(encoding="utf-8") as lines:
            return book.take_in(lines, tick=lambda rows: progress.advance(task, rows))


def _lines(file: Path) -> int:
    with file.open("rb") as found:
        return sum(1 for _ in found)


def _progress() -> Progress:
    from rich.console import Console  # only two commands draw a bar
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    console = Console(stderr=True)
    columns = BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def _export(book: Book, out: Path | None, before: float) -> int:
    with _progress() as progress:
        task = progress.add_task("export", total=book.count(before=before))
        if out is None:
            return book.export(sys.stdout, before=before, tick=lambda rows: progress.advance(task, rows))
        with out.open("w", encoding="utf-8") as file:
            return book.export(file, before=before, tick=lambda rows: progress.advance(task, rows))


def _reset(config: Path | None, before: float | None, *, delete: bool) -> int:
    book = _book(config)
    try:
        book.reset(before=before)
        deleted = book.prune(before=before) if delete and before is not None else 0
        book.audited("reset", {"before": before, "deleted_rows": deleted}, at=datetime.now(UTC).timestamp())
    finally:
        book.close()
    if before is None:
        _reset_state(config)
    return deleted


def _reset_state(config: Path | None) -> None:
    from crew_router.router.storage import opened_state  # pydantic and YAML come when something is loaded

    state = opened_state(_loaded(config))
    state.reset()
    state.close()


def _pair(key: tuple[str | None, ...] | float) -> tuple[str | None, ...]:
    return key if isinstance(key, tuple) else (str(key),)


def _time(text: str | None) -> float:
    if text is None:
        return _END
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidRequestError("--before", text, expected="a date such as 2026-03-01") from None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
