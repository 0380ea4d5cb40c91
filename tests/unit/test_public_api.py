"""What `import crew_router` gives, and what it costs."""

import subprocess
import sys
from pathlib import Path

import crew_router

ROOT = Path(__file__).parents[2]
HEAVY = (
    "numpy",
    "pydantic",
    "yaml",
    "langchain_core",
    "crewai",
    "fastmcp",
    "httpx",
    "redis",
    "sqlalchemy",
    "typer",
    "rich",
    "sqlite3",
    "asyncio",
    "cachetools",
)


def test_every_public_name_exists_and_the_list_is_sorted():
    """``__all__`` is sorted, complete and importable."""
    names = crew_router.__all__

    assert names == sorted(names)
    assert all(hasattr(crew_router, name) for name in names)


def test_import_is_light():
    """Importing the package loads nothing heavy."""
    code = f"import crew_router, sys; print([m for m in {HEAVY!r} if m in sys.modules])"

    out = subprocess.run(  # noqa: S603 - our own interpreter and text
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}
    )

    assert out.stdout.strip() == "[]"
