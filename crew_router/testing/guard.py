"""A guard that lets tests make no call that costs money."""

from __future__ import annotations

import contextlib
from collections.abc import Generator

from crew_router.execute.attempts import WATCHERS
from crew_router.testing.script import Scripted
from crew_router.types.model import ModelDefinition
from crew_router.types.vocabulary import Tier


@contextlib.contextmanager
def no_paid_calls() -> Generator[None, None, None]:
    """Raise an error before any call that would cost money, in every thread.

    Scripted and recorded models, local models and models with a price of 0 may be called.

    Raises:
        AssertionError: A call to a paid model, or to one of unknown price, was about to be made.
    """
    WATCHERS.append(_refuse_paid)
    try:
        yield
    finally:
        WATCHERS.remove(_refuse_paid)


def _refuse_paid(model: ModelDefinition) -> None:
    if isinstance(model.instance, Scripted) or model.tier is Tier.LOCAL:
        return
    if model.price is not None and model.price.input == 0 and model.price.output == 0:
        return
    message = f"{model.ref!r} would be paid for; use a ScriptedModel in this test."
    raise AssertionError(message)
