"""Command-line options that describe a request, shared by the commands that route one."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable
from typing import Annotated, Any, Final, TypeAlias

import typer

from crew_router.cli.console import one_line_errors
from crew_router.errors import InvalidRequestError
from crew_router.types import RoutingRequest

STDIN: Final = "-"

PromptArgument = Annotated[str, typer.Argument(help="The prompt; - reads it from standard input.")]
_Text: TypeAlias = str | None
_Number: TypeAlias = float | None
# The option that sets each field of the request.
_OPTIONS: Final = {
    "task_type": Annotated[_Text, typer.Option("--task", help="Task type, for example code_generation; read from the text when absent.")],
    "cost_budget": Annotated[_Number, typer.Option("--budget", help="Most USD that the request may cost.")],
    "quality_requirement": Annotated[_Number, typer.Option("--quality", help="Least quality, 0 to 1.")],
    "max_latency_s": Annotated[_Number, typer.Option("--max-latency", help="Most seconds the answer may be expected to take.")],
    "required_capabilities": Annotated[
        list[str] | None, typer.Option("--needs", help="A capability: tools, json, vision, …; may be repeated.")
    ],
    "tier": Annotated[_Text, typer.Option("--tier", help="Wanted band: premium, baseline, fast, local.")],
    "strategy": Annotated[_Text, typer.Option("--strategy", help="Strategy to choose by.")],
    "force_model": Annotated[_Text, typer.Option("--model", "-m", help="Force this model.")],
    "effort": Annotated[_Text, typer.Option("--effort", help="Reasoning effort, for example low, of models that have any.")],
    "max_effort": Annotated[_Text, typer.Option("--max-effort", help="Highest reasoning effort.")],
    "willingness_to_pay": Annotated[
        _Number, typer.Option("--willingness-to-pay", help="USD that a certainly right answer is worth (the dial).")
    ],
}


def takes_request(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that also takes a prompt and the options of a request.

    Args:
        command: Called with the prompt, the request that the options describe, and its own options.
    """

    @functools.wraps(command)
    def run(prompt: str, **options: Any) -> None:
        with one_line_errors():
            fields = {field: value for field in _OPTIONS if (value := options.pop(field)) is not None}
            command(read_prompt(prompt), RoutingRequest.from_mapping(fields), **options)

    own_options = [each for each in inspect.signature(command, eval_str=True).parameters.values() if each.kind is each.KEYWORD_ONLY]
    options = [
        inspect.Parameter(field, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=option) for field, option in _OPTIONS.items()
    ]
    first = inspect.Parameter("prompt", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=PromptArgument)
    signature = inspect.Signature([first, *options, *own_options])
    run.__signature__ = signature  # type: ignore[attr-defined]  # Typer reads the options from it
    run.__annotations__ = {each.name: each.annotation for each in signature.parameters.values()}
    return run


def read_prompt(prompt: str) -> str:
    """Return the prompt, read from standard input when it is ``-``.

    Raises:
        InvalidRequestError: It holds nothing but white space.
    """
    text = sys.stdin.read() if prompt == STDIN else prompt
    if not text.strip():
        raise InvalidRequestError("prompt", prompt, expected="some text")
    return text
