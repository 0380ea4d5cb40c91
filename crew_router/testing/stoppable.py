"""A model that answers until it is stopped, to test outages in the middle of a run."""

from __future__ import annotations

from collections.abc import Iterator

from crew_router.testing.script import Asked, Scripted, ScriptedFault, ScriptedFaultError, Step
from crew_router.types.vocabulary import ErrorKind


class StoppableModel:
    """Answers as another scripted or recorded model does, until :meth:`stop`; from then on no connection to it can be made.

    Args:
        model: The model that answers.

    Example:
        >>> from crew_router.testing import ScriptedModel
        >>> model = StoppableModel(ScriptedModel("Hello."))
        >>> model.stop()
        >>> model.running
        False
    """

    def __init__(self, model: Scripted) -> None:
        self._model = model
        self.running = True

    def stop(self) -> None:
        """Refuse every connection from here on."""
        self.running = False

    def steps(self, asked: Asked) -> Iterator[Step]:
        """Yield the steps of one call."""
        if self.running:
            return self._model.steps(asked)
        return iter((Step(0.0, error=ScriptedFaultError(ScriptedFault(ErrorKind.CONNECTION))),))

    def pass_time(self, seconds: float) -> float:
        """Let time pass as the other model does."""
        return self._model.pass_time(seconds)
