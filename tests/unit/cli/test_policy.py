"""``crew-router policy`` and ``crew-router route --pareto``."""

import json

import pytest
from typer.testing import CliRunner

from crew_router.cli.app import app

LAB = """
registry: none
project: test
state: {url: "memory://"}
ledger: {url: "sqlite://"}
models:
  "lab:good": {provider: openai, model: good, base_url: "http://127.0.0.1:9/v1", price: {input: 5, output: 25}, quality: 0.9,
    tier: premium, regions: [eu], source: "a test"}
  "lab:cheap": {provider: openai, model: cheap, base_url: "http://127.0.0.1:9/v1", price: {input: 0.1, output: 0.4}, quality: 0.6,
    tier: fast, source: "a test"}
  "lab:bad": {provider: openai, model: bad, base_url: "http://127.0.0.1:9/v1", price: {input: 90, output: 90}, quality: 0.5,
    tier: fast, source: "a test"}
policies:
"""
SOUND = "  - {name: residency, order: safety, when: {risk: [pii]}, then: {regions: [eu]}}\n"
SHADOWED = SOUND + "  - {name: again, order: safety, when: {risk: [pii], tags: [x]}, then: {regions: [eu]}}\n"
CASES = """
cases:
  - {name: stays, request: {task_description: Hello., risk: [pii]}, expect: {model: "lab:good", policies: [residency]}}
  - {name: mars, request: {task_description: Hello., region: mars}, expect: {rejected: true, filter: region}}
  - {name: wrong, request: {task_description: Hello., complexity: 7}, expect: {tier: fast, approval: false, not_models: ["lab:bad"]}}
"""


@pytest.fixture
def write(tmp_path, monkeypatch):
    """A function that writes a file and returns its path."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))

    def written(name, text):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return written


def run(*arguments):
    """Run a command and return its result."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_sound_policies_pass_and_shadowed_ones_are_reported(write):
    """A check ends with 0 without findings and with 1 with some, each on a line."""
    sound, shadowed = run("policy", "check", write("a.yaml", LAB + SOUND)), run("policy", "check", write("b.yaml", LAB + SHADOWED))

    assert (sound.exit_code, sound.stdout) == (0, "1 policies, 0 findings\n")
    assert shadowed.exit_code == 1
    assert "shadowed: 'again' with 'residency'" in shadowed.stdout


def test_policy_that_means_nothing_is_one_line(write):
    """An unknown condition is wrong use, with the rule, the key and the cure."""
    wrong = run("policy", "check", write("a.yaml", LAB + "  - {name: odd, order: safety, when: {mood: good}, then: {pin: 'lab:good'}}\n"))

    assert wrong.exit_code == 2
    assert wrong.stderr.count("\n") == 1
    assert "policies.odd.when.mood" in wrong.stderr


def test_cases_are_decided_as_expected_or_named(write):
    """Each case passes or says what came instead; one failure ends with 1."""
    config, cases = write("a.yaml", LAB + SOUND), write("cases.yaml", CASES)

    plain, as_json = run("policy", "test", cases, "--config", config), run("policy", "test", cases, "--config", config, "--json")

    document = json.loads(as_json.stdout)
    assert (plain.exit_code, as_json.exit_code) == (1, 1)
    assert [line.split()[0] for line in plain.stdout.splitlines()] == ["passed", "passed", "FAILED", "3"]
    assert "expected tier fast, got premium" in plain.stdout
    assert (document["cases"], document["failed"]) == (3, 1)


@pytest.mark.parametrize("text", ["cases: []", "cases: [{request: {}}]", "cases: [{request: {mood: 1}, expect: {model: x}}]"])
def test_cases_that_mean_nothing_are_refused(write, text):
    """A file without cases, or with a wrong one, is wrong use."""
    assert run("policy", "test", write("cases.yaml", text), "--config", write("a.yaml", LAB + SOUND)).exit_code == 2


def test_frontier_is_listed_and_is_one_document_as_json(write):
    """What another model beats in everything is not on it."""
    config = write("a.yaml", LAB + SOUND)

    plain, as_json = (run("route", "Hello.", "--pareto", "--config", config, *more) for more in ((), ("--json",)))

    assert "lab:cheap" in plain.stdout
    assert "lab:bad" not in plain.stdout
    assert [row["model"] for row in json.loads(as_json.stdout)] == ["lab:cheap", "lab:good"]
