"""A decision as the text that the ledger keeps of it: by column, without defaults, texts that repeat written once.

Rows of older versions hold what :func:`crew_router.types.codec.decision_to_dict` returns; both are read.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from pydantic_core import PydanticSerializationError, to_json

from crew_router.types.candidates import FIGURES, Candidates
from crew_router.types.codec import FORMAT, encode
from crew_router.types.decision import RoutingDecision
from crew_router.types.evidence import Rejection
from crew_router.types.profile import Reading, RequestProfile
from crew_router.types.request import RoutingRequest

if TYPE_CHECKING:
    from crew_router.types.candidates import DecisionTable

COLUMNAR: Final = 2
_TEXTS: Final = ("task_description", "messages", "metadata")
_REF: Final = "\ufffc"  # stands for the model's own name, so that models removed for the same reason share its text
_REQUEST: Final = [(field.name, getattr(RoutingRequest(), field.name)) for field in dataclasses.fields(RoutingRequest)]
_OWN: Final = [field.name for field in dataclasses.fields(RoutingDecision) if field.name not in ("request", "profile", "table")]
_READINGS: Final = [field.name for field in dataclasses.fields(RequestProfile) if str(field.type).startswith("Reading")]
_PLAIN: Final = [field.name for field in dataclasses.fields(RequestProfile) if field.name not in _READINGS]
_REASON: Final = ("filter", "reason", "value", "limit", "cure", "field", "gap")


def body_of(decision: RoutingDecision, table: Candidates, *, keep_text: bool) -> str:
    """Return the text of a decision.

    Args:
        decision: What is kept.
        table: Its table by column.
        keep_text: Whether the texts of the request stay in it.
    """
    data = {
        "format": COLUMNAR,
        **{name: getattr(decision, name) for name in _OWN},
        "request": _request(decision.request, keep_text=keep_text),
        "profile": _profile(decision.profile),
        "table": _table(table, decision.table),
    }
    try:
        return to_json(data, inf_nan_mode="constants").decode()
    except (PydanticSerializationError, UnicodeError):  # half of a surrogate pair in some name
        return json.dumps(encode(data), separators=(",", ":"))


def decision_of(text: str) -> RoutingDecision:
    """Read what :func:`body_of` wrote, in this or an older version."""
    data: dict[str, Any] = json.loads(text)
    if data["format"] == COLUMNAR:
        profile, table = data["profile"], data["table"]
        readings = {name: dict(zip(("value", "confidence", "source"), profile[name], strict=True)) for name in _READINGS}
        data |= {"format": FORMAT, "profile": profile | readings, "table": _rows(table)}
    return RoutingDecision.from_dict(data)


def without_texts(text: str) -> str:
    """Return a decision's text without what the request said."""
    data: dict[str, Any] = json.loads(text)
    said = {name: type(value)() for name in _TEXTS if (value := data["request"].get(name))}
    data["request"] |= said
    return json.dumps(data, separators=(",", ":")) if said else text


def _request(request: RoutingRequest, *, keep_text: bool) -> dict[str, object]:
    said: dict[str, object] = {name: value for name, usual in _REQUEST if name not in _TEXTS and (value := getattr(request, name)) != usual}
    return said | {name: encode(getattr(request, name)) for name in _TEXTS} if keep_text else said


def _profile(profile: RequestProfile) -> dict[str, object]:
    kept: dict[str, object] = {name: getattr(profile, name) for name in _PLAIN}
    kept["task_scores"] = [(task.value, chance) for task, chance in profile.task_scores]  # a plain text is faster to write
    for name in _READINGS:
        reading: Reading[object] = getattr(profile, name)
        kept[name] = reading.value, reading.confidence, reading.source
    return kept


def _table(table: Candidates, whole: DecisionTable) -> dict[str, object]:
    sources = list(dict.fromkeys(table.sources))
    reasons: dict[tuple[object, ...], int] = {}
    removed = {at: [reasons.setdefault(_shared(each, table.models[at]), len(reasons)) for each in why] for at, why in table.removed.items()}
    return {
        "models": table.models,
        "figures": {name: _short(values) for name, values in table.figures.items()},
        "points": {name: _short(values) for name, values in table.points.items()},
        "sources": sources,
        "source": _short([sources.index(each) for each in table.sources]),
        "removed": removed,
        "reasons": list(reasons),
        "remarks": whole.notes(),
        "flips": whole.changes(),
    }


def _shared(why: Rejection, ref: str) -> tuple[object, ...]:
    """Return the fields of a reason in the order of ``_REASON``."""
    return why.filter, why.reason.replace(ref, _REF), why.value, why.limit, why.cure.replace(ref, _REF), why.field, why.gap


def _short(values: Sequence[object]) -> object:
    """Return a column, as its one value when all are equal."""
    return values[0] if values and values.count(values[0]) == len(values) else values


def _rows(table: Mapping[str, Any]) -> dict[str, object]:
    """Return a table by column as rows, as the first format has them."""
    models, size = table["models"], len(table["models"])
    figures = {name: _long(table["figures"][name], size) for name in FIGURES}
    points = {name: _long(values, size) for name, values in table["points"].items()}
    source = _long(table["source"], size)
    rows = [
        {name: figures[name][at] for name in FIGURES}
        | {"model": ref, "points": {name: values[at] for name, values in points.items() if values[at] is not None}}
        | {"quality_source": table["sources"][source[at]]}
        | {"rejections": [_own(table["reasons"][each], ref) for each in table["removed"].get(str(at), ())]}
        for at, ref in enumerate(models)
    ]
    return {"rows": rows, "remarks": table["remarks"], "flips": table["flips"]}


def _own(reason: Sequence[Any], ref: str) -> dict[str, Any]:
    said = dict(zip(_REASON, reason, strict=True))
    return said | {"reason": said["reason"].replace(_REF, ref), "cure": said["cure"].replace(_REF, ref)}


def _long(values: object, size: int) -> Sequence[Any]:
    return cast("list[object]", values) if isinstance(values, list) else [values] * size
