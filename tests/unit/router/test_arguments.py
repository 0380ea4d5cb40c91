"""Arguments given in code are checked as a configuration file is."""

import pytest

from crew_router import Router
from crew_router.errors import InvalidRequestError
from crew_router.testing import ScriptedModel


@pytest.mark.parametrize("threshold", [7, -0.1, float("nan"), True])
def test_a_threshold_given_in_code_is_checked_as_in_a_file(threshold):
    """What is no share from 0 to 1 is refused by name when the router is made."""
    with pytest.raises(InvalidRequestError, match="escalation_threshold"):
        Router(models={"lab:a": ScriptedModel("yes")}, ledger_url="sqlite://", escalation_threshold=threshold)


def test_an_unknown_task_type_is_refused_with_those_there_are():
    """Reporting an outcome and asking for figures name the field and the task types."""
    with Router(models={"lab:a": ScriptedModel("yes")}, ledger_url="sqlite://") as router:
        with pytest.raises(InvalidRequestError, match=r"task_type='foo' .* one of"):
            router.record_request_outcome(success=True, model_id="lab:a", task_type="foo")
        with pytest.raises(InvalidRequestError, match="task_type"):
            router.performance("lab:a", "foo")
