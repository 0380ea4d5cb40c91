"""The crew_router.yaml of a project, as the command line shows and trusts it."""

import json

import pytest
from typer.testing import CliRunner

from crew_router.cli.app import app


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with a file that names a store; the user's own folder is elsewhere."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("CREW_ROUTER_CONFIG", raising=False)
    root = tmp_path / "project"
    (root / "src").mkdir(parents=True)
    (root / "pyproject.toml").write_text('[project]\nname = "mine"', "utf-8")
    (root / "crew_router.yaml").write_text('optimize: quality\nstate: {url: "memory://"}\n', "utf-8")
    monkeypatch.chdir(root / "src")
    return root


def run(*arguments):
    """Run a command and return its result."""
    return CliRunner().invoke(app, list(arguments))


def test_config_show_says_which_file_holds(project):
    """The path of the file is the first line, and no line is a Python object's text."""
    shown = run("config", "show")

    assert shown.stdout.splitlines()[0] == f"file: {project / 'crew_router.yaml'}"
    assert 'optimize: "quality"' in shown.stdout
    assert "Settings(" not in shown.stdout
    assert json.loads(run("config", "show", "--json").stdout)["files"] == [str(project / "crew_router.yaml")]


def test_config_show_without_a_file_says_so(project):
    """Where no file is found the packaged configuration holds."""
    (project / "crew_router.yaml").unlink()

    assert run("config", "show").stdout.splitlines()[0] == "file: none; the packaged configuration holds"


def test_config_trust_lets_the_rest_of_the_file_hold(project):
    """Before, the store of the file is not used; after, it is, until the text changes."""
    before = json.loads(run("config", "show", "--json").stdout)["state"]["url"]
    said = run("config", "trust")
    after = json.loads(run("config", "show", "--json").stdout)["state"]["url"]
    (project / "crew_router.yaml").write_text('state: {url: "memory://"}\n', "utf-8")
    changed = json.loads(run("config", "show", "--json").stdout)["state"]["url"]

    assert said.exit_code == 0
    assert "this holds from now on: state" in said.stdout
    assert (before, after, changed) == (None, "memory://", None)


def test_config_trust_without_a_file_is_wrong_use(project):
    """There is nothing to trust, and the line says where was looked."""
    (project / "crew_router.yaml").unlink()

    result = run("config", "trust")

    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert "no crew_router.yaml was found" in result.stderr
