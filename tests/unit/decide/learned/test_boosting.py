"""Boosted trees on figures of known meaning."""

import numpy as np
import pytest

from crew_router.decide.learned.boosting import Trees, grow
from crew_router.decide.learned.linear import expit


def either_or(rows=400, *, seed=0):
    """Return figures of which two decide together and the third is noise, and what came of them in nine of ten cases."""
    rng = np.random.default_rng(seed)
    inputs = np.column_stack([rng.integers(0, 2, rows), rng.normal(size=rows), rng.normal(size=rows), np.ones(rows)])
    truth = (inputs[:, 0] > 0) != (inputs[:, 1] > 0)
    return inputs, np.where(rng.random(rows) < 0.9, truth, ~truth).astype(np.float64)


@pytest.fixture(scope="module")
def learnt():
    """Grow trees once on an exclusive or."""
    inputs, target = either_or()
    return grow(inputs, target, start=np.zeros(len(target)), group=np.arange(len(target)), groups=len(target), seed=0)


def accuracy(odds, target):
    """Return the share of rows on the right side."""
    return float(((odds > 0) == (target > 0.5)).mean())


def test_trees_see_what_figures_say_only_together(learnt):
    """Of an exclusive or, which no sum of weights can learn, new rows are told apart nearly as well as can be."""
    fresh, came = either_or(seed=1)

    assert accuracy(learnt.trees(fresh), came) > 0.85


def test_held_out_odds_are_no_better_than_those_of_new_rows(learnt):
    """Trees that had not seen a group are as sure of it as all trees are of new rows, so that nothing is flattered."""
    inputs, target = either_or()
    fresh, came = either_or(seed=1)

    held_out = learnt.held_out(inputs, np.arange(len(target)))

    assert accuracy(held_out, target) == pytest.approx(accuracy(learnt.trees(fresh), came), abs=0.06)


def test_no_tree_grows_where_nothing_is_to_be_learnt():
    """Figures that say nothing leave the odds known before as they are."""
    rng = np.random.default_rng(3)
    target = (rng.random(400) < 0.5).astype(np.float64)

    grown = grow(rng.normal(size=(400, 5)), target, start=np.zeros(400), group=np.arange(400), groups=400, seed=0)

    assert len(grown.trees) == 0
    assert not grown.held_out(np.zeros((400, 5)), np.arange(400)).any()


def test_no_tree_grows_on_figures_that_never_differ():
    """Constant figures ask no question."""
    grown = grow(np.ones((40, 3)), np.ones(40), start=np.zeros(40), group=np.arange(40), groups=40, seed=0)

    assert len(grown.trees) == 0


def test_one_row_is_read_as_in_a_table(learnt):
    """The short way for a single answer gives what the table gives."""
    inputs, _ = either_or()

    assert [learnt.trees.one(row) for row in inputs[:20]] == pytest.approx(list(learnt.trees(inputs[:20])))
    assert Trees.none().one(inputs[0]) == 0.0


def test_odds_known_before_are_kept_where_they_are_right():
    """Trees start from what is known: a start that says it all is not made worse."""
    inputs, target = either_or()
    sure = np.where(target > 0.5, 3.0, -3.0)

    grown = grow(inputs, target, start=sure, group=np.arange(len(target)), groups=len(target), seed=0)

    odds = sure + grown.held_out(inputs, np.arange(len(target)))
    assert accuracy(odds, target) == 1.0
    assert float(expit(odds)[target > 0.5].mean()) > 0.9
