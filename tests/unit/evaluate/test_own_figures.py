"""Figures of the user's own: where they put a model, how surely, and what a wrong file is told."""

import json
import math
import sys
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from crew_router.cli.app import app
from crew_router.config.ability import ability_of, success
from crew_router.config.load import packaged_registry
from crew_router.config.registry import Registry
from crew_router.errors import ConfigurationError, MissingDependencyError
from crew_router.evaluate.own_figures import as_yaml, place_figures
from crew_router.evaluate.price_check import as_diff, moved_prices
from crew_router.evaluate.registry_age import age_line, retiring

REGISTRY = packaged_registry()
KNOWN = ("openai:gpt-6.1-sol", "openai:gpt-6-luna", "openai:gpt-4.1-mini", "openai:gpt-5-mini", "anthropic:claude-haiku-4-5")
HEADER = "model,effort,benchmark,score,n\n"


def figures(tmp_path, text):
    """Return a file with this text."""
    path = tmp_path / "figures.csv"
    path.write_text(text, encoding="utf-8")
    return path


def results(truth, *, difficulty=-0.5, questions=400, seed=0):
    """Return rows of known models and a new one of this ability on one benchmark."""
    rng = np.random.default_rng(seed)
    abilities = {ref: ability_of(REGISTRY[ref]).value for ref in KNOWN} | {"lab:new": truth}
    shares = {ref: rng.binomial(questions, success(value, difficulty)) / questions for ref, value in abilities.items()}
    return HEADER + "".join(f"{ref},,tickets,{share},{questions}\n" for ref, share in shares.items())


@pytest.mark.parametrize("truth", [-1.5, 0.0, 1.5])
def test_new_model_is_placed_among_the_known(tmp_path, truth):
    """Five known models on the same benchmark put a new one where it belongs, within two errors."""
    placed = place_figures(figures(tmp_path, results(truth)), REGISTRY)

    new = placed[0]
    assert (new.model, new.effort, new.before) == ("lab:new", None, None)
    assert abs(new.ability.value - truth) < 2 * new.ability.error
    assert 0.2 < new.ability.error < 0.7


def test_errors_of_new_models_cover_the_truth(tmp_path):
    """Over many draws, most truths lie within two errors, and the errors are no larger than they need be."""
    pulls = []
    for seed in range(30):
        new = place_figures(figures(tmp_path, results(0.5, seed=seed)), REGISTRY)[0]
        pulls.append((new.ability.value - 0.5) / new.ability.error)

    assert np.mean(np.abs(pulls) < 2) > 0.9


def test_known_models_are_not_made_less_sure(tmp_path):
    """A further figure moves a known model by its weight, and its error does not grow."""
    placed = place_figures(figures(tmp_path, results(0.0)), REGISTRY)

    for each in placed[1:]:
        assert each.ability.error <= each.before[1] + 1e-9
        assert abs(each.ability.value - each.before[0]) < 2 * each.before[1]


def test_printed_entry_can_be_pasted(tmp_path):
    """The YAML is that of a configuration, and gives the model this ability as the user's own."""
    placed = place_figures(figures(tmp_path, results(0.4).replace("lab:new,,", "lab:new,high,")), REGISTRY)

    registry = Registry.from_entries(yaml.safe_load(as_yaml(placed))["models"])

    ability = ability_of(registry["lab:new"], effort="high")
    assert len(registry) == 1
    assert (ability.kind, ability.sources, ability.figures) == ("user", ("tickets",), 1)
    assert ability.value == pytest.approx(placed[0].ability.value, abs=0.01)


def test_percent_and_chance_are_read(tmp_path):
    """Scores above 1 are percent, and what guessing gets is taken off."""
    share = results(0.0)
    lines = [line.split(",") for line in share.splitlines()[1:]]
    guessed = "model,effort,benchmark,score,n,chance\n" + "".join(
        f"{ref},,tickets,{100 * (0.25 + 0.75 * float(score))},{n},25\n" for ref, _, _, score, n in lines
    )

    plain = place_figures(figures(tmp_path, share), REGISTRY)[0].ability
    corrected = place_figures(figures(tmp_path, guessed), REGISTRY)[0].ability

    assert corrected.value == pytest.approx(plain.value, abs=1e-6)


def test_nothing_right_and_everything_right_are_figures(tmp_path):
    """Scores of 0 and 1 place a model low and high instead of nowhere."""
    base = results(0.0)
    low = place_figures(figures(tmp_path, base + "lab:none,,tickets,0,400\n"), REGISTRY)
    high = place_figures(figures(tmp_path, base + "lab:all,,tickets,1,400\n"), REGISTRY)

    found = {each.model: each.ability.value for each in [*low, *high]}
    assert all(math.isfinite(value) for value in found.values())
    assert found["lab:none"] < -1.5 < 1.5 < found["lab:all"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "columns"),
        ("model,score\nlab:a,1\n", "columns"),
        (HEADER, "no figure"),
        (HEADER + "lab:a,,x,high,1\n", "'high'"),
        (HEADER + "lab:a,,x,-0.1,1\n", "'-0.1'"),
        (HEADER + "lab:a,,x,nan,10\n", "'nan'"),
        (HEADER + "lab:a,,x,170,10\n", "'170'"),
        (HEADER + "lab:a,,x,0.5,2.5\n", "'2.5'"),
        (HEADER + "lab:a,,x,0.5,0\n", "'0'"),
        (HEADER + ",,x,0.5,9\n", "model"),
        (HEADER + "lab:a,,,0.5,9\n", "benchmark"),
        (HEADER + "nobody,,x,0.5,9\n", "nobody"),
        (HEADER + "lab:a,ultra,x,0.5,9\n", "ultra"),
        (HEADER + "openai:gpt-6.1-sol,none,x,0.5,9\n", "is not offered"),
        (HEADER + "lab:a,,x,0.5,9\nopenai:gpt-6-luna,,x,0.5,9\n", "1 models of known ability"),
    ],
)
def test_wrong_file_gets_one_clear_error(tmp_path, text, said):
    """The error names the file and what is wrong, and says what to write."""
    path = figures(tmp_path, text)

    with pytest.raises(ConfigurationError) as caught:
        place_figures(path, REGISTRY)

    assert str(caught.value).startswith(str(path))
    assert said in str(caught.value)
    assert caught.value.cure


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_unreadable_file_is_named(tmp_path, content):
    """A file that is not there, or not text, is an error and no traceback."""
    path = tmp_path / "figures.csv"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(ConfigurationError, match="cannot be read"):
        place_figures(path, REGISTRY)


