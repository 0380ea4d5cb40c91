"""The parts of the demo, on invented outcomes of known worth."""

import numpy as np
import pytest
from learn_pools import invented

from crew_router.cli.demo.curve import Line, Offer, conclude, draw_curve
from crew_router.cli.demo.outage import play_outage
from crew_router.cli.demo.recordings import Halves, recorded_halves, split
from crew_router.cli.demo.request import explain_one
from crew_router.cli.demo.trial import learn_from


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    """Return a router that learnt from one table and has another before it."""
    halves = Halves(invented(rows=120, seed=1), invented(rows=60, seed=2))
    return learn_from(halves, tmp_path_factory.mktemp("model"))


def offer(accuracy, cost_usd):
    """Return a setting that came to these figures."""
    line = Line("router", accuracy=accuracy, cost_usd=cost_usd, seconds=1.0)
    return Offer(1.0, line, calls=1.0, shares=(), promised=accuracy, mixed=0.72)


LARGEST = Line("only large", accuracy=0.8, cost_usd=10.0, seconds=1.0)


def test_rewordings_of_a_task_stay_on_one_side():
    """Rows of one group are never on both sides, no row is lost, and each side has its share of every domain."""
    table = invented(rows=60)
    groups = [f"{table.domains[row]}-{row // 6}" for row in range(60)]

    halves = split(table, groups, seed=3)

    sides = [{groups[table.ids.index(name)] for name in half.ids} for half in (halves.known, halves.judged)]
    assert not sides[0] & sides[1]
    assert len(halves.known) + len(halves.judged) == 60
    assert all(12 <= half.domains.count(domain) <= 18 for half in (halves.known, halves.judged) for domain in ("code", "words"))


def test_recordings_in_the_package_are_whole():
    """Hundreds of tasks, three models, each answer with a grade, a price and a time; prices are as the sizes of the models."""
    halves = recorded_halves(seed=7)

    assert len(halves.known) + len(halves.judged) >= 600
    for half in (halves.known, halves.judged):
        assert half.models == ("qwen2.5-coder-0.5b", "qwen2.5-coder-1.5b", "smollm2-135m")
        assert not np.isnan(half.score).any()
        assert (half.cost_usd > 0).all()
        assert (half.latency_s > 0).all()
        assert ((half.score >= 0) & (half.score <= 1)).all()


def test_curve_stands_beside_its_yardsticks(trial):
    """Singles are the table's means, the oracle is at least as good as each, and no offered setting beats another in both figures."""
    table = trial.halves.judged

    curve = draw_curve(trial, progress=lambda: None)

    assert [line.name for line in curve.singles] == ["only cheap", "only middle", "only dear"]
    assert curve.largest.accuracy == pytest.approx(table.score[:, table.models.index("dear")].mean())
    assert curve.mix.accuracy == pytest.approx(table.score.mean())
    assert curve.oracle.accuracy == pytest.approx(table.score.max(axis=1).mean())
    costs = [each.line.cost_usd for each in curve.offers]
    rights = [each.line.accuracy for each in curve.offers]
    assert costs == sorted(costs)
    assert rights == sorted(set(rights))
    assert len(curve.offers) + curve.dominated == len(trial.settings)


def test_conclusion_says_the_share_of_the_cost():
    """Where a setting is as good as the largest model for less, its share of the cost is told; where 98 % come for less still, that too."""
    cheap, good = offer(0.79, 4.0), offer(0.81, 6.0)

    said = conclude(LARGEST, [offer(0.3, 1.0), cheap, good], good)

    assert "as good as the largest model at 60% of its cost" in said
    assert "99% as good costs 40%" in said
    assert "chosen before judging brought 101% of the largest model's share right at 60% of its cost" in said
    assert "a random mix of the models brings 90% for the same money" in said


def test_conclusion_admits_when_the_router_stays_behind():
    """Where no setting is as good, the best one is told with its share and its cost."""
    best = offer(0.76, 9.0)

    said = conclude(LARGEST, [offer(0.3, 1.0), best], best)

    assert "never quite as good as the largest model: at best 95.0% of its share right at 90% of its cost" in said
    assert "as good costs" not in said


def test_conclusion_admits_when_it_costs_as_much():
    """Where only a setting that costs as much is as good, the sentence says so."""
    same = offer(0.8, 10.0)

    assert "as good as the largest model only at 100% of its cost" in conclude(LARGEST, [same], same)


def test_nothing_is_lost_when_the_largest_model_dies(trial):
    """One call meets the dead model; every request is answered, the later ones by others."""
    outage = play_outage(trial, worth_usd=trial.settings[-1])

    assert outage.model == "dear"
    assert outage.wanted > 1
    assert outage.lost == 0
    assert outage.dead_calls == 1
    assert len(outage.rescuers) == 1
    assert "dear" not in dict(outage.answered)


def test_one_request_is_explained_with_its_text(trial):
    """The prompt, every call with its price, and the router's own story are there."""
    explained = explain_one(trial, worth_usd=trial.settings[len(trial.settings) // 2])

    assert explained.prompt in trial.halves.judged.prompts
    assert explained.cost_usd == pytest.approx(sum(call.cost_usd for call in explained.calls))
    assert explained.answered_by in {call.model for call in explained.calls}
    assert explained.answered_by in explained.story
