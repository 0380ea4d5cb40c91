"""The text that the ledger keeps of a decision."""

import json

import pytest
from decision_pools import decide, model
from storage_samples import decision

from crew_router.record.ledger.decision_codec import body_of, decision_of
from crew_router.types import Price, RoutingRequest, TaskType

REQUEST = RoutingRequest(TaskType.ANALYSIS, "Compare both\nplans", cost_budget=0.01, tags=frozenset({"x"}), metadata={"note": "plan"})
MODELS = [model("lab:a"), model("lab:b", price=Price(30, 90)), model("lab:c", price=None), model("other:d", enabled=False, quality=0.7)]


def _kept(made, *, keep_text=False):
    return decision_of(body_of(made, made.table.columns(), keep_text=keep_text))


def test_a_live_table_comes_back_in_six_decimals():
    """Every model, its figures, points, source and reasons are there, in the same order."""
    made = decide(MODELS, REQUEST)

    found = _kept(made, keep_text=True)

    assert found == made
    assert (found.table.notes(), found.table.changes(), found.rejected) == (made.table.notes(), made.table.changes(), made.rejected)
    for kept, row in zip(found.table.candidates(), made.table.candidates(), strict=True):
        assert (kept.model, kept.quality_source) == (row.model, row.quality_source)
        assert kept.points == pytest.approx(row.points, abs=1e-6)
        for name in ("rank", "score", "p_success", "latency_s", "quality"):
            assert getattr(kept, name) == pytest.approx(getattr(row, name), abs=1e-6)
        assert kept.cost_usd == pytest.approx(row.cost_usd, abs=1e-12)


def test_the_sentence_is_the_same_from_either_table():
    """A decision that was read back is explained in the same words."""
    made = decide(MODELS, REQUEST)

    found = _kept(made)

    assert found.rationale == made.rationale
    assert "2 of 4 models removed" in found.rationale


def test_a_row_of_the_first_format_is_still_read():
    """Ledgers written by older versions hold a row for each candidate."""
    made = decision()

    found = decision_of(json.dumps(made.to_dict()))

    assert found == made
    assert found.table == made.table


def test_without_kept_text_the_request_has_none():
    """Description, messages and metadata are dropped; what was asked for stays."""
    found = _kept(decide(MODELS, REQUEST)).request

    assert (found.task_description, found.messages, found.metadata) == ("", (), {})
    assert (found.cost_budget, found.tags) == (0.01, frozenset({"x"}))


def test_models_removed_for_the_same_reason_share_its_text():
    """A large registry of which few models can be called does not fill the ledger."""

    def size(extra):
        made = decide([model("lab:a"), *(model(f"lab:off{number}", enabled=False) for number in range(extra))], REQUEST)
        return len(body_of(made, made.table.columns(), keep_text=False))

    assert size(60) - size(10) < 50 * 60


def test_half_a_surrogate_pair_in_a_name_is_replaced():
    """No text that a caller may pass keeps the decision out of the ledger."""
    found = _kept(decide(MODELS, RoutingRequest(TaskType.ANALYSIS, session_id="a\ud800b")))

    assert found.request.session_id == "a\ufffd\ufffd\ufffdb"
