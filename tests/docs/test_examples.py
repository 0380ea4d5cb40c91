"""What the documents show runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[2]
_PATH = os.pathsep.join(str(_ROOT / folder) for folder in (".", "adapters", "mcp_server"))


def _blocks():
    for document in sorted([_ROOT / "README.md", *(_ROOT / "docs").glob("*.md")]):
        found = re.findall(r"^```python\n(.*?)^```", document.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
        for number, code in enumerate(found, start=1):
            yield pytest.param(code, id=f"{document.relative_to(_ROOT)}-{number}")


def _run(command, folder):
    """Run Python away from the checkout, with nothing of this machine's user in the environment."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": _PATH,
        "HOME": str(folder),
        "CREWAI_DISABLE_TELEMETRY": "true",
        "CREWAI_DISABLE_TRACKING": "true",
        "CREWAI_TRACING_ENABLED": "false",
    }
    return subprocess.run([sys.executable, *command], cwd=folder, env=environment, capture_output=True, text=True, timeout=100, check=False)  # noqa: S603 - our own


@pytest.mark.parametrize("code", list(_blocks()))
def test_python_of_a_document_runs(code, tmp_path):
    """Every block of Python in the documents runs in an empty folder without a key."""
    done = _run(["-c", code], tmp_path)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("script", sorted((_ROOT / "examples").glob("*.py")), ids=lambda path: path.name)
def test_example_runs(script, tmp_path):
    """Every example runs in an empty folder without a key and prints something."""
    done = _run([str(script)], tmp_path)

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
