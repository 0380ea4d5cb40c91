"""What the commands print: one line a row, ids whole, reasons grouped, tabs in a pipe."""

import json

import pytest
from typer.testing import CliRunner

from crew_router.cli.app import app
from crew_router.cli.decision_view import removed_lines
from crew_router.cli.health import grouped
from crew_router.cli.rows import aligned
from crew_router.config.reachability import ACCESS
from crew_router.testing import FrozenClock
from crew_router.types import ModelRef, Rejection

HARD = "Prove that this consensus protocol is safe when messages are lost."
LAB = """
registry: none
project: test
state: {url: "sqlite:///STATE"}
ledger: {url: "sqlite:///LEDGER"}
models:
  "lab:good": {provider: openai, model: good, base_url: "http://127.0.0.1:9/v1", price: {input: 5, output: 25}, quality: 0.9,
    context_window: 1000, tier: premium, source: "a test"}
  "lab:cheap": {provider: openai, model: cheap, base_url: "http://127.0.0.1:9/v1", price: {input: 0.1, output: 0.4}, quality: 0.6,
    context_window: 9000, tier: fast, source: "a test"}
  "anthropic:far": {price: {input: 1, output: 2}, quality: 0.99, tier: premium, source: "a test"}
"""


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """Return a function that runs a command over three models, one of them without a key."""
    for access in ACCESS.values():
        for key in access.keys:
            monkeypatch.delenv(key, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr("crew_router.router.discovery.usual_servers", lambda: ())
    monkeypatch.setattr("crew_router.router.discovery.all_listed", lambda urls: dict.fromkeys(urls, frozenset({"good", "cheap"})))
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "lab.yaml"
    path.write_text(LAB.replace("LEDGER", str(tmp_path / "ledger.db")).replace("STATE", str(tmp_path / "state.db")), "utf-8")
    return lambda *arguments: CliRunner().invoke(app, [*arguments, "--config", str(path)])


def names(result):
    """Return the first column of what went into a pipe, without the header."""
    return [line.split("\t")[0] for line in result.stdout.splitlines()[1:]]


@pytest.mark.parametrize("width", [10, 40, 80, 200])
def test_a_row_is_one_line_and_its_id_is_whole(width):
    """At any width the first column stays, and what does not fit is left out from the right."""
    rows = [("provider:a-name-that-is-rather-long", "1.5", "word " * 30), ("b:c", "20", "x")]

    lines = aligned(("model", "cost", "why"), rows, width=width)

    assert len(lines) == 3
    assert lines[1].startswith("provider:a-name-that-is-rather-long")
    assert all(len(line) <= max(width, len(rows[0][0])) for line in lines)
    assert ("word" in lines[1]) == (width == 200)


def test_models_go_into_a_pipe_with_tabs_and_every_column(lab):
    """`crew-router models | cut -f1` gives ids, and no column is lost."""
    lines = lab("models").stdout.splitlines()

    assert len(lines) == 4
    assert {line.count("\t") for line in lines} == {10}
    assert lines[0].split("\t")[:2] == ["model", "call"]


@pytest.mark.parametrize(
    ("options", "listed"),
    [
        (("--reachable",), ["lab:good", "lab:cheap"]),
        (("--provider", "anthropic"), ["anthropic:far"]),
        (("--tier", "fast"), ["lab:cheap"]),
        (("--search", "GOO"), ["lab:good"]),
        (("--sort", "price"), ["lab:cheap", "anthropic:far", "lab:good"]),
        (("--sort", "name"), ["anthropic:far", "lab:cheap", "lab:good"]),
        (("--sort", "context"), ["lab:cheap", "lab:good", "anthropic:far"]),
        (("--sort", "ability", "--task", "testing", "--reachable"), ["lab:good", "lab:cheap"]),
    ],
)
def test_models_can_be_filtered_and_sorted(lab, options, listed):
    """Each option narrows or orders the list, as text and as JSON."""
    assert names(lab("models", *options)) == listed
    assert [row["model"] for row in json.loads(lab("models", *options, "--json").stdout)] == listed


def test_route_groups_what_was_removed_and_verbose_lists_it(lab):
    """The choice comes first, removed models are one line a reason; with --verbose each stands with its reasons."""
    short, long = lab("route", HARD), lab("route", HARD, "--verbose")

    assert short.stdout.splitlines()[0] == "lab:good (single, strategy weighted)"
    assert "removed: 1 not reachable: no key for anthropic" in short.stdout
    assert "anthropic:far" not in short.stdout
    assert "anthropic:far: reachable: ANTHROPIC_API_KEY is not set" in long.stdout


def test_removed_models_are_counted_by_reason():
    """The most frequent reason comes first, and a long group names a few and says where the rest is."""
    slow = {ModelRef(f"lab:m{at}"): (Rejection("latency", "9 s > 5 s"),) for at in range(5)}
    away = {ModelRef("openai:a"): (Rejection("quality", "low"), Rejection("reachable", "-", "package", "langchain_openai"))}

    assert list(removed_lines({**away, **slow})) == [
        "removed: 5 by latency: lab:m0 9 s > 5 s; lab:m1 9 s > 5 s; lab:m2 9 s > 5 s; and 2 more (--verbose)",
        "removed: 1 not reachable: no client package for openai",
    ]


def test_health_lists_what_can_be_called_first_and_shows_no_python(lab):
    """The state of each model is a row, and no line holds a dictionary or a class."""
    result = lab("health")
    rows = [line.split("\t") for line in result.stdout.splitlines() if "\t" in line]

    assert rows[0] == ["model", "state"]
    assert [row[0] for row in rows[1:]] == ["lab:good", "lab:cheap", "anthropic:far"]
    assert not set("{}[]") & set(result.stdout)
    assert "None" not in result.stdout


def test_models_that_lack_the_same_are_one_line_on_a_terminal():
    """Ten models without their provider's key are one complaint."""
    assert grouped([("a:x", "no key"), ("a:y", "no key"), ("b:z", "no key")]) == ["2 of a: no key", "b:z: no key"]


def test_log_feedback_and_explain_know_the_last_decision(lab):
    """What was decided is listed, can be judged and explained without copying its id."""
    first = json.loads(lab("route", HARD, "--json").stdout)["id"]
    second = json.loads(lab("route", "Write a haiku.", "--json").stdout)["id"]

    said = lab("feedback", "last", "0.25")
    listed = json.loads(lab("log", "--json").stdout)

    assert said.stdout == f"{second}: noted, reward 0.25\n"
    assert [(row["decision_id"], row["reward"]) for row in listed] == [(second, 0.25), (first, None)]
    assert names(lab("log", "-n", "1")) == [second]
    assert f"decision {second}" in lab("explain", "last").stdout


@pytest.mark.parametrize(("verdict", "reward"), [("good", 1.0), ("bad", 0.0)])
def test_feedback_takes_words(lab, verdict, reward):
    """Good and bad are the ends of the scale."""
    lab("route", HARD)

    assert json.loads(lab("feedback", "last", verdict, "--json").stdout)["reward"] == reward


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("feedback", "last", "good"), "no decision 'last'"),
        (("feedback", "d-nope", "good"), "d-nope"),
        (("explain", "last"), "no decision 'last'"),
        (("override", "set"), "a model to pin"),
        (("override", "set", "--pin", "lab:good", "--hours", "-1"), "a number above 0"),
        (("override", "set", "--pin", "nobody"), "nobody"),
    ],
)
def test_what_cannot_be_done_is_one_line(lab, arguments, said):
    """Wrong use exits 2 with one line."""
    result = lab(*arguments)

    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)
    assert said in result.stderr


