"""Agents and tasks as CrewAI writes them in YAML."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias, cast

import yaml

from crew_router.errors import ConfigurationError

Definitions: TypeAlias = Mapping[str, Mapping[str, Any]]


def read_definitions(source: Definitions | str | Path | None) -> Definitions:
    """Return definitions by name, read from a YAML file when a path is given.

    Raises:
        ConfigurationError: The file cannot be read, or is no mapping of names to mappings.
    """
    if source is None:
        return {}
    if not isinstance(source, (str, Path)):
        return source
    try:
        found = yaml.safe_load(Path(source).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        problem = " ".join(str(error).split())
        raise ConfigurationError(str(source), "", problem, cure="give a readable YAML file of CrewAI.") from error
    if not isinstance(found, dict) or not all(isinstance(entry, dict) for entry in found.values()):
        raise ConfigurationError(str(source), "", "it is no mapping of names to definitions", cure="write one key for each name.")
    return cast("Definitions", found)
