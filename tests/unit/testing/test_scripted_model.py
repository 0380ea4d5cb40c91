"""The fake model that users script their tests with."""

import pytest

from crew_router import InvalidRequestError
from crew_router.testing import ScriptedModel


@pytest.mark.parametrize("fault", ["bad_request", "overload@soon", "", "@1"])
def test_a_fault_of_no_known_kind_is_refused_at_once(fault):
    """A slip in a script is an error of the test, never an unknown fault of the model."""
    with pytest.raises(InvalidRequestError, match="overload"):
        ScriptedModel(faults=[None, fault])
