"""The choice only, as a runnable for chains of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from langchain_core.messages import BaseMessage
from langchain_core.prompt_values import PromptValue
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda

from crew_router_langchain.asking import Run, Standing, question, standing
from crew_router_langchain.errors import as_langchain
from crew_router_langchain.fitting import as_messages

if TYPE_CHECKING:
    from crew_router.router.router import Router
    from crew_router.types.decision import RoutingDecision


def choice(router: Router, always: Standing | None = None) -> Runnable[Any, RoutingDecision]:
    """Return a runnable from a prompt to a decision; no model is called.

    The input is what a chat model takes (a text, messages, a prompt value) or a mapping with ``messages``.

    Args:
        router: The router to ask.
        always: What is asked in every call.

    Example:
        >>> from crew_router import Router
        >>> from crew_router.testing import ScriptedModel
        >>> router = Router(models={"lab:a": ScriptedModel(replies=["a"])}, ledger_url="sqlite://")
        >>> choice(router).invoke("Prove it.").selected_model
        'lab:a'
    """
    asked = always or standing(model="auto", routing={}, parameters={}, stop=None, timeout=None, max_retries=None)

    def decide(prompt: Any, config: RunnableConfig) -> RoutingDecision:
        with as_langchain():
            run = Run.read(config.get("tags"), config.get("metadata"))
            routing = (config.get("configurable") or {}).get("routing")
            one = question(asked, _messages(prompt), stop=None, kwargs={"routing": routing} if routing else {}, run=run)
            return router.select_model(replace(one.request, messages=one.payload.messages))

    return RunnableLambda(decide, name="crew_router_choice")


def _messages(prompt: Any) -> list[BaseMessage]:
    if isinstance(prompt, PromptValue):
        return prompt.to_messages()
    if isinstance(prompt, Mapping):
        prompt = prompt.get("messages", [prompt])
    return as_messages([prompt] if isinstance(prompt, (str, BaseMessage)) else prompt)
