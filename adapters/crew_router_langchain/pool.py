"""A router for a chat model that was given none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from langchain_core.language_models import BaseChatModel

from crew_router.errors import InvalidRequestError
from crew_router.router.router import Router
from crew_router.types.vocabulary import ModelRef
from crew_router_langchain.describing import identity

if TYPE_CHECKING:
    from crew_router.config.registry import Registry


def router_of(models: object, config: Any) -> Router:
    """Return a router over a configuration, or over these models only.

    Args:
        models: ``None``, a mapping as :class:`~crew_router.Router` takes it, or names and chat models in a row.
        config: A file, a folder, a mapping, or ``None``.

    Raises:
        InvalidRequestError: ``models`` is neither.
        UnknownModelError: A name is not in the registry.
    """
    if models is None:
        return Router(config)
    if isinstance(models, Mapping):
        return Router(config, models=models)
    if isinstance(models, (str, bytes)) or not isinstance(models, Iterable):
        raise InvalidRequestError("models", models, expected="a list of names and chat models, or a mapping")
    return Router(config, models=named(models, config))


def named(models: Iterable[object], config: Any) -> dict[str, object]:
    """Return the models by reference: names looked up in the registry, chat models by provider and name."""
    registry, found = None, dict[str, object]()
    for model in models:
        if isinstance(model, str):
            registry = registry or _registry(config)
            definition = registry.resolve(model)
            found[str(definition.ref)] = definition
        elif isinstance(model, BaseChatModel):
            found[_free(_reference(model), found)] = model
        else:
            raise InvalidRequestError("models", model, expected="names like 'openai:gpt-…' and LangChain chat models")
    # Entries of the registry name fallbacks; those that are not in this pool are left out.
    return found if registry is None else found | {str(model.ref): model for model in registry.only(found)}


def _registry(config: Any) -> Registry:
    import os  # only names need the environment's keys

    from crew_router.config.load import load_config  # reads files

    return load_config(config, env=os.environ).registry


def _reference(model: BaseChatModel) -> str:
    provider, name = identity(model)
    return str(ModelRef(f"{provider or 'langchain'}:{name or type(model).__name__}"))


def _free(name: str, taken: Mapping[str, object]) -> str:
    """Return the name, with a number when another model has it."""
    if name not in taken:
        return name
    number = 2
    while f"{name}@{number}" in taken:
        number += 1
    return f"{name}@{number}"
