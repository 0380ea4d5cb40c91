"""The ledger by url: ``sqlite:///path``, ``sqlite://`` in memory, ``postgresql://``, and what others add by entry point.

A package adds a scheme with an entry point of the group ``crew_router.databases`` whose name is the scheme and whose value is
a function ``(url, durability) -> Database``.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias
from urllib.parse import unquote

from crew_router.errors import ConfigurationError
from crew_router.record.ledger.retention import Retention
from crew_router.record.ledger.sql_ledger import FOR_EVER, Book
from crew_router.record.ledger.writer import DEFAULT, WriterPolicy
from crew_router.types.clock import Clock, SystemClock

if TYPE_CHECKING:
    from crew_router.record.ledger.database import Database

Durability: TypeAlias = Literal["batch", "full"]
Opener: TypeAlias = "Callable[[str, Durability], Database]"
GROUP: Final = "crew_router.databases"


def open_ledger(
    url: str,
    *,
    project: str,
    clock: Clock | None = None,
    keep_text: bool = False,
    durability: Durability = "batch",
    policy: WriterPolicy = DEFAULT,
    mirror: Path | None = None,
    retention: Retention = FOR_EVER,
) -> Book:
    """Open the ledger of a project; nothing is connected before the first row is written or read.

    Args:
        url: Where it is; ``sqlite://`` is in memory, seen by all threads.
        project: Whose rows they are.
        clock: Time; the machine's by default.
        keep_text: Whether prompts, answers and comments are kept; otherwise a keyed hash and lengths.
        durability: ``full`` has every row on disk before the call returns.
        policy: Everything else about writing.
        mirror: A JSONL file that gets a copy of every row but money.
        retention: How long rows and texts are kept.

    Raises:
        ConfigurationError: No database is known for the scheme.
        MissingDependencyError: The database needs an extra that is not installed.
    """
    database = _opener(url)(url, durability)
    return Book(
        database,
        project,
        clock=clock or SystemClock(),
        keep_text=keep_text,
        policy=replace(policy, durability=durability),
        mirror=mirror,
        retention=retention,
    )


def _opener(url: str) -> Opener:
    scheme = url.partition("://")[0]
    if scheme in _BUILT_IN:
        return _BUILT_IN[scheme]
    for found in importlib.metadata.entry_points(group=GROUP, name=scheme):
        opener: Opener = found.load()
        return opener
    raise ConfigurationError("ledger", "url", f"no database for {scheme!r}", cure=f"use one of {', '.join(sorted(_BUILT_IN))}")


def _sqlite(url: str, durability: Durability) -> Database:
    from crew_router.record.ledger.sqlite import SqliteDatabase  # only what the url asks for is loaded

    path = unquote(url.partition(":///")[2])
    return SqliteDatabase(Path(path) if path else None, durability=durability)


def _postgres(url: str, _durability: Durability) -> Database:
    from crew_router.record.ledger.postgres import PostgresDatabase

    return PostgresDatabase(url)


_BUILT_IN: Final[dict[str, Opener]] = {"sqlite": _sqlite, "postgresql": _postgres, "postgres": _postgres}
