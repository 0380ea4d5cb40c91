"""Making an environment on a machine that has little."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).resolve().parents[3] / ".ci" / "environment.py"


@pytest.fixture
def environment():
    """Return the script as a module."""
    spec = importlib.util.spec_from_file_location("environment", _SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_missing_venv_is_one_line_with_the_command(environment, monkeypatch):
    """A Debian Python without its venv package is named with what to install."""
    monkeypatch.setitem(sys.modules, "ensurepip", None)

    with pytest.raises(SystemExit, match=r"apt-get install -y python3\.\d+-venv$"):
        environment.check_python()


def test_wrong_python_is_one_line_with_the_command(environment, monkeypatch):
    """A Python that is too old is told which are right and how to get one."""
    monkeypatch.setattr(sys, "version_info", (3, 9, 2, "final", 0))

    with pytest.raises(SystemExit, match=r"Python 3\.11 to 3\.13 is needed, this is 3\.9: apt-get install"):
        environment.check_python()


def test_script_is_readable_by_old_pythons():
    """The script compiles as Python 3.8 would read it, so that an old Python can say that it is too old."""
    import ast  # only here

    assert ast.parse(_SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 8))


@pytest.mark.parametrize(
    ("listed", "settings"),
    [
        ("global.index-url='http://i.example/simple'", {"UV_DEFAULT_INDEX": "http://i.example/simple"}),
        ("global.extra-index-url='\\na\\nb'", {"UV_INDEX": "a b"}),
        ("global.index-url='file'\n:env:.index-url='env'", {"UV_DEFAULT_INDEX": "env"}),
        (":env:.index-url='env'\nglobal.index-url='file'", {"UV_DEFAULT_INDEX": "env"}),
        ("global.find-links='a b'\nwheel.find-links='c'", {"UV_FIND_LINKS": "a,b"}),
        ("", {}),
    ],
)
def test_uv_gets_the_index_that_pip_has(environment, monkeypatch, listed, settings):
    """Pip's settings are handed to uv, the environment's over the file's, those of other commands not at all."""
    monkeypatch.setattr(subprocess, "run", lambda *_args, **_kwargs: subprocess.CompletedProcess([], 0, stdout=listed))

    found = environment.uv_settings("python")

    always = {"UV_INDEX_STRATEGY", "UV_PYTHON_DOWNLOADS", "UV_LINK_MODE"}
    assert {name: value for name, value in found.items() if name not in always} == settings


def test_environment_that_is_as_it_should_be_is_left_alone(environment, monkeypatch, tmp_path):
    """With a stamp for the same contents nothing is run; with other contents everything is made again."""
    made = []
    monkeypatch.setattr(environment, "make", lambda folder, **_: (folder.mkdir(exist_ok=True), made.append(folder)))
    folder = tmp_path / "venv"

    for extras in ("mcp", "mcp", "redis"):
        monkeypatch.setattr(sys, "argv", ["environment.py", str(folder), "--extras", extras])
        environment.main()

    assert len(made) == 2
