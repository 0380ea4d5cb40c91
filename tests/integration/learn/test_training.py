"""Training on invented models of known worth."""

import dataclasses
import json

import numpy as np
import pytest
import yaml
from learn_pools import calling, invented
from typer.testing import CliRunner

from crew_router import ModelRef, Router, RoutingRequest
from crew_router.cli.app import app
from crew_router.decide.learned.artifact import ARRAYS, MANIFEST, load, save
from crew_router.decide.learned.trained_model import GivenAnswer
from crew_router.errors import ConfigurationError
from crew_router.evaluate.training import calibration_error, train
from crew_router.testing import ScriptedModel


@pytest.fixture(scope="module")
def learned():
    """Train once on three invented models."""
    return train(invented())


def best_plan(learned, worth, cluster=0):
    """Return the plan of most utility."""
    return max((plan for plan in learned.plans if plan.cluster == cluster), key=lambda plan: worth * plan.quality - plan.cost_usd)


def test_the_dial_moves_from_the_cheapest_model_to_more_quality(learned):
    """With nothing to gain the cheapest model answers; the more an answer is worth, the better and dearer the plan."""
    plans = [best_plan(learned, worth) for worth in (0.0, 1e-3, 1e-2, 1e-1, 1.0)]

    assert [learned.models[model] for model in plans[0].models] == ["cheap"]
    assert [plan.quality for plan in plans] == sorted(plan.quality for plan in plans)
    assert [plan.cost_usd for plan in plans] == sorted(plan.cost_usd for plan in plans)


def test_cascades_reach_the_best_model_for_less(learned):
    """Where wrong answers differ and right ones agree, a plan is as good as the best model and cheaper."""
    best = learned.mean_quality.max()

    assert min(plan.cost_usd for plan in learned.plans if plan.quality >= best) < learned.mean_cost_usd.max()


def test_agreement_is_believed_and_disagreement_is_not(learned):
    """Two models that say the same are more probably right than one of two that differ, and the better one is preferred."""
    cheap, dear = learned.models.index("cheap"), learned.models.index("dear")
    agreed = learned.best_answer("How many apples are there?", [GivenAnswer(cheap, "7"), GivenAnswer(dear, "7")])
    differ = learned.best_answer("How many apples are there?", [GivenAnswer(cheap, "11"), GivenAnswer(dear, "7")])

    assert agreed.probability > differ.probability
    assert differ.index == 1


def test_probabilities_are_calibrated_on_held_out_rows(learned):
    """The expected calibration error before a call, after reading and of accepted answers is small."""
    assert max(learned.report.ece_before, learned.report.ece_after, learned.report.ece_plan) < 0.08


def test_a_model_without_answers_gives_single_plans():
    """Where agreement cannot be judged there is nothing to check, and every plan is one model."""
    learned = train(invented(answers=False))

    assert {len(plan.models) for plan in learned.plans} == {1}
    assert learned.correctness is None


def test_a_call_is_read_by_whether_the_prompt_asks_for_it(tmp_path):
    """The same call is probably right where the prompt speaks of the function and wrong elsewhere; an artifact on disk reads the same."""
    learned = train(calling())
    save(learned, tmp_path)
    middle, prompt = learned.models.index("middle"), "Could you paint the ladder number 9 for me?"

    def read(artifact, text):
        return artifact.best_answer(prompt, [GivenAnswer(middle, text)]).probability

    assert len(learned.correctness.trees) > 0
    assert read(learned, "paint_ladder(number=9)") > 0.8
    assert read(learned, "weigh_bottle(number=9)") < 0.5
    again = load(tmp_path)
    assert read(again, "paint_ladder(number=9)") == pytest.approx(read(learned, "paint_ladder(number=9)"), abs=1e-3)
    assert read(again, "NO_CALL") == pytest.approx(read(learned, "NO_CALL"), abs=1e-3)


