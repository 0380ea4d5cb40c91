"""Merge the settings of files, environment and arguments; a stronger layer overrides a weaker one key by key."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Self, cast

from crew_router.config.schema.plain import Plain
from crew_router.types.vocabulary import ModelRef, TaskType


@dataclass(frozen=True, slots=True)
class Layer:
    """The settings of one source: a file, the environment or the arguments.

    Args:
        place: How errors name the source, such as "config/models/openai.yaml".
        data: The settings, in the shape of ``crew_router.yaml``.
        packaged: Whether the source comes with the package.
    """

    place: str
    data: Mapping[str, Plain]
    packaged: bool = False

    @classmethod
    def of(cls, place: str, data: Mapping[str, Plain]) -> Self:
        """Return a layer whose models and task types have their canonical names, so that different spellings are merged."""
        names = {"models": _model_name, "task_types": _task_name}
        return cls(place, {key: _renamed(value, names[key]) if key in names else value for key, value in data.items()})


@dataclass(frozen=True, slots=True)
class Layers:
    """All layers, the weakest first."""

    layers: tuple[Layer, ...]

    def place_of(self, path: Sequence[str]) -> str:
        """Return the source that sets a key: of those that hold the longest part of its path, the strongest."""
        return self._layer_of(path).place

    def is_packaged(self, path: Sequence[str]) -> bool:
        """Tell whether the source that sets a key comes with the package."""
        return self._layer_of(path).packaged

    def _layer_of(self, path: Sequence[str]) -> Layer:
        ranked = ((_depth(layer.data, path), strength, layer) for strength, layer in enumerate(self.layers))
        return max(ranked, key=lambda item: item[:2])[2]

    def merged(self) -> dict[str, Plain]:
        """Return all layers merged into one; packaged models are left out when the strongest ``registry`` key is "none"."""
        merged: dict[str, Plain] = {}
        drop_packaged_models = [layer.data["registry"] for layer in self.layers if "registry" in layer.data][-1:] == ["none"]
        for layer in self.layers:
            data = {key: value for key, value in layer.data.items() if not (drop_packaged_models and layer.packaged and key == "models")}
            merged = _merged(merged, data)
        return merged


def _depth(data: Plain | Mapping[str, Plain], path: Sequence[str]) -> int:
    """Return how many parts of a path exist in the data."""
    value: object = data
    for depth, part in enumerate(path):
        if isinstance(value, Mapping) and part in value:
            value = value[part]
        elif isinstance(value, list) and part.isdecimal() and int(part) < len(value):
            value = value[int(part)]
        else:
            return depth
    return len(path)


def _merged(below: Mapping[str, Plain], above: Mapping[str, Plain]) -> dict[str, Plain]:
    merged = dict(below)
    for key, value in above.items():
        known = merged.get(key)
        both_mappings = isinstance(known, dict) and isinstance(value, dict) and not _replaces_strategy(key, known, value)
        merged[key] = _merged(cast("dict[str, Plain]", known), cast("dict[str, Plain]", value)) if both_mappings else value
    return merged


def _replaces_strategy(key: str, below: Mapping[str, Plain], above: Mapping[str, Plain]) -> bool:
    """Tell whether the upper layer names another strategy; the parameters of the lower one must then not be merged in."""
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