def test_feedback_that_is_no_verdict_is_refused(lab):
    """Only good, bad and numbers from 0 to 1 are read."""
    lab("route", HARD)

    for verdict in ("fine", "7", "nan"):
        result = lab("feedback", "last", verdict)
        assert result.exit_code == 2
        assert "good, bad, or a number from 0 to 1" in result.stderr


def test_override_holds_for_the_next_command_until_it_is_cleared(lab):
    """What is set in one process pins the choice of the next."""
    lab("override", "set", "--pin", "lab:cheap", "--cost-ceiling", "0.5", "--hours", "2")
    shown = lab("override", "show").stdout
    pinned = json.loads(lab("route", HARD, "--json").stdout)["selected_model"]
    lab("override", "clear")

    assert "lab:cheap answers first and a request may cost $0.5 at most, until" in shown
    assert pinned == "lab:cheap"
    assert json.loads(lab("route", HARD, "--json").stdout)["selected_model"] == "lab:good"
    assert lab("override", "show").stdout == "no override holds\n"


def test_version_is_told():
    """--version prints the version of the installed distribution."""
    from importlib.metadata import version

    assert CliRunner().invoke(app, ["--version"]).stdout == f"crew-router {version('crew-router')}\n"


def findings(result):
    """Return what doctor found, by what it looked at."""
    return {each["what"]: each for each in json.loads(result.stdout)}


def test_doctor_is_content_where_everything_is_there(lab):
    """Every part has a line, none is a problem, and the exit code says so."""
    result = lab("doctor", "--json")

    assert result.exit_code == 0
    assert {"configuration", "keys", "packages", "models", "state", "ledger", "clock", "figures"} <= findings(result).keys()
    assert lab("doctor").stdout.count("PROBLEM") == 0


def test_doctor_says_what_to_do(lab, monkeypatch):
    """A key in quotes, and a client that is missing, are problems with a cure."""
    missing = {**ACCESS, "anthropic": type(ACCESS["anthropic"])(("ANTHROPIC_API_KEY",), "no_such_client", "anthropic")}
    monkeypatch.setattr("crew_router.config.reachability.ACCESS", missing)
    monkeypatch.setenv("ANTHROPIC_API_KEY", '"sk-in-quotes"')

    result = lab("doctor")

    assert result.exit_code == 1
    assert "PROBLEM keys: ANTHROPIC_API_KEY begin or end with blanks or quotes" in result.stdout
    assert "pip install 'crew-router[anthropic]'" in result.stdout
    assert "sk-in-quotes" not in result.stdout


@pytest.mark.usefixtures("lab")
def test_doctor_sees_a_project_file_that_is_not_trusted(tmp_path):
    """What does not hold yet is named with the command that lets it."""
    (tmp_path / "crew_router.yaml").write_text('state: {url: "memory://"}\n', "utf-8")

    result = CliRunner().invoke(app, ["doctor"])

    assert "PROBLEM configuration:" in result.stdout
    assert "crew-router config trust" in result.stdout


@pytest.mark.usefixtures("lab")
def test_doctor_sees_a_clock_that_is_behind(monkeypatch):
    """A clock before the day of a price that was read is wrong."""
    monkeypatch.setattr("crew_router.cli.doctor.SystemClock", FrozenClock)

    assert findings(CliRunner().invoke(app, ["doctor", "--json"]))["clock"]["state"] == "problem"
