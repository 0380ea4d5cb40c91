"""Route a question over two scripted models, without a key or a network."""

from crew_router import Router, RoutingRequest
from crew_router.testing import ScriptedModel

MODELS = {
    "lab:small": ScriptedModel("Paris", price=(0.1, 0.4), quality=0.7),
    "lab:large": ScriptedModel("Paris.", price=(5.0, 25.0), quality=0.95),
}

with Router(models=MODELS, ledger_url="sqlite://", project="quickstart") as router:
    response = router.invoke("What is the capital of France?", request=RoutingRequest(cost_budget=0.01))
    print(f"{response.text}  ({response.model}, ${response.cost_usd:.6f})")
    print(response.decision.explain())
