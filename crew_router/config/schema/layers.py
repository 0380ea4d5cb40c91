"""What files, environment and arguments say, one over the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self, cast

from crew_router.config.schema.plain import Plain
from crew_router.types.vocabulary import ModelRef, TaskType


@dataclass(frozen=True, slots=True)
class Layer:
    """What one file, the environment or one argument says."""

    place: str
    data: Mapping[str, Plain]
    packaged: bool = False

    @classmethod
    def of(cls, place: str, data: Mapping[str, Plain]) -> Self:
        """Return a layer whose models and task types have their canonical names, so that layers meet under them."""
        names = {"models": _model_name, "task_types": _task_name}
        return cls(place, {key: _renamed(value, names[key]) if key in names else value for key, value in data.items()})


@dataclass(frozen=True, slots=True)
class Layers:
    """All layers, the weakest first."""

    layers: tuple[Layer, ...]

    def place_of(self, path: Sequence[str]) -> str:
        """Return the place that says most of a key: the strongest of those that hold the longest part of its path."""
        return self._layer_of(path).place

    def is_packaged(self, path: Sequence[str]) -> bool:
        """Tell whether what holds for a key comes with the package."""
        return self._layer_of(path).packaged

    def _layer_of(self, path: Sequence[str]) -> Layer:
        ranked = ((_depth(layer.data, path), at, layer) for at, layer in enumerate(self.layers))
        return max(ranked, key=lambda item: item[:2])[2]

    def merged(self) -> dict[str, Plain]:
        """Return all layers as one; packaged models are left out when a layer says ``registry: none``."""
        whole: dict[str, Plain] = {}
        empty = [layer.data["registry"] for layer in self.layers if "registry" in layer.data][-1:] == ["none"]
        for layer in self.layers:
            data = {key: value for key, value in layer.data.items() if not (empty and layer.packaged and key == "models")}
            whole = _merged(whole, data)
        return whole


def _depth(data: Plain | Mapping[str, Plain], path: Sequence[str]) -> int:
    here: object = data
    for depth, part in enumerate(path):
        if isinstance(here, Mapping) and part in here:
            here = here[part]
        elif isinstance(here, list) and part.isdecimal() and int(part) < len(here):
            here = here[int(part)]
        else:
            return depth
    return len(path)


def _merged(below: Mapping[str, Plain], above: Mapping[str, Plain]) -> dict[str, Plain]:
    whole = dict(below)
    for key, value in above.items():
        known = whole.get(key)
        meet = isinstance(known, dict) and isinstance(value, dict) and not _another_strategy(key, known, value)
        whole[key] = _merged(cast("dict[str, Plain]", known), cast("dict[str, Plain]", value)) if meet else value
    return whole


def _another_strategy(key: str, below: Mapping[str, Plain], above: Mapping[str, Plain]) -> bool:
    """Tell whether a strategy takes the place of another, whose parameters mean nothing to it."""
    return key == "strategy" and above.get("name", below.get("name")) != below.get("name")


def _renamed(values: Plain, name_of: Callable[[str], str]) -> Plain:
    if not isinstance(values, dict):
        return values
    renamed = {name_of(name): value for name, value in values.items()}
    return renamed if len(renamed) == len(values) else values


def _model_name(name: str) -> str:
    try:
        return str(ModelRef(name))
    except ValueError:
        return name


def _task_name(name: str) -> str:
    try:
        return TaskType(name).value
    except ValueError:
        return name
