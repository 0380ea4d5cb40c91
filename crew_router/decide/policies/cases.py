"""Tests of a team's own rules: requests with the model, the tier or the rejection that they expect."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from crew_router.decide.policies.reading import listed, mapping
from crew_router.errors import ConfigurationError, CrewRouterError, InvalidRequestError, NoCandidateError
from crew_router.types import RoutingDecision, RoutingRequest

Decide = Callable[[RoutingRequest], RoutingDecision]
_KEYS: Final = ("name", "request", "expect")
EXPECTATIONS: Final = ("model", "provider", "tier", "not_models", "rejected", "filter", "approval", "policies", "strategy", "mode")


@dataclass(frozen=True, slots=True)
class Case:
    """One request and what is expected of its decision."""

    name: str
    request: RoutingRequest
    expect: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one case; ``problems`` is empty when it passed."""

    case: str
    problems: tuple[str, ...]


def read_cases(data: Mapping[str, object], *, place: str) -> tuple[Case, ...]:
    """Read the cases of a file.

    Raises:
        ConfigurationError: The file has no list of cases, or a case means nothing.
    """
    if not data.get("cases"):
        raise ConfigurationError(place, "cases", "there is no list of cases", cure="write cases: [{name, request, expect}, …]")
    return tuple(_case(mapping(each), place, at) for at, each in enumerate(listed(data["cases"])))


def run_cases(cases: Sequence[Case], decide: Decide, *, tier_of: Callable[[str], str | None]) -> tuple[Verdict, ...]:
    """Decide every case and compare.

    Args:
        cases: What to decide.
        decide: Decides a request, without recording it.
        tier_of: Returns the tier of a model.
    """
    return tuple(Verdict(case.name, tuple(_problems(case, decide, tier_of))) for case in cases)


def _case(entry: Mapping[str, object], place: str, at: int) -> Case:
    path, request, expected = f"cases.{at}", entry.get("request"), mapping(entry.get("expect"))
    if set(entry) - set(_KEYS) or not isinstance(request, Mapping) or not expected:
        raise ConfigurationError(place, path, "a case is {name, request, expect}", cure="see docs/policies.md for an example")
    for key in expected:
        if key not in EXPECTATIONS:
            raise ConfigurationError(place, f"{path}.expect.{key}", "is not known", cure=f"use one of {', '.join(EXPECTATIONS)}")
    try:
        asked = RoutingRequest.from_mapping(mapping(entry["request"]))
    except InvalidRequestError as error:
        raise ConfigurationError(place, f"{path}.request", str(error), cure="use the keys of a routing: block") from None
    return Case(str(entry.get("name", f"case {at + 1}")), asked, expected)


def _problems(case: Case, decide: Decide, tier_of: Callable[[str], str | None]) -> list[str]:
    try:
        decision = decide(case.request)
    except NoCandidateError as error:
        return _of_rejection(case.expect, error)
    except CrewRouterError as error:
        return [str(error)]
    if case.expect.get("rejected") is True:
        return [f"expected a rejection, got {decision.selected_model}"]
    return [problem for key, wanted in case.expect.items() if (problem := _compared(key, wanted, decision, tier_of))]


def _of_rejection(expect: Mapping[str, object], error: NoCandidateError) -> list[str]:
    if expect.get("rejected") is not True:
        return [f"no model was left: {error.nearest or 'see the table of `crew-router route`'}"]
    named = {why.filter for reasons in error.rejected.values() for why in reasons}
    wanted = expect.get("filter")
    return [] if wanted is None or wanted in named else [f"expected filter {wanted}, models were removed by {', '.join(sorted(named))}"]


def _compared(key: str, wanted: object, decision: RoutingDecision, tier_of: Callable[[str], str | None]) -> str:
    if key == "not_models":
        chosen = {decision.selected_model, *decision.fallbacks, *decision.models} & set(_listed(wanted))
        return f"{', '.join(sorted(chosen))} may answer" if chosen else ""
    if key == "policies":
        missing = set(_listed(wanted)) - {effect.policy for effect in decision.effects}
        return f"{', '.join(sorted(missing))} did not hold" if missing else ""
    found: Mapping[str, object] = {
        "model": decision.selected_model,
        "provider": decision.selected_model.provider,
        "tier": tier_of(decision.selected_model),
        "approval": bool(decision.approval),
        "strategy": decision.strategy,
        "mode": str(decision.mode),
        "rejected": False,
    }
    return "" if key not in found or found[key] in (wanted, *_listed(wanted)) else f"expected {key} {wanted}, got {found[key]}"


def _listed(wanted: object) -> tuple[str, ...]:
    return tuple(map(str, listed(wanted)))
