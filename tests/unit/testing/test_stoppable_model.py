"""A model that dies in the middle of a run."""

import pytest

from crew_router import AllModelsFailedError, Router
from crew_router.testing import ScriptedModel
from crew_router.testing.stoppable import StoppableModel


def test_a_stopped_model_refuses_every_connection():
    """It answers until it is stopped; then another model answers, and the failed call is in the attempts."""
    dying = StoppableModel(ScriptedModel("from the first"))
    models = {"lab:first": dying, "lab:second": ScriptedModel("from the second")}
    with Router(models=models, ledger_url="sqlite://") as router:
        router.override(pin="lab:first")
        before = router.invoke("Say something.")
        dying.stop()
        after = router.invoke("Say something.")

    assert before.text == "from the first"
    assert after.text == "from the second"
    assert [attempt.error for attempt in after.attempts if not attempt.ok] == ["connection"]


def test_a_stopped_model_alone_fails_the_request():
    """Nobody answers for it."""
    dying = StoppableModel(ScriptedModel("never"))
    dying.stop()

    with Router(models={"lab:only": dying}, ledger_url="sqlite://") as router, pytest.raises(AllModelsFailedError):
        router.invoke("Say something.")
