"""The changelog keeps up with the version."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]


def test_version_is_the_newest_of_the_changelog_or_not_yet_released():
    """The version of the project is the newest section of the changelog, or stands above it as unreleased."""
    version = tomllib.loads((_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    changelog = (_ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

    sections = re.findall(r"^## \[?([^\]\s]+)", changelog, re.MULTILINE)
    released = [name for name in sections if name != "Unreleased"]

    assert sections[0] == "Unreleased"
    assert released[:1] in ([version], [])
    assert all(re.fullmatch(r"\d+\.\d+\.\d+\S*", name) for name in released)
