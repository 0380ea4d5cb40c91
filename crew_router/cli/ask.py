"""``crew-router ask``: route a prompt, run it, print the answer."""

from __future__ import annotations

import typer

from crew_router.cli.console import ConfigOption, JsonOption, fail, open_router, say, say_json
from crew_router.cli.request_options import takes_request
from crew_router.types import RoutedResponse, RoutingRequest
from crew_router.types.explain import money

NOTHING_FOUND = (
    "no model found: set OPENAI_API_KEY (or another provider's key), start Ollama (`ollama serve`), "
    "or load a model in LM Studio and start its server"
)


@takes_request
def ask(text: str, request: RoutingRequest, *, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Answer a prompt with the model that serves it best of those found here: keys in the environment, local servers."""
    with open_router(config) as router:
        router.discover()
        if not router.reachable():
            fail(NOTHING_FOUND)
        if as_json:
            say_json(summary_of(router.invoke(text, request=request)))
            return
        for chunk in router.stream(text, request=request):
            typer.echo(chunk.text, nl=False)
            if chunk.response is not None:
                say("")
                typer.echo(f"[{footer_of(chunk.response)}]", err=True)


def summary_of(response: RoutedResponse) -> dict[str, object]:
    """Return an answer as plain data."""
    return {
        "text": response.text,
        "model": response.model,
        "cost_usd": response.cost_usd,
        "usage": response.usage,
        "attempts": response.attempts,
        "decision_id": response.decision.id,
        "rationale": response.decision.rationale,
    }


def footer_of(response: RoutedResponse) -> str:
    """Return one line with the model that answered, the cost, and the command that explains the choice."""
    calls = len(response.attempts)
    return (
        f"{response.model}, {money(response.cost_usd)}, {calls} call{'s' * (calls != 1)}; why: crew-router explain {response.decision.id}"
    )
