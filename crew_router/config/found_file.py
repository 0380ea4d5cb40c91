"""A ``crew_router.yaml`` that was found in a project rather than named, and how far it is believed.

A project may come from somebody else. What its file says of preferences, budgets and figures holds at once. What could send keys
or prompts to another address, or name a file or a store, holds after the user has trusted this very text of the file with
``crew-router config trust``; the digest is kept in the user's own folder, outside of every project.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from crew_router.config.schema.layers import Layer
from crew_router.config.schema.yaml_reader import parse_mapping, read_text
from crew_router.errors import StorageError
from crew_router.types.redaction import logger

if TYPE_CHECKING:
    from crew_router.config.schema.plain import Plain

NAME: Final = "crew_router.yaml"
_ROOT_MARKS: Final = (".git", ".hg", "pyproject.toml", "setup.py", "setup.cfg", "package.json")
# What is not listed here needs trust, so that a new section is held back until somebody has thought about it.
_SAFE_SECTIONS: Final = frozenset({
    "preset", "project", "baseline", "optimize", "strategy", "scoring", "task_types", "policies", "escalation", "parallel", "experiments",
    "budgets", "attempts", "stream", "hedge", "cache", "tokenizers", "sessions", "breaker", "health", "alerts", "capacity", "registry",
})  # fmt: skip
_SAFE_IN_SECTION: Final[Mapping[str, frozenset[str]]] = {"learning": frozenset({"enabled", "alpha"})}
_SAFE_IN_MODEL: Final = frozenset({
    "price", "quality", "task_quality", "context_window", "max_output_tokens", "capabilities", "tier", "strengths", "latency", "limits",
    "sla", "regions", "moderated", "prefill", "data_retention", "fallbacks", "enabled", "source", "ability", "efforts", "default_effort",
    "verbosity", "released", "retires",
})  # fmt: skip
_log: Final = logger(__name__)
_told: Final[set[tuple[str, str]]] = set()


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A configuration file that nobody named."""

    path: Path


def find_config(folder: Path) -> FoundFile | None:
    """Return the ``crew_router.yaml`` in a folder, or the nearest above it inside the same project.

    A project ends at the nearest folder with a ``.git``, a ``pyproject.toml`` or the like; outside of a project only the folder
    itself is looked at.
    """
    here = folder.absolute()
    chain = (here, *here.parents)
    root = next((at for at, each in enumerate(chain) if any((each / mark).exists() for mark in _ROOT_MARKS)), 0)
    return next((FoundFile(each / NAME) for each in chain[: root + 1] if (each / NAME).is_file()), None)


def found_layer(found: FoundFile, *, packaged: Collection[str]) -> Layer:
    """Return the settings of a found file that hold, and say in one line what needs trust first.

    Args:
        found: The file.
        packaged: Names of the models that come with the package.

    Raises:
        ConfigurationError: The file cannot be read.
    """
    place = str(found.path)
    text = read_text(found.path, place)
    data = parse_mapping(text, place)
    if is_trusted(found.path, text):
        return Layer.of(place, data)
    held = held_back(data)
    if held and (place, _digest(text)) not in _told:
        _told.add((place, _digest(text)))
        _log.warning("%s was found, not named; %s in it hold after `crew-router config trust %s`", place, ", ".join(held), place)
    return Layer.of(place, _believed(data, packaged=packaged))


def held_back(data: Mapping[str, Plain]) -> tuple[str, ...]:
    """Return the keys of a file that need trust."""
    keys: list[str] = []
    for section, value in data.items():
        if section == "models":
            entries = value if isinstance(value, dict) else {}
            keys += [f"models.{name}.{key}" for name, entry in entries.items() for key in _keys(entry) if key not in _SAFE_IN_MODEL]
        elif section in _SAFE_IN_SECTION and isinstance(value, dict):
            keys += [f"{section}.{key}" for key in value if key not in _SAFE_IN_SECTION[section]]
        elif section not in _SAFE_SECTIONS:
            keys.append(section)
    return tuple(keys)


def _keys(entry: Plain) -> tuple[str, ...]:
    return tuple(entry) if isinstance(entry, dict) else ()


def _believed(data: Mapping[str, Plain], *, packaged: Collection[str]) -> dict[str, Plain]:
    known = () if data.get("registry") == "none" else packaged
    believed: dict[str, Plain] = {}
    for section, value in data.items():
        if section == "models" and isinstance(value, dict):
            believed[section] = {name: _entry(entry, known=name in known) for name, entry in value.items()}
        elif section in _SAFE_IN_SECTION and isinstance(value, dict):
            believed[section] = {key: each for key, each in value.items() if key in _SAFE_IN_SECTION[section]}
        elif section in _SAFE_SECTIONS or section == "models":
            believed[section] = value
    return believed


def _entry(entry: Plain, *, known: bool) -> Plain:
    """Return an entry without its address; one that is nothing without it stays, switched off, for others may name it."""
    if not isinstance(entry, dict):
        return entry
    safe: dict[str, Plain] = {key: value for key, value in entry.items() if key in _SAFE_IN_MODEL}
    return safe if known or len(safe) == len(entry) else {**safe, "enabled": False}


def is_trusted(path: Path, text: str) -> bool:
    """Tell whether the user trusted this text at this place."""
    return _trusted().get(_key(path)) == _digest(text)


def trust(path: Path, text: str) -> None:
    """Remember that the user trusts this text of a file.

    Raises:
        StorageError: The user's folder cannot be written.
    """
    store = _store()
    kept = {**_trusted(), _key(path): _digest(text)}
    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        draft = store.with_name(f"{store.name}.{os.getpid()}")
        draft.write_text(json.dumps(kept, indent=1), encoding="utf-8")
        draft.replace(store)
    except OSError as error:
        raise StorageError(str(store), f"it cannot be written ({error.strerror})", cure="make the folder writable") from error


def _trusted() -> dict[str, str]:
    try:
        kept: object = json.loads(_store().read_text("utf-8"))
    except (OSError, ValueError):
        return {}  # nothing was trusted yet, or the list is damaged: then nothing is trusted
    return cast("dict[str, str]", kept) if isinstance(kept, dict) else {}


def _store() -> Path:
    from platformdirs import user_data_path  # only a found file needs it

    return user_data_path("crew-router", appauthor=False) / "trusted.json"


def _key(path: Path) -> str:
    return str(path.resolve())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
