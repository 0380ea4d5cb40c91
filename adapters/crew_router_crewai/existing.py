"""What becomes of an LLM that an agent names itself, when its crew is routed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from crew_router.errors import ConfigurationError
from crew_router.types import ModelRef
from crew_router_crewai.blocks import given_to
from crew_router_crewai.scope import is_routed

if TYPE_CHECKING:
    from crew_router.router.router import Router

# CrewAI reads the model of agents that name none from the first of these that is set.
_ENVIRONMENT: Final = ("MODEL", "MODEL_NAME", "OPENAI_MODEL_NAME")
_CARRIED: Final = ("temperature", "top_p", "max_tokens", "seed", "frequency_penalty", "presence_penalty", "stream", "stop")


class ExistingLLM(StrEnum):
    """How an agent's own LLM counts.

    ``baseline``: the agent is routed, and savings are counted against its own model. ``first``: its own model is tried first, and the
    router's others are its fallbacks. ``pin``: only its own model. ``ignore``: as if it named none.
    """

    BASELINE = "baseline"
    FIRST = "first"
    PIN = "pin"
    IGNORE = "ignore"

    @classmethod
    def read(cls, value: str) -> ExistingLLM:
        """Read a setting.

        Raises:
            ConfigurationError: It is none of the four.
        """
        try:
            return cls(value)
        except ValueError:
            raise ConfigurationError("existing_llm", "", f"{value!r} is not known", cure=f"use one of {', '.join(cls)}") from None


@dataclass(frozen=True, slots=True)
class Taken:
    """What is taken over from an agent's own LLM: settings of calls, keys of its requests, and the model savings count against."""

    settings: dict[str, Any]
    routing: dict[str, Any]
    baseline: ModelRef | None = None


def taken_from(agent: Any, existing: ExistingLLM, router: Router) -> Taken:
    """Read an agent's own LLM.

    Raises:
        ConfigurationError: Its model has to be called, and the registry does not know it.
    """
    llm = agent.llm
    settings = {name: value for name in _CARRIED if (value := getattr(llm, name, None)) not in (None, [])}
    named = given_to(agent).names_llm or any(os.environ.get(name) for name in _ENVIRONMENT)
    if not named or existing is ExistingLLM.IGNORE or is_routed(llm):
        return Taken({}, {})
    ref = known_as(llm, router)
    if existing is ExistingLLM.BASELINE:
        return Taken(settings, {}, ref)
    if ref is None:
        named_model = getattr(llm, "model", llm)
        raise ConfigurationError(
            f"agent {agent.role.strip()!r}", "llm", f"{named_model!r} is not in the registry",
            cure=f"add it to models, or use existing_llm='{ExistingLLM.BASELINE}' or '{ExistingLLM.IGNORE}'",
        )  # fmt: skip
    routing = {"force_model": str(ref)} if existing is ExistingLLM.FIRST else {"force_model": str(ref), "fallbacks": False}
    return Taken(settings, routing, ref)


def known_as(llm: Any, router: Router) -> ModelRef | None:
    """Return the registry's model that an LLM of CrewAI calls, by provider and name, or by a name that only one model has."""
    model, provider = str(getattr(llm, "model", llm) or ""), str(getattr(llm, "provider", "") or "")
    names = {model, model.partition("/")[2] or model}
    refs = [entry.ref for entry in router.models]
    exact = [ref for ref in refs if ref in names or (ref.provider == provider and ref.name in names)]
    return next(iter(exact), None) or _only([ref for ref in refs if ref.name in names])


def _only(refs: list[ModelRef]) -> ModelRef | None:
    return refs[0] if len(refs) == 1 else None
