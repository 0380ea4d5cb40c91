"""What is built, installed and imported is what a user gets."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[3]
_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def _run(command, *, folder):
    done = subprocess.run(command, cwd=folder, env=_ENVIRONMENT, capture_output=True, text=True, check=False, timeout=300)  # noqa: S603 - our own
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """Build the sdist from the checkout and the wheel from the sdist."""
    out = tmp_path_factory.mktemp("dist")
    _run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(_ROOT)], folder=out)
    return next(out.glob("*.tar.gz")), next(out.glob("*.whl"))


@pytest.fixture(scope="session")
def installed(built, tmp_path_factory):
    """Install the wheel, and nothing else, into an empty environment."""
    folder = tmp_path_factory.mktemp("empty")
    _run([sys.executable, str(_ROOT / ".ci" / "environment.py"), str(folder / "venv"), "--wheel", str(built[1])], folder=folder)
    return folder


def test_sdist_holds_what_it_takes_to_test_it(built):
    """The source distribution carries tests, configuration, constraints and the Makefile."""
    with tarfile.open(built[0]) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert {"Makefile", "LICENSE", "constraints.txt", "pyproject.toml", ".ci/environment.py", "tests/skips.txt"} <= names
    assert any(name.startswith("config/models/") for name in names)


def test_wheel_holds_the_four_packages_and_the_configuration(built):
    """The wheel has the four packages at its top, each with py.typed, and the configuration inside the core."""
    names = zipfile.ZipFile(built[1]).namelist()

    tops = {name.partition("/")[0] for name in names if ".dist-info" not in name}
    assert tops == {"crew_router", "crew_router_langchain", "crew_router_crewai", "crew_router_mcp"}
    assert {f"{top}/py.typed" for top in tops} <= set(names)
    assert any(name.startswith("crew_router/packaged/models/") and name.endswith(".yaml") for name in names)


def test_installed_wheel_finds_its_configuration(installed):
    """Away from the checkout, the packaged models are read from inside the package."""
    code = "from importlib.resources import files; print(len(list((files('crew_router') / 'packaged' / 'models').iterdir())))"

    assert int(_run([installed / "venv" / "bin" / "python", "-c", code], folder=installed)) >= 1


def test_installed_wheel_runs_the_demo(installed):
    """Away from the checkout, the command of the wheel runs the main job and writes its picture."""
    folder = installed / "elsewhere"
    folder.mkdir()

    printed = _run([installed / "venv" / "bin" / "crew-router", "demo", "--plot", "demo.svg"], folder=folder)

    assert "oracle" in printed
    assert (folder / "demo.svg").is_file()


def test_editable_install_has_no_copy_of_the_configuration(tmp_path):
    """An editable install finds the configuration of the checkout; a copy beside it would grow stale."""
    out = tmp_path / "editable"
    code = f"import hatchling.build; print(hatchling.build.build_editable({str(out)!r}))"
    out.mkdir()

    wheel = out / _run([sys.executable, "-c", code], folder=_ROOT).split()[-1]

    assert not [name for name in zipfile.ZipFile(wheel).namelist() if "packaged" in name or "models/" in name]
