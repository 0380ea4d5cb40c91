"""`crew-router demo`: the main job on the recordings, as a user runs it."""

import json
import xml.etree.ElementTree as ET

import pytest
from typer.testing import CliRunner

from crew_router.cli.app import app


def test_demo_figures_come_from_the_recordings(tmp_path, monkeypatch):
    """The demo compares the router with each model, a random mix and the oracle, and draws the picture."""
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(app, ["demo", "--json", "--picture", str(tmp_path / "demo.svg")])

    document = json.loads(result.stdout)
    lines = {line["name"]: line for line in document["lines"]}
    singles = [line for line in lines.values() if line["kind"] == "single"]
    routed = [line for line in lines.values() if line["kind"] == "router"]
    assert document["tasks"] == 121
    assert [round(line["accuracy"] * 121) for line in singles] == [87, 111, 49]
    assert lines["random mix"]["accuracy"] == pytest.approx(sum(line["accuracy"] for line in singles) / 3)
    assert lines["oracle"]["accuracy"] >= max(line["accuracy"] for line in routed)
    assert routed[0]["cost_usd"] < routed[-1]["cost_usd"]
    assert ET.parse(tmp_path / "demo.svg").getroot().tag.endswith("svg")  # noqa: S314 - our own file