def run(*arguments):
    """Run a command and return its result."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_command_prints_abilities_and_yaml(tmp_path, monkeypatch):
    """`models fit` shows a table and what to paste; with --json it prints one document."""
    monkeypatch.chdir(tmp_path)
    path = figures(tmp_path, results(0.0))

    text, document = run("models", "fit", path), json.loads(run("models", "fit", path, "--json").stdout)

    assert text.exit_code == 0
    assert "lab:new" in text.stdout
    assert yaml.safe_load(text.stdout[text.stdout.index("models:") :])["models"]["lab:new"]["ability"]["kind"] == "user"
    assert {each["model"] for each in document} == {"lab:new", *KNOWN}


def test_command_refuses_a_wrong_file(tmp_path):
    """A wrong file exits 2 with one line."""
    result = run("models", "fit", tmp_path / "nothing.csv")

    assert (result.exit_code, len(result.stderr.splitlines())) == (2, 1)


def test_prices_of_the_registry_have_not_moved_on_their_day():
    """On the day that it states the registry agrees with genai-prices, so nothing is reported."""
    assert moved_prices(REGISTRY, date(2026, 11, 21)) == []


def test_moved_price_is_reported_with_both_figures():
    """A price that differs is told by model, key, what it was and what it is; what the package does not know is passed over."""
    sol = REGISTRY["openai:gpt-6.1-sol"]
    changed = replace(sol, price=replace(sol.price, output=7.0))
    unknown = Registry.from_entries({"lab:own": {"price": {"input": 1, "output": 2}}})["lab:own"]

    moved = moved_prices([changed, unknown], date(2026, 11, 21))

    assert [(each.model, each.key, each.was, each.now) for each in moved] == [("openai:gpt-6.1-sol", "output", 7.0, 10.0)]
    assert as_diff(moved).splitlines() == ['@@ "openai:gpt-6.1-sol".price @@', "-output: 7", "+output: 10"]


def test_price_check_without_the_package_says_what_to_install(monkeypatch):
    """genai-prices is optional; without it one line says how to get it."""
    monkeypatch.setitem(sys.modules, "genai_prices", None)

    with pytest.raises(MissingDependencyError, match="genai-prices"):
        moved_prices(REGISTRY, date(2026, 11, 21))


def test_update_command_tells_the_age_and_what_moved(tmp_path, monkeypatch):
    """`models update` says how old the figures are, then the prices, as a table, a diff or JSON."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "crew_router.yaml"
    path.write_text('models: {"openai:gpt-6-luna": {price: {output: 0.4}}}', encoding="utf-8")

    text, diff = run("models", "update", "--config", path), run("models", "update", "--write", "--config", path)
    document = json.loads(run("models", "update", "--json", "--config", path).stdout)

    assert text.exit_code == diff.exit_code == 0
    assert "abilities of 2026-" in text.stdout
    assert "-output: 0.4\n+output: 0.5" in diff.stdout
    assert {"model": "openai:gpt-6-luna", "key": "output", "was": 0.4, "now": 0.5} in document


ENTRY = {"retires": {"date": date(2026, 12, 11), "successor": "lab:next"}}


@pytest.mark.parametrize(
    ("today", "said"),
    [
        (date(2026, 10, 1), []),
        (date(2026, 12, 1), ["lab:old retires on 2026-12-11, in 10 days; use lab:next"]),
        (date(2026, 12, 11), ["lab:old is retired since 2026-12-11; use lab:next"]),
        (date(2027, 5, 1), ["lab:old is retired since 2026-12-11; use lab:next"]),
    ],
)
def test_retirements_are_told_ahead(today, said):
    """Sixty days ahead a model is named with its successor, and after the day it is called retired."""
    registry = Registry.from_entries({"lab:old": ENTRY, "lab:next": {}})

    assert [str(each) for each in retiring(registry, today)] == said


def test_old_figures_are_called_old():
    """Fresh figures get their days, those of more than ninety days the cure too, unknown days are said to be unknown."""
    fresh, old = age_line(REGISTRY, date(2026, 12, 1)), age_line(REGISTRY, date(2027, 3, 1))

    assert fresh == "abilities of 2026-10-08 (54 days old), prices of 2026-11-21 (10 days old)"
    assert "which is old" in old
    assert "models update" in old
    assert age_line(Registry.from_entries({"lab:a": {}}), date(2026, 12, 1)) == "abilities of no known day, prices of no known day"
