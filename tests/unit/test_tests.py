"""What every test has to do."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
CHECKS = {"raises", "warns", "fail"}


def unchecked(source):
    """Return the tests of a source that assert nothing, neither themselves nor by a function of the same file."""
    tree = ast.parse(source)
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))}
    return [name for name in functions if name.startswith("test_") and not checks(name, functions, seen=set())]


def checks(name, functions, *, seen):
    """Tell whether a function asserts something."""
    seen.add(name)
    for node in ast.walk(functions[name]):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if called in CHECKS or (called in functions and called not in seen and checks(called, functions, seen=seen)):
                return True
    return False


def test_every_test_can_fail():
    """A test that asserts nothing passes whatever the code does."""
    files = sorted(TESTS.rglob("test_*.py"))

    found = {str(file.relative_to(TESTS)): names for file in files if (names := unchecked(file.read_text(encoding="utf-8")))}

    assert len(files) > 100
    assert found == {}


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("router.close()", ["test_it"]),
        ("assert router.close() is None", []),
        ("with pytest.raises(ValueError): router.close()", []),
        ("holds(router)", []),
        ("nothing(router)", ["test_it"]),
    ],
)
def test_a_test_without_a_check_is_found(body, found):
    """An assertion, an expected error or a function of the file that has one is a check; a call alone is none."""
    source = f"def holds(router):\n    assert router\n\ndef nothing(router):\n    nothing(router)\n\ndef test_it(router):\n    {body}\n"

    assert unchecked(source) == found
