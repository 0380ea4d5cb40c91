"""``crew-router ab-test`` as a user calls it."""

import json

import pytest
from typer.testing import CliRunner

from crew_router.cli.app import app


@pytest.fixture
def call(tmp_path):
    """A function that runs the command over one state and one ledger."""
    config = tmp_path / "crew_router.yaml"
    urls = [f"{name}: {{url: 'sqlite:///{tmp_path}/{name}.db'}}" for name in ("state", "ledger")]
    config.write_text("\n".join(["project: test", *urls]), encoding="utf-8")

    def run(*words):
        return CliRunner().invoke(app, ["ab-test", *words, "--config", str(config)])

    return run


def test_an_experiment_is_started_shown_and_stopped_over_processes(call):
    """Each command is a router of its own over the same state."""
    started = call("start", "five_strategies", "--json")
    shown = call("--json")
    arm = call("assign", "five_strategies", "ada")
    stopped = call("stop", "five_strategies", "--winner", "quality_first")

    assert json.loads(started.stdout)["arms"][0]["name"] == "control"
    assert json.loads(shown.stdout)[0]["experiment"]["status"] == "running"
    assert arm.stdout.strip() in [each["name"] for each in json.loads(started.stdout)["arms"]]
    assert "quality_first gets everything" in stopped.stdout
    assert json.loads(call("analyze", "five_strategies", "--json").stdout)["experiment"]["status"] == "won"


def test_an_unknown_experiment_is_wrong_use(call):
    """Exit code 2 and one line."""
    result = call("analyze", "nobody")

    assert result.exit_code == 2
    assert "nobody" in result.stderr


def test_the_table_is_readable(call):
    """Text has a row for each arm."""
    call("start", "five_strategies")

    shown = call().stdout

    assert "five_strategies: running" in shown
    assert shown.count("20%") == 5
