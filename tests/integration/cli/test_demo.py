"""`crew-router demo`: four acts on the recordings, as a user runs them."""

import json
import xml.etree.ElementTree as ET

import pytest
from typer.testing import CliRunner

from crew_router.cli.app import app


@pytest.fixture
def no_keys(monkeypatch, tmp_path):
    """Take every key and server of this machine away, and work in an empty folder."""
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY", "GEMINI_API_KEY", "MISTRAL_API_KEY", "CREW_ROUTER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_demo_figures_come_from_the_recordings(no_keys):
    """All four acts are in the document: what was learnt from is not judged on, the curve beside its yardsticks, an outage, one request."""
    result = CliRunner().invoke(app, ["demo", "--json", "--plot", "demo.svg"])

    document = json.loads(result.stdout)
    curve, outage, request = document["curve"], document["outage"], document["request"]
    right = {line["name"]: line["accuracy"] for line in curve["singles"]}
    assert document["tasks"]["judged_on"] == curve["judged"] > 300
    assert abs(document["tasks"]["learnt_from"] - curve["judged"]) < 30
    assert right["only smollm2-135m"] < right["only qwen2.5-coder-0.5b"] < right["only qwen2.5-coder-1.5b"] <= curve["oracle"]["accuracy"]
    assert curve["mix"]["accuracy"] == pytest.approx(sum(right.values()) / 3)
    assert "% of its cost" in curve["conclusion"]
    assert outage["model"] == "qwen2.5-coder-1.5b"
    assert (outage["lost"], outage["dead_calls"]) == (0, 1)
    assert request["prompt"]
    assert request["answered_by"] in request["story"]
    assert document["next"]["prompt"] == request["prompt"]
    assert ET.parse(no_keys / "demo.svg").getroot().tag.endswith("svg")  # noqa: S314 - our own file


def test_one_act_is_shown_alone(no_keys, monkeypatch):
    """With a key, the act of the next steps names the models it reaches and who would answer; the other acts are not played."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")

    result = CliRunner().invoke(app, ["demo", "--act", "next"])

    assert result.exit_code == 0
    assert "models can be called: openai" in result.stdout
    assert "That request would go to openai:" in result.stdout
    assert "dead model" not in result.stdout
    assert list(no_keys.iterdir()) == []


@pytest.mark.usefixtures("no_keys")
def test_without_a_key_the_next_step_is_said():
    """Whoever has neither key nor server is told what to set or start."""
    result = CliRunner().invoke(app, ["demo", "--act", "next"])

    assert result.exit_code == 0
    assert "set OPENAI_API_KEY" in result.stdout
    assert "Ollama" in result.stdout


@pytest.mark.usefixtures("no_keys")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--plot", "demo.gif"], "a name that ends in .svg"),
        (["--act", "next", "--plot", "demo.svg"], "the act curve"),
        (["--act", "curve", "--plot", "nowhere/demo.svg"], "cannot be written"),
    ],
)
def test_a_picture_that_cannot_be_drawn_is_refused_first(arguments, said):
    """Before anything is learnt, one line says what is wrong with the name of the picture."""
    result = CliRunner().invoke(app, ["demo", *arguments])

    assert result.exit_code == 2
    assert said in result.stderr