def test_an_artifact_is_read_as_it_was_written(learned, tmp_path):
    """Plans, predictions and posteriors survive, and no pickle is in it."""
    save(learned, tmp_path)

    again = load(tmp_path)

    given = [GivenAnswer(0, "7"), GivenAnswer(1, "7")]
    assert again.plans == learned.plans
    assert again.best_answer("def f(x): return 7", given).probability == pytest.approx(
        learned.best_answer("def f(x): return 7", given).probability, abs=1e-4
    )
    with np.load(tmp_path / ARRAYS, allow_pickle=False) as arrays:
        assert all(arrays[name].dtype != object for name in arrays.files)


@pytest.mark.parametrize("damage", [{"format": 99}, {"models": []}, {"plans": 7}, {"report": {}}])
def test_a_damaged_artifact_is_one_line(learned, tmp_path, damage):
    """An unknown format, or a manifest that does not fit its arrays, is a configuration error that says what to do."""
    save(learned, tmp_path)
    manifest = json.loads((tmp_path / MANIFEST).read_text())
    (tmp_path / MANIFEST).write_text(json.dumps({**manifest, **damage}))

    with pytest.raises(ConfigurationError, match="crew-router train"):
        load(tmp_path)


def test_training_twice_gives_the_same(learned):
    """Training is repeatable under a seed."""
    assert train(invented()).plans == learned.plans


def test_too_few_rows_are_refused():
    """Under twenty prompts nothing is learnt."""
    with pytest.raises(ConfigurationError, match="at least 20"):
        train(invented(rows=12))


def test_a_history_in_which_each_prompt_went_to_one_model_is_learnt_from():
    """Rows that lack most scores give single plans instead of an error."""
    table = invented(rows=90)
    sparse = np.where(np.arange(3) == (np.arange(90) % 3)[:, None], table.score, np.nan)

    learned = train(dataclasses.replace(table, score=sparse))

    assert {len(plan.models) for plan in learned.plans} == {1}
    assert learned.models[int(learned.mean_quality.argmax())] == "dear"


def test_calibration_error_of_a_sure_liar_is_one():
    """What is certain and always wrong is as wrong as can be; what comes true as often as it says has no error."""
    assert calibration_error(np.ones(10), np.zeros(10)) == pytest.approx(1.0)
    assert calibration_error(np.full(10, 0.5), np.array([0.0, 1.0] * 5)) == pytest.approx(0.0)


def test_a_router_learns_from_its_own_history_and_uses_it(tmp_path):
    """Judged answers of real requests in the ledger are trained on from the shell, and the next router plans with what was learnt."""
    config = {
        "registry": "none",
        "models": {f"lab:{name}": {"provider": "lab", "model": name, "price": {"input": 1.0, "output": 1.0}} for name in ("good", "poor")},
        "ledger": {"url": f"sqlite:///{tmp_path / 'ledger.db'}", "keep_text": True},
        "state": {"url": "memory://"},
    }
    written = tmp_path / "crew_router.yaml"
    written.write_text(yaml.safe_dump(config), encoding="utf-8")
    models = {name: ScriptedModel("7", price=(1.0, 1.0)) for name in ("lab:good", "lab:poor")}
    with Router(written, models=models) as router:
        for number in range(60):
            name = ("lab:good", "lab:poor")[number % 2]
            decision = router.invoke(f"How many apples are in case {number}?", request=RoutingRequest(force_model=ModelRef(name))).decision
            router.record_request_outcome(decision_id=decision.id, success=True, quality=0.9 if name == "lab:good" else 0.3)

    told = CliRunner().invoke(app, ["train", "--from-ledger", "--out", str(tmp_path / "model"), "--config", str(written), "--json"])

    assert json.loads(told.stdout)["rows"] == 60, told.stderr
    with Router({"registry": "none", "learning": {"model": str(tmp_path / "model")}}, models=models, ledger_url="sqlite://") as router:
        response = router.invoke("How many apples are in case 99?", request=RoutingRequest(willingness_to_pay=1.0))
    assert response.model == "lab:good"
    assert any(note.source == "planned" for note in response.decision.table.notes())
