"""A trained artifact as a folder: ``manifest.json`` and ``arrays.npz``, versioned; nothing in it can run."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from crew_router.decide.learned.agreement import Agreement
from crew_router.decide.learned.answer_prior import Sayings, Tally
from crew_router.decide.learned.boosting import Trees
from crew_router.decide.learned.cascade_table import Plan
from crew_router.decide.learned.correctness_model import Reader
from crew_router.decide.learned.linear import Ridge
from crew_router.decide.learned.nearest_prompt import Recollection
from crew_router.decide.learned.quality import Head, QualityModel
from crew_router.decide.learned.text import TextFeatures
from crew_router.decide.learned.trained_model import Learned, TrainingReport
from crew_router.errors import ConfigurationError
from crew_router.types.codec import decode, encode

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from crew_router.types.arrays import Floats

FORMAT: Final = 4
MANIFEST: Final = "manifest.json"
ARRAYS: Final = "arrays.npz"
_UNKNOWN: Final = ("cost_band", "tokens_band")  # NaN where nothing was recorded
_HEADS: Final = ("difficulty", "deviation", "cost", "tokens")
_CURE: Final = "train again with `crew-router train --data FILE --out FOLDER`"


def save(learned: Learned, folder: Path) -> None:
    """Write an artifact; what the folder held of an earlier one is replaced.

    Raises:
        ConfigurationError: The folder cannot be written.
    """
    manifest = {
        "format": FORMAT,
        "models": list(learned.models),
        "settings": list(learned.settings),
        "plans": encode(learned.plans),
        "sets": [list(members) for members in learned.agreement.weights],
        "sayings": None if learned.reader is None else _sayings_to_json(learned.reader.sayings),
        "report": {name: None if value != value else value for name, value in encode(learned.report).items()},  # noqa: PLR0124 - NaN is no JSON
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(folder / ARRAYS, allow_pickle=False, **_arrays(learned))
        (folder / MANIFEST).write_text(json.dumps(manifest, ensure_ascii=False, indent=1), encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(str(folder), "", f"it cannot be written ({error.strerror})", cure="name a writable folder.") from error


def load(folder: Path) -> Learned:
    """Read an artifact.

    Raises:
        ConfigurationError: The folder holds none, a damaged one, or one of another format.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest.get("format") != FORMAT:
            raise ConfigurationError(str(folder), "format", f"{manifest.get('format')!r} is not {FORMAT}", cure=_CURE)
        with np.load(folder / ARRAYS, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
        return _learned(manifest, arrays)
    except OSError as error:
        raise ConfigurationError(str(folder), "", f"it holds no trained model ({error.strerror})", cure=_CURE) from error
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, zipfile.BadZipFile) as error:
        raise ConfigurationError(str(folder), "", f"its trained model is damaged ({error!r})", cure=_CURE) from error


def _arrays(learned: Learned) -> dict[str, NDArray[Any]]:
    text, quality = learned.text, learned.quality
    arrays: dict[str, NDArray[Any]] = {
        "text.weight": _short(text.weight),
        "text.basis": _short(text.basis),
        "text.centre": text.centre,
        "text.scale": text.scale,
        "centres": quality.centres,
        "cost_scale": quality.cost_scale,
        "cost_band": quality.cost_band,
        "tokens_band": quality.tokens_band,
        "generic": learned.agreement.generic,
        "mean_quality": learned.mean_quality,
        "mean_cost_usd": learned.mean_cost_usd,
    }
    for name in _HEADS:
        head: Head = getattr(quality, name)
        arrays |= {f"{name}.means": head.means, f"{name}.weights": head.rest.weights, f"{name}.intercept": head.rest.intercept}
    arrays |= {f"agreement.{at}": weights for at, weights in enumerate(learned.agreement.weights.values())}
    if learned.reader is not None:
        reader = learned.reader
        arrays |= {"reader.centre": reader.centre, "reader.scale": reader.scale}
        arrays |= {"reader.weights": reader.weights, "reader.record": reader.record}
        arrays |= {"trees.figure": reader.trees.figure, "trees.above": reader.trees.above, "trees.leaf": reader.trees.leaf}
        arrays |= _memory_arrays(learned.memory)
    return arrays


