"""Test cases for a team's own policies: requests with the expected model, tier, rejection and so on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from crew_router.decide.policies.yaml_values import as_list, as_mapping
from crew_router.errors import ConfigurationError, CrewRouterError, InvalidRequestError, NoCandidateError
from crew_router.types import RoutingDecision, RoutingRequest

Decide = Callable[[RoutingRequest], RoutingDecision]
_KEYS: Final = ("name", "request", "expect")
EXPECTATIONS: Final = ("model", "provider", "tier", "not_models", "rejected", "filter", "approval", "policies", "strategy", "mode")


@dataclass(frozen=True, slots=True)
class Case:
    """One request, and what is expected of its decision (a value for some of ``EXPECTATIONS``)."""

    name: str
    request: RoutingRequest
    expect: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class CaseResult:
    """The result of one case; ``problems`` is empty when it passed."""

    case: str
    problems: tuple[str, ...]


def read_cases(data: Mapping[str, object], *, place: str) -> tuple[Case, ...]:
    """Read the cases of a file.

    Raises:
        ConfigurationError: The file has no list of cases, or a case is not valid.
    """
    if not data.get("cases"):
        raise ConfigurationError(place, "cases", "there is no list of cases", cure="write cases: [{name, request, expect}, …]")
    return tuple(_case(as_mapping(each), place, index) for index, each in enumerate(as_list(data["cases"])))


def run_cases(cases: Sequence[Case], decide: Decide, *, tier_of: Callable[[str], str | None]) -> tuple[CaseResult, ...]:
    """Decide every case and compare the decision with what is expected.

    Args:
        cases: The cases.
        decide: Decides a request, without recording it.
        tier_of: Returns the tier of a model.
    """
    return tuple(CaseResult(case.name, tuple(_problems(case, decide, tier_of))) for case in cases)


def _case(entry: Mapping[str, object], place: str, index: int) -> Case:
    path, request, expected = f"cases.{index}", entry.get("request"), as_mapping(entry.get("expect"))
    if set(entry) - set(_KEYS) or not isinstance(request, Mapping) or not expected:
        raise ConfigurationError(place, path, "a case is {name, request, expect}", cure="see docs/policies.md for an example")
    for key in expected:
        if key not in EXPECTATIONS:
            raise ConfigurationError(place, f"{path}.expect.{key}", "is not known", cure=f"use one of {', '.join(EXPECTATIONS)}")
    try:
        routing_request = RoutingRequest.from_mapping(as_mapping(entry["request"]))
    except InvalidRequestError as error:
        raise ConfigurationError(place, f"{path}.request", str(error), cure="use the keys of a routing: block") from None
    return Case(str(entry.get("name", f"case {index + 1}")), routing_request, expected)


def _problems(case: Case, decide: Decide, tier_of: Callable[[str], str | None]) -> list[str]:
    try:
        decision = decide(case.request)
    except NoCandidateError as error:
        return _rejection_problems(case.expect, error)
    except CrewRouterError as error:
        return [str(error)]
    if case.expect.get("rejected") is True:
        return [f"expected a rejection, got {decision.selected_model}"]
    return [problem for key, wanted in case.expect.items() if (problem := _difference(key, wanted, decision, tier_of))]


def _rejection_problems(expect: Mapping[str, object], error: NoCandidateError) -> list[str]:
    if expect.get("rejected") is not True:
        return [f"no model was left: {error.nearest or 'see the table of `crew-router route`'}"]
    filters = {rejection.filter for reasons in error.rejected.values() for rejection in reasons}
    wanted = expect.get("filter")
    return [] if wanted is None or wanted in filters else [f"expected filter {wanted}, models were removed by {', '.join(sorted(filters))}"]


def _difference(key: str, wanted: object, decision: RoutingDecision, tier_of: Callable[[str], str | None]) -> str:
    if key == "not_models":
        chosen = {decision.selected_model, *decision.fallbacks, *decision.models} & set(_texts(wanted))
        return f"{', '.join(sorted(chosen))} may answer" if chosen else ""
    if key == "policies":
        missing = set(_texts(wanted)) - {effect.policy for effect in decision.effects}
        return f"{', '.join(sorted(missing))} did not hold" if missing else ""
    actual: Mapping[str, object] = {
        "model": decision.selected_model,
        "provider": decision.selected_model.provider,
        "tier": tier_of(decision.selected_model),
        "approval": bool(decision.approval),
        "strategy": decision.strategy,
        "mode": str(decision.mode),
        "rejected": False,
    }
    return "" if key not in actual or actual[key] in (wanted, *_texts(wanted)) else f"expected {key} {wanted}, got {actual[key]}"


def _texts(wanted: object) -> tuple[str, ...]:
    return tuple(map(str, as_list(wanted)))
