"""``crew-router ask``: route a prompt, run it, print the answer."""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from crew_router.cli.console import ConfigOption, JsonOption, fail, open_router, say, say_json
from crew_router.cli.request_options import takes_request
from crew_router.types import RoutedResponse, RoutingRequest
from crew_router.types.explain import money

if TYPE_CHECKING:
    from crew_router.config.reachability import Obstacle
    from crew_router.router.router import Prompt

NOTHING_FOUND = (
    "no model found: set OPENAI_API_KEY (or another provider's key), start Ollama (`ollama serve`), "
    "or load a model in LM Studio and start its server"
)


@takes_request
def ask(
    text: str,
    request: RoutingRequest,
    *,
    system: Annotated[str | None, typer.Option("--system", "-s", help="Instructions that stand before the prompt.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Answer a prompt with the model that serves it best of those found here: keys in the environment, local servers.

    What a pipe or a file gives on standard input is put behind the prompt: cat code.py | crew-router ask "Explain this".
    """
    prompt = _prompt(text, piped(), system=system)
    with open_router(config) as router:
        router.discover()
        if not router.reachable():
            fail(nothing_found(router.obstacles().values()))
        if as_json:
            say_json(summary_of(router.invoke(prompt, request=request)))
            return
        for chunk in router.stream(prompt, request=request):
            typer.echo(chunk.text, nl=False)
            if chunk.response is not None:
                say("")
                typer.secho(f"[{footer_of(chunk.response)}]", err=True, dim=None if os.environ.get("NO_COLOR") else True)


def piped() -> str:
    """Return what a pipe or a redirected file gives on standard input; a terminal and a device are not waited for."""
    stdin = sys.stdin
    if stdin is None or stdin.closed:
        return ""
    try:
        mode = os.fstat(stdin.fileno()).st_mode
    except (OSError, ValueError):  # a stand-in without a file, as in tests
        return stdin.read() if isinstance(getattr(stdin, "buffer", None), io.IOBase) and not stdin.isatty() else ""
    return stdin.read() if stat.S_ISFIFO(mode) or stat.S_ISREG(mode) else ""


def _prompt(text: str, more: str, *, system: str | None) -> Prompt:
    said = f"{text}\n\n{more}" if more.strip() else text
    if system is None:
        return said
    return [{"role": "system", "content": system}, {"role": "user", "content": said}]


def nothing_found(obstacles: Iterable[Obstacle]) -> str:
    """Return why no model can be called: the extra that is missing where a key is set or a server answers, else where to get a model."""
    packages = dict.fromkeys(str(each) for each in obstacles if each.kind == "package")
    return f"no model can be called: {'; '.join(packages)}" if packages else NOTHING_FOUND


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
    """Return one line with the model that answered, cost, seconds and calls, and the command that explains the choice."""
    calls = len(response.attempts)
    seconds = sum(attempt.latency_s for attempt in response.attempts)
    return (
        f"{response.model}, {money(response.cost_usd)}, {seconds:.1f} s, {calls} call{'s' * (calls != 1)}; "
        f"why: crew-router explain {response.decision.id}"
    )
