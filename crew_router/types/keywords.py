"""Refuse arguments that nobody would read, with what to write instead: a misspelt one must not be lost without a word."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from typing import Final

from crew_router.errors import InvalidRequestError, shown
from crew_router.types.request import RoutingRequest

ROUTING_KEYS: Final = frozenset(each.name for each in fields(RoutingRequest))


def refuse_unknown(given: Mapping[str, object], known: Collection[str], *, otherwise: str = "") -> None:
    """Raise an error for the first argument that is not known.

    Args:
        given: The arguments.
        known: The names that are read.
        otherwise: What to do with a name that is neither a key of ``routing`` nor nearly one that is read.

    Raises:
        InvalidRequestError: An argument is not known; the message says where it belongs, or which one was probably meant.
    """
    for name in given:
        if name not in known:
            raise InvalidRequestError(name, given[name], expected=_instead(name, given[name], known=known, otherwise=otherwise))


def refuse_routing_keys(given: Mapping[str, object], *, but: Collection[str] = ()) -> None:
    """Raise an error for a key of ``routing`` among the arguments of something that would pass it on without reading it.

    Raises:
        InvalidRequestError: There is one.
    """
    for name in given:
        if name in ROUTING_KEYS and name not in but:
            raise InvalidRequestError(name, given[name], expected=_in_routing(name, given[name]))


def near(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like a name, if any is."""
    return next(iter(get_close_matches(name, list(known), n=1, cutoff=0.75)), None)


def _instead(name: str, value: object, *, known: Collection[str], otherwise: str) -> str:
    if name in ROUTING_KEYS:
        return _in_routing(name, value)
    meant = near(name, known)
    if meant is not None:
        return f"{meant}={shown(value)}, if that is what was meant"
    key = near(name, ROUTING_KEYS)
    if key is not None:
        return f"{_in_routing(key, value)}, if that is what was meant"
    return otherwise or f"one of {', '.join(sorted(known))}"


def _in_routing(name: str, value: object) -> str:
    return f"it in routing, as routing={{{name!r}: {shown(value)}}}"
