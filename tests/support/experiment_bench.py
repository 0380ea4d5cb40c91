"""Routers whose requests take part in experiments."""

from crew_router import FeedbackData, Router, RoutingRequest
from crew_router.learn.experiments import Arm
from crew_router.testing import ScriptedModel

AB = (Arm(name="control", model="lab:a"), Arm(name="b", model="lab:b"))


def opened(config=None, *, faults_of_b=(), tmp_path=None):
    """Return a router over two models; the second one may fail."""
    models = {"lab:a": ScriptedModel("a", price=(1.0, 1.0)), "lab:b": ScriptedModel("b", price=(1.0, 1.0), faults=faults_of_b)}
    where = {"ledger_url": "sqlite://"}
    if tmp_path is not None:
        where = {"ledger_url": f"sqlite:///{tmp_path}/ledger.db", "state_url": f"sqlite:///{tmp_path}/state.db"}
    return Router({"registry": "none", **(config or {})}, models=models, project="test", seed=1, **where)


def ask(router, user, *, options=None, **asked):
    """Return the answer to one request of a user."""
    return router.invoke("Hi", request=RoutingRequest(user_id=f"u{user}", **asked), options=options)


def feed(router, rewards, count):
    """Ask for many users and say of every answer what its model deserves."""
    for user in range(count):
        response = ask(router, user)
        router.record_feedback(FeedbackData(response.decision.id, quality_score=rewards[response.model](user)))
