"""What `import crew_router` gives, and what it costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

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


# What others keep private and tests have to touch: an exit without clean-up, a hook of pytest-xdist that is there to be overridden.
OTHERS = {"os._exit", "super()._split_scope"}
SETTERS = {"setattr", "getattr", "delattr", "object", "patch"}


def private_names(source):
    """Return the private names of others that a source uses: as an attribute, in a text that names one, or by an import."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and is_private(node.attr) and ast.unparse(node.value) not in {"self", "cls"}:
            found.append(ast.unparse(node))
        elif isinstance(node, ast.ImportFrom):
            found += [alias.name for alias in node.names if is_private(alias.name)]
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in SETTERS:
            texts = [each.value for each in node.args[:2] if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            found += [text for text in texts if any(map(is_private, text.split(".")))]
    return [name for name in found if name not in OTHERS]


def is_private(name):
    """Tell whether a name is for its own module or class only."""
    return name.startswith("_") and not name.endswith("__") and name != "_"


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


@pytest.mark.parametrize("part", ["unit", "contract", "integration", "simulation", "support", "docs", "conftest.py"])
def test_tests_use_public_names_only(part):
    """What only a test looks at has a public way, mostly in ``crew_router.testing``."""
    where = ROOT / "tests" / part
    files = [where] if where.is_file() else sorted(where.rglob("*.py"))

    found = {str(file.relative_to(ROOT)): names for file in files if (names := private_names(file.read_text(encoding="utf-8")))}

    assert files
    assert found == {}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("ledger._database.query(sql)", ["ledger._database"]),
        ("router.state()._policy.failures", ["router.state()._policy"]),
        ("monkeypatch.setattr(retention, '_FIRST_S', 1)", ["_FIRST_S"]),
        ("monkeypatch.setattr('crew_router.record._Statements.run', None)", ["crew_router.record._Statements.run"]),
        ("from crew_router.record.ledger.postgres import _Statements", ["_Statements"]),
        ("self._clock = module.__name__", []),
        ("_ = os._exit(0)", []),
    ],
)
def test_private_names_are_found(source, found):
    """However a test reaches for a private name, it is seen; one's own and double underscores are not meant."""
    assert private_names(source) == found