def _memory_arrays(memory: Recollection | None) -> dict[str, NDArray[Any]]:
    if memory is None:
        return {}
    # Half precision is ample for likenesses, and the sketches are most of the memory.
    whole = {"memory.said": memory.said, "memory.right": memory.right, "memory.ends": memory.ends}
    return {"memory.sketch": memory.sketch.astype(np.float16), **whole}


def _memory(arrays: Mapping[str, Floats]) -> Recollection | None:
    if "memory.sketch" not in arrays:
        return None
    said, right, ends = (arrays[f"memory.{name}"].astype(np.int64) for name in ("said", "right", "ends"))
    if len(ends) != len(arrays["memory.sketch"]) or len(said) != len(right) or ends[-1] != len(said):
        raise ValueError("the memory of prompts is incomplete")
    return Recollection(arrays["memory.sketch"], said, right, ends)


def _short(array: Floats) -> Floats:
    """Return an array rounded to single precision: the projection of texts is most of an artifact."""
    rounded: Floats = array.astype(np.float32).astype(np.float64)
    return rounded


def _learned(manifest: Mapping[str, Any], arrays: Mapping[str, Floats]) -> Learned:
    wide = {name: array.astype(np.float64) for name, array in arrays.items()}
    if not all(np.isfinite(array).all() for name, array in wide.items() if name not in _UNKNOWN):
        raise ValueError("an array holds a figure that is not finite")
    heads = {name: Head(wide[f"{name}.means"], Ridge(wide[f"{name}.weights"], wide[f"{name}.intercept"])) for name in _HEADS}
    quality = QualityModel(
        wide["centres"], heads["difficulty"], heads["deviation"], heads["cost"], wide["cost_scale"], heads["tokens"],
        wide["cost_band"], wide["tokens_band"],
    )  # fmt: skip
    report: dict[str, Any] = {name: np.nan if value is None else value for name, value in manifest["report"].items()}
    models = tuple(str(name) for name in manifest["models"])
    plans: tuple[Plan, ...] = decode(tuple[Plan, ...], manifest["plans"])
    _check(plans, len(models))
    sets = [tuple(int(at) for at in members) for members in manifest["sets"]]
    return Learned(
        models,
        text=TextFeatures(wide["text.weight"], wide["text.basis"], wide["text.centre"], wide["text.scale"]),
        quality=quality,
        reader=_reader(manifest["sayings"], wide, clusters=len(quality.centres)),
        agreement=Agreement({members: wide[f"agreement.{at}"] for at, members in enumerate(sets)}, wide["generic"]),
        plans=plans,
        settings=tuple(float(worth) for worth in manifest["settings"]),
        mean_quality=wide["mean_quality"],
        mean_cost_usd=wide["mean_cost_usd"],
        report=TrainingReport(**report),
        memory=_memory(wide),
    )


def _check(plans: tuple[Plan, ...], models: int) -> None:
    for plan in plans:
        known = all(0 <= model < models for model in plan.models)
        ruled = len(plan.models) == 1 or len(plan.rules) == len(plan.models)
        if not plan.models or not known or not ruled or len(plan.models) != len(plan.answered):
            raise ValueError(f"a plan of cluster {plan.cluster} names models that are not there")


def _reader(sayings: list[list[Any]] | None, arrays: Mapping[str, Floats], *, clusters: int) -> Reader | None:
    if sayings is None:
        return None
    tallies = {
        (int(cluster), int(model), str(answer)): Tally(int(count), float(surplus)) for cluster, model, answer, count, surplus in sayings
    }
    trees = Trees(arrays["trees.figure"].astype(np.int64), arrays["trees.above"], arrays["trees.leaf"])
    if trees.figure.shape != trees.above.shape or len(trees.leaf) != len(trees):
        raise ValueError("trees are incomplete")
    centre, scale, weights, record = (arrays[f"reader.{name}"] for name in ("centre", "scale", "weights", "record"))
    return Reader(centre, scale, weights, Sayings(tallies), clusters, record, trees)


def _sayings_to_json(sayings: Sayings) -> list[list[object]]:
    return [[*key, tally.count, round(tally.surplus, 6)] for key, tally in sayings.tallies.items()]
