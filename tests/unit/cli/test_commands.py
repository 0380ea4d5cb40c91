"""The command line: what it prints, its exit codes, and one line for every error."""

import json
import logging

import pytest
from typer.testing import CliRunner

from crew_router.cli import main
from crew_router.cli.app import app
from crew_router.config.reachability import ACCESS, Access

LAB = """
registry: none
project: test
state: {url: "memory://"}
ledger: {url: "sqlite:///LEDGER"}
models:
  "lab:good": {provider: openai, model: good, base_url: "http://127.0.0.1:9/v1", price: {input: 5, output: 25}, quality: 0.9,
    capabilities: [tools, streaming], tier: premium, source: "a test"}
  "lab:cheap": {provider: openai, model: cheap, base_url: "http://127.0.0.1:9/v1", price: {input: 0.1, output: 0.4}, quality: 0.6,
    tier: fast, source: "a test"}
"""


@pytest.fixture
def config(tmp_path, monkeypatch):
    """A configuration of two models, away from the user's own folders and keys."""
    for access in ACCESS.values():
        for key in access.keys:
            monkeypatch.delenv(key, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "lab.yaml"
    path.write_text(LAB.replace("LEDGER", str(tmp_path / "ledger.db")), encoding="utf-8")
    return path


def run(*arguments, stdin=None):
    """Run a command and return its result."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)


def test_route_tells_the_choice_and_the_reasons(config):
    """The decision is shown with scores and the next best."""
    result = run("route", "Compare A and B.", "--config", config)

    assert result.exit_code == 0
    assert "lab:cheap (single, strategy weighted)" in result.stdout
    assert "next best lab:good" in result.stdout


def test_route_as_json_is_one_document(config):
    """With --json there is one document on stdout, which holds every candidate."""
    result = run("route", "Compare A and B.", "--config", config, "--json")

    document = json.loads(result.stdout)
    assert document["selected_model"] == "lab:cheap"
    assert {row["model"] for row in document["table"]["rows"]} == {"lab:good", "lab:cheap"}


def test_prompt_can_come_from_standard_input(config):
    """A dash reads the prompt from standard input."""
    result = run("route", "-", "--config", config, "--json", stdin="Write a haiku about rain.")

    assert json.loads(result.stdout)["profile"]["task_type"]["value"] == "creative"


def test_explain_finds_an_earlier_decision(config):
    """What route decided can be explained later by its id."""
    made = json.loads(run("route", "Hi", "--config", config, "--json").stdout)

    result = run("explain", made["id"], "--config", config)

    assert result.exit_code == 0
    assert made["selected_model"] in result.stdout


def test_models_lists_price_and_where_quality_comes_from(config):
    """Each model is listed with its figures."""
    document = json.loads(run("models", "--config", config, "--json").stdout)

    assert [(row["model"], row["price"]["input"], row["source"]) for row in document] == [
        ("lab:good", 5, "a test"),
        ("lab:cheap", 0.1, "a test"),
    ]


@pytest.mark.parametrize("arguments", [("models",), ("config", "show"), ("help",)])
def test_text_output_is_printed(config, arguments):
    """Every command prints text without --json."""
    result = run(*arguments, *(() if arguments == ("help",) else ("--config", config)))

    assert result.stdout.strip()
    assert "Traceback" not in result.output


def test_ask_without_any_model_names_three_ways_to_get_one(config, monkeypatch):
    """With nothing to call, one line names the quickest ways and the exit code is 1."""
    monkeypatch.setattr("crew_router.router.discovery.all_listed", dict.fromkeys)
    monkeypatch.setattr("crew_router.router.discovery.usual_servers", lambda: ())

    result = run("ask", "Hi", "--config", config)

    assert (result.exit_code, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1
    for way in ("OPENAI_API_KEY", "Ollama", "LM Studio"):
        assert way in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("route", ""), 2, "prompt"),
        (("route", "Hi", "--task", "cooking"), 2, "task_type"),
        (("route", "Hi", "--budget", "-1"), 2, "cost_budget"),
        (("route", "Hi", "--quality", "7"), 2, "quality_requirement"),
        (("route", "Hi", "--model", "nobody"), 2, "nobody"),
        (("route", "Hi", "--strategy", "astrology"), 2, "astrology"),
        (("route", "Hi", "--quality", "0.99"), 1, "lower quality_requirement"),
        (("explain", "d-nope"), 2, "d-nope"),
    ],
)
def test_error_is_one_line_with_its_exit_code(config, arguments, code, said):
    """Wrong use exits 2, a failure 1; stderr has one line that names the trouble, and there is no traceback."""
    result = run(*arguments, "--config", config)

    assert (result.exit_code, result.stdout) == (code, "")
    assert len(result.stderr.splitlines()) == 1
    assert said in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("fly",), "No such command 'fly'; see `crew-router --help`"),
        (("route", "Hi", "--speed", "9"), "--speed"),
        (("route",), "see `crew-router route --help`"),
        (("config", "check"), "see `crew-router config check --help`"),
        (("ask", "Hi", "--config"), "--config"),
    ],
)
def test_a_command_line_that_means_nothing_is_one_line_too(as_a_program, arguments, said):
    """A missing argument, an unknown option or command is wrong use, and the line names the help that says more."""
    code, _, stderr = as_a_program(*arguments)

    assert (code, len(stderr.splitlines())) == (2, 1)
    assert stderr.startswith("crew-router: ")
    assert said in stderr


def test_without_a_command_the_help_is_shown(as_a_program):
    """The name alone shows every command, as wrong use."""
    code, stdout, _ = as_a_program()

    assert code == 2
    assert "explain" in stdout


def test_a_data_folder_that_cannot_be_made_is_one_line(as_a_program, config, tmp_path, monkeypatch):
    """Where the embedded state has no place the line names the folder and the cure."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))
    config.write_text("registry: none", encoding="utf-8")

    code, _, stderr = as_a_program("route", "Hi", "--config", str(config))

    assert (code, len(stderr.splitlines())) == (1, 1)
    assert "ledger.url" in stderr


def test_trouble_with_the_ledger_is_said_in_lines_without_a_stack(as_a_program, config, tmp_path):
    """A decision is made although it cannot be written down, and each complaint is one line."""
    (tmp_path / "ledger.db").write_text("this is no database, and long enough to be taken for one" * 20, encoding="utf-8")

    code, stdout, stderr = as_a_program("route", "Compare A and B.", "--config", str(config))

    assert code == 0
    assert "lab:good" in stdout
    assert stderr.splitlines()
    assert all(line.startswith("crew-router: ") for line in stderr.splitlines())


@pytest.fixture
def as_a_program(monkeypatch, capsys):
    """Return a function that runs the program with arguments and returns its exit code, stdout and stderr."""

    def program(*arguments):
        monkeypatch.setattr("sys.argv", ["crew-router", *arguments])
        root = logging.getLogger()
        monkeypatch.setattr(root, "handlers", [])
        with pytest.raises(SystemExit) as left:
            main()
        return (left.value.code, *capsys.readouterr())

    return program


def test_config_check_accepts_a_good_file_and_names_what_is_wrong(config, tmp_path):
    """A good file is ok; a bad one is one line with file, key, value and cure."""
    bad = tmp_path / "bad.yaml"
    bad.write_text('models: {"lab:x": {price: {input: -1, output: 2}}}', encoding="utf-8")

    good, wrong = run("config", "check", config), run("config", "check", bad)

    assert good.exit_code == 0
    assert wrong.exit_code == 2
    assert len(wrong.stderr.splitlines()) == 1
    for part in ("bad.yaml", "lab:x", "-1"):
        assert part in wrong.stderr


_MAGIC = {"name": "magic"}
_WRONG = {"name": "noise", "parameters": {"epsilon": 7}}


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ({"strategy": _MAGIC}, "strategy.name"),
        ({"strategy": _WRONG}, "strategy.parameters"),
        ({"strategy": {"name": "fixed", "parameters": {"model": "nope:x"}}}, "strategy.parameters.model"),
        ({"preset": "moe", "strategy": _WRONG}, "strategy.parameters"),
        ({"task_types": {"testing": {"strategy": _MAGIC}}}, "task_types.testing.strategy.name"),
        ({"policies": [{"name": "p", "order": "cost", "then": {"strategy": "magic"}}]}, "policies.0.order"),
        ({"policies": [{"name": "p", "order": "budget", "then": {"strategy": "magic"}}]}, "policies.0.then.strategy.name"),
        ({"policies": [{"name": "p", "order": "budget", "then": {"strategy": _WRONG}}]}, "policies.0.then.strategy.parameters"),
        (
            {"experiments": [{"name": "e", "arms": [{"name": "a"}, {"name": "b", "strategy": _WRONG}]}]},
            "experiments.0.arms.1.strategy.parameters",
        ),
        (
            {"strategy": {"name": "experiment", "parameters": {"name": "e", "arms": [{"name": "a", "strategy": "magic"}]}}},
            "strategy",
        ),
    ],
)
@pytest.mark.parametrize("command", [("config", "check"), ("policy", "check")])
def test_strategies_are_checked_wherever_they_stand(tmp_path, command, written, place):
    """A strategy or parameter that nobody knows is one line with file and key, before anything is routed."""
    file = tmp_path / "bad.yaml"
    file.write_text(json.dumps(written), encoding="utf-8")

    wrong = run(*command, file)

    assert wrong.exit_code == 2
    assert len(wrong.stderr.splitlines()) == 1
    assert f"bad.yaml: {place}" in wrong.stderr


def test_ask_with_a_key_but_no_client_names_the_extra(config, monkeypatch):
    """A core install with a key is told which extra to add, and not to set the key."""
    missing = {**ACCESS, "openai": Access(("OPENAI_API_KEY",), "no_such_client_library", "langchain")}
    monkeypatch.setattr("crew_router.config.reachability.ACCESS", missing)
    monkeypatch.setattr("crew_router.router.discovery.all_listed", dict.fromkeys)
    monkeypatch.setattr("crew_router.router.discovery.usual_servers", lambda: ())
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-of-a-test")
    config.write_text('registry: none\nmodels: {"openai:a": {}}\nledger: {url: "sqlite://"}\nstate: {url: "memory://"}', encoding="utf-8")

    result = run("ask", "Hi", "--config", config)

    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert "pip install 'crew-router[langchain]'" in result.stderr
    assert "OPENAI_API_KEY is set" in result.stderr
    assert "set OPENAI_API_KEY" not in result.stderr
