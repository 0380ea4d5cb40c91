"""The first call of a process, whose client has to be imported and built."""

import random

from execute_bench import QUICK, decision_for

from crew_router.errors import ModelCallError
from crew_router.execute.attempts import Services
from crew_router.execute.executor import Executor
from crew_router.testing import FrozenClock, ScriptedModel
from crew_router.testing.transport import TestingTransport
from crew_router.types import ErrorKind, ModelRef, RoutingRequest
from crew_router.types.transport import Payload

FIRST, SECOND = ModelRef("lab:a"), ModelRef("lab:b")


class ColdTransport(TestingTransport):
    """Takes half a minute to build what it needs, once a model, as a slow import does."""

    def __init__(self, clock, *, broken=False):
        self.clock, self.broken, self.built = clock, broken, []

    def warm(self, model):
        """Build a client."""
        if self.broken:
            raise ModelCallError(model.ref, ErrorKind.AUTH, "the client cannot be built: no key")
        if model.ref not in self.built:
            self.clock.advance(30.0)
            self.built.append(model.ref)


def executor(transport, clock):
    """Return an executor over two scripted models."""
    models = {ref: ScriptedModel(ref.name, clock=clock).describe(ref) for ref in (FIRST, SECOND)}
    services = Services(models.__getitem__, lambda _model: transport, clock)
    return Executor(services, policy=QUICK, rng=random.Random(0))


def test_the_time_to_build_a_client_is_not_taken_from_its_call():
    """A model whose client took half a minute to import answers a request with five seconds to go."""
    clock = FrozenClock()
    transport = ColdTransport(clock)

    response = executor(transport, clock).run(decision_for(FIRST, (SECOND,), request=RoutingRequest(deadline_s=5.0)), Payload(("hello",)))

    assert (response.model, len(response.attempts)) == (FIRST, 1)
    assert transport.built == [FIRST]


def test_a_client_that_cannot_be_built_is_left_to_its_attempt():
    """Preparing fails in silence; what the call then says, or that it works, decides."""
    clock = FrozenClock()

    response = executor(ColdTransport(clock, broken=True), clock).run(
        decision_for(FIRST, (SECOND,), request=RoutingRequest()), Payload(("hello",))
    )

    assert response.model == FIRST
