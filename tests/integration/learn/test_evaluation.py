"""The real router over recorded outcomes."""

import itertools
import json
from importlib.resources import files

import pytest
from learn_pools import alike, invented
from typer.testing import CliRunner

from crew_router.cli.app import app
from crew_router.decide.learned.artifact import save
from crew_router.evaluate.artifact_report import evaluate_artifact
from crew_router.evaluate.training import train

SOURCE = files("crew_router.cli.demo").joinpath("local_models.jsonl")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Judge a router that was trained on other prompts of the same models."""
    folder = tmp_path_factory.mktemp("model")
    save(train(invented(rows=200, seed=1)), folder)
    return evaluate_artifact(invented(rows=40, seed=2), folder)


def test_cascades_are_executed_and_every_call_is_priced(trained):
    """Some requests are answered by several models in turn, and all their prices are in the cost."""
    prices = {"cheap": 0.0001, "middle": 0.001, "dear": 0.01}
    cascades = [row for row in trained.rows if len(row.models) > 1]

    assert cascades
    assert all(row.cost_usd == pytest.approx(sum(prices[name] for name in row.models)) for row in trained.rows)
    assert all(row.answered_by in row.models for row in trained.rows)


def test_more_willingness_to_pay_never_lowers_quality_by_more_than_noise(trained):
    """From setting to setting the quality falls by less than two standard errors."""
    settings = trained.settings

    for less, more in itertools.pairwise(settings):
        assert more.quality >= less.quality - 2 * max(less.standard_error, more.standard_error)


def test_the_router_begins_at_the_cheapest_model_and_beats_the_hull_of_singles(trained):
    """A right answer that is worth nothing costs what the cheapest model costs; the curve is above every mix of two models."""
    hull = next(figures for baseline, figures in trained.baselines if baseline.name == "hull of singles")

    assert trained.settings[0].cost_usd == pytest.approx(0.0001)
    assert trained.router.aiq > hull.aiq


def test_without_training_it_is_never_below_the_cheapest_adequate_single_model():
    """Given each model's mean score and price only, the curve reaches 95 % of the best for no more than that model costs."""
    found = evaluate_artifact(invented(rows=60, seed=3), None)
    adequate = next(baseline.points[0] for baseline, _ in found.baselines if baseline.name.startswith("cheapest adequate"))

    assert max(each.quality for each in found.settings if each.cost_usd <= adequate.cost_usd * 1.001) >= adequate.quality


def test_two_hundred_rows_are_enough_to_keep_to_the_hull_of_single_models(tmp_path):
    """Where prompts tell nothing and single models are all there is, the curve stays within two standard errors of their hull."""
    save(train(alike(200, seed=1)), tmp_path)

    found = evaluate_artifact(alike(60, seed=2), tmp_path)

    hull = next(figures for baseline, figures in found.baselines if baseline.name == "hull of singles")
    noise = max(each.standard_error for each in found.settings)
    assert found.router.aiq >= hull.aiq - 2 * noise


def test_train_and_evaluate_run_from_the_shell(tmp_path):
    """Real recordings are learnt from and judged on other rows; rows and figures are written."""
    lines = SOURCE.read_text(encoding="utf-8").splitlines()
    for name, part in (("known.jsonl", lines[::2]), ("out.jsonl", lines[1::2])):
        (tmp_path / name).write_text("\n".join(part), encoding="utf-8")
    model, rows, plot = tmp_path / "model", tmp_path / "rows.jsonl", tmp_path / "curve.svg"

    first = CliRunner().invoke(app, ["train", "--data", str(tmp_path / "known.jsonl"), "--out", str(model), "--json"])
    second = CliRunner().invoke(
        app,
        [
            *("evaluate", "--data", str(tmp_path / "out.jsonl"), "--model", str(model), "--rows", str(rows)),
            *("--plot", str(plot), "--preset", "smart_cost", "--json"),
        ],
    )

    assert first.exit_code == second.exit_code == 0
    found = json.loads(second.stdout)
    row = json.loads(rows.read_text(encoding="utf-8").splitlines()[0])
    assert json.loads(first.stdout)["rows"] == 61
    assert {"aiq", "max_quality", "cost_at_95_usd", "cost_at_100_usd"} <= set(found["router"])
    assert set(row) == {"setting", "id", "models", "answered_by", "score", "cost_usd"}
    assert plot.read_text(encoding="utf-8").count("<circle") == len(found["settings"]) + len(found["models"])


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["train", "--out", "x"], 2),
        (["evaluate", "--data", "no such file"], 2),
        (["evaluate", "--data", str(SOURCE), "--model", "none"], 2),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_two(arguments, code):
    """What is missing is named without a traceback."""
    result = CliRunner().invoke(app, arguments)

    assert result.exit_code == code
    assert result.stderr.startswith("crew-router: ")
    assert result.stderr.count("\n") == 1
