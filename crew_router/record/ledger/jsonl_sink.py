"""A JSONL file that mirrors the ledger, for other programs; written by the writer's thread once rows are on disk."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from crew_router.record.ledger.export_import import line_of
from crew_router.record.ledger.schema import MONEY, Row, Table
from crew_router.types.redaction import logger

_log = logger(__name__)
_OWNER_ONLY: Final = 0o600


class JsonlSink:
    """Appends every row but money as the line that an export has of it; texts are in it only where the ledger keeps them.

    Each batch is appended by one call, so that several processes can share the file, and a file that was renamed away or deleted
    is begun anew. Trouble with the file is counted and logged, and never in the way of the ledger.

    Args:
        path: The file; its folder is made when missing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.lost = 0
        self.problem: str | None = None

    def add(self, table: Table, rows: Sequence[Row]) -> None:
        """Append rows."""
        if table is MONEY:
            return
        try:
            self._append("".join(line_of(table, row) for row in rows).encode())
        except OSError as error:
            if self.problem is None:
                _log.warning("rows cannot be mirrored: %s", error)
            self.lost, self.problem = self.lost + len(rows), str(error)
        else:
            self.problem = None

    def _append(self, data: bytes) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, _OWNER_ONLY)
        try:
            while data:
                data = data[os.write(file, data) :]
        finally:
            os.close(file)
