"""Writes a plan into a project's ``tasks.yaml`` as ``routing:`` blocks, and takes it back."""

from __future__ import annotations

import difflib
import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from crew_router.errors import ConfigurationError, MissingDependencyError
from crew_router_crewai.plan.value import Plan

_UNDO: Final = ".crew-router-plan.json"
_WIDTH: Final = 4096  # lines are left as they are


def written(file: Path, plan: Plan) -> str:
    """Return the text of a ``tasks.yaml`` with the plan in it; comments, order and quotes stay.

    Raises:
        ConfigurationError: The file cannot be read.
        MissingDependencyError: ruamel.yaml is not installed.
    """
    yaml = _yaml()
    text = _read(file)
    yaml.indent(**_indent(text))
    tasks = yaml.load(text)
    for each in plan.tasks:
        if each.task in tasks:
            block = tasks[each.task].setdefault("routing", {})
            block["force_model"] = each.candidate
    out = io.StringIO()
    yaml.dump(tasks, out)
    return out.getvalue()


def difference(file: Path, text: str) -> str:
    """Return what would change in a file, as a unified diff; empty when nothing would."""
    before, after = _read(file).splitlines(keepends=True), text.splitlines(keepends=True)
    return "".join(difflib.unified_diff(before, after, f"{file} (before)", f"{file} (planned)"))


def apply(file: Path, text: str) -> None:
    """Write the text, and keep what was there, so that :func:`undo` can bring it back.

    A second plan keeps what was there before the first, unless somebody changed the file between them.
    """
    kept, before = file.with_name(_UNDO), _read(file)
    known = _kept(kept).get(file.name)
    original = known["before"] if known is not None and known["after"] == _digest(before) else before
    record = {**_kept(kept), file.name: {"before": original, "after": _digest(text)}}
    kept.write_text(json.dumps(record), encoding="utf-8")
    file.write_text(text, encoding="utf-8")


def undo(file: Path) -> None:
    """Bring back what stood in a file before a plan was written into it.

    Raises:
        ConfigurationError: No plan was written into it, or it was changed since.
    """
    kept = file.with_name(_UNDO)
    record = dict(_kept(kept))
    known = record.pop(file.name, None)
    if known is None:
        raise ConfigurationError(str(file), "", "no plan was written into it", cure="apply one first")
    if known["after"] != _digest(_read(file)):
        raise ConfigurationError(str(file), "", "it was changed since the plan was written", cure=f"take it from {kept} by hand")
    file.write_text(known["before"], encoding="utf-8")
    if record:
        kept.write_text(json.dumps(record), encoding="utf-8")
    else:
        kept.unlink()


def _kept(file: Path) -> Mapping[str, Any]:
    if not file.exists():
        return {}
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ConfigurationError(str(file), "", "it is not readable", cure="remove it; applied plans can then not be undone") from error
    return found if isinstance(found, dict) else {}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(str(file), "", " ".join(str(error).split()), cure="give a readable YAML file") from error


def _indent(text: str) -> dict[str, int]:
    """Return how far the file indents, so that it is written as it was."""
    widths = [len(line) - len(line.lstrip(" ")) for line in text.splitlines() if line.startswith(" ") and line.strip()]
    return {"mapping": min(widths, default=2)}


def _yaml() -> Any:
    try:
        from ruamel.yaml import YAML
    except ImportError as missing:
        raise MissingDependencyError("ruamel.yaml", extra="plan") from missing
    yaml = YAML()
    yaml.preserve_quotes, yaml.width = True, _WIDTH
    return yaml
