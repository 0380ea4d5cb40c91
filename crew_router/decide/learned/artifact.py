"""Save and load a trained artifact: a folder with ``manifest.json`` and ``arrays.npz``, versioned, without executable code."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from crew_router.decide.learned.agreement import Agreement
from crew_router.decide.learned.answer_prior import AnswerPrior, Tally
from crew_router.decide.learned.boosting import Trees
from crew_router.decide.learned.cascade_table import Plan
from crew_router.decide.learned.correctness_model import CorrectnessModel
from crew_router.decide.learned.linear import Ridge
from crew_router.decide.learned.nearest_prompt import NearestPrompt
from crew_router.decide.learned.quality import Head, QualityModel
from crew_router.decide.learned.text import TextFeatures
from crew_router.decide.learned.trained_model import TrainedModel, TrainingReport
from crew_router.errors import ConfigurationError
from crew_router.types.codec import decode, encode

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from crew_router.types.arrays import Floats

FORMAT: Final = 4
MANIFEST: Final = "manifest.json"
ARRAYS: Final = "arrays.npz"
_UNKNOWN: Final = ("cost_band", "tokens_band")  # arrays that may hold NaN, where nothing was recorded
_HEADS: Final = ("difficulty", "deviation", "cost", "tokens")
_CURE: Final = "train again with `crew-router train --data FILE --out FOLDER`"


def save(learned: TrainedModel, folder: Path) -> None:
    """Write an artifact; an earlier one in the folder is replaced.

    Raises:
        ConfigurationError: The folder cannot be written.
    """
    manifest = {
        "format": FORMAT,
        "models": list(learned.models),
        "settings": list(learned.settings),
        "plans": encode(learned.plans),
        "sets": [list(members) for members in learned.agreement.weights],
        "sayings": None if learned.correctness is None else _answer_prior_to_json(learned.correctness.answer_prior),
        "report": {name: None if value != value else value for name, value in encode(learned.report).items()},  # noqa: PLR0124 - NaN is no JSON
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(folder / ARRAYS, allow_pickle=False, **_arrays(learned))
        (folder / MANIFEST).write_text(json.dumps(manifest, ensure_ascii=False, indent=1), encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(str(folder), "", f"it cannot be written ({error.strerror})", cure="name a writable folder.") from error


def load(folder: Path) -> TrainedModel:
    """Read an artifact.

    Raises:
        ConfigurationError: The folder holds none, a damaged one, or one of another format.
    """
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if manifest.get("format") != FORMAT:
            raise ConfigurationError(str(folder), "format", f"{manifest.get('format')!r} is not {FORMAT}", cure=_CURE)
        with np.load(folder / ARRAYS, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
        return _from_arrays(manifest, arrays)
    except OSError as error:
        raise ConfigurationError(str(folder), "", f"it holds no trained model ({error.strerror})", cure=_CURE) from error
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, zipfile.BadZipFile) as error:
        raise ConfigurationError(str(folder), "", f"its trained model is damaged ({error!r})", cure=_CURE) from error


def _arrays(learned: TrainedModel) -> dict[str, NDArray[Any]]:
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
    arrays |= {f"agreement.{index}": weights for index, weights in enumerate(learned.agreement.weights.values())}
    if learned.correctness is not None:
        model = learned.correctness
        arrays |= {"reader.centre": model.centre, "reader.scale": model.scale}
        arrays |= {"reader.weights": model.weights, "reader.record": model.model_odds}
        arrays |= {"trees.figure": model.trees.feature, "trees.above": model.trees.threshold, "trees.leaf": model.trees.leaf}
        arrays |= _nearest_prompt_arrays(learned.nearest_prompt)
    return arrays


def _nearest_prompt_arrays(memory: NearestPrompt | None) -> dict[str, NDArray[Any]]:
    if memory is None:
        return {}
    # Half precision is enough for similarities, and the sketches take most of the space.
    exact = {"memory.said": memory.answers, "memory.right": memory.right, "memory.ends": memory.ends}
    return {"memory.sketch": memory.sketch.astype(np.float16), **exact}


def _nearest_prompt(arrays: Mapping[str, Floats]) -> NearestPrompt | None:
    if "memory.sketch" not in arrays:
        return None
    answers, right, ends = (arrays[f"memory.{name}"].astype(np.int64) for name in ("said", "right", "ends"))
    if len(ends) != len(arrays["memory.sketch"]) or len(answers) != len(right) or ends[-1] != len(answers):
        raise ValueError("the memory of prompts is incomplete")
    return NearestPrompt(arrays["memory.sketch"], answers, right, ends)


def _short(array: Floats) -> Floats:
    """Return an array rounded to single precision, so that the largest arrays of an artifact compress better."""
    rounded: Floats = array.astype(np.float32).astype(np.float64)
    return rounded


def _from_arrays(manifest: Mapping[str, Any], arrays: Mapping[str, Floats]) -> TrainedModel:
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
    sets = [tuple(int(index) for index in members) for members in manifest["sets"]]
    return TrainedModel(
        models,
        text=TextFeatures(wide["text.weight"], wide["text.basis"], wide["text.centre"], wide["text.scale"]),
        quality=quality,
        correctness=_correctness_model(manifest["sayings"], wide, clusters=len(quality.centres)),
        agreement=Agreement({members: wide[f"agreement.{index}"] for index, members in enumerate(sets)}, wide["generic"]),
        plans=plans,
        settings=tuple(float(value) for value in manifest["settings"]),
        mean_quality=wide["mean_quality"],
        mean_cost_usd=wide["mean_cost_usd"],
        report=TrainingReport(**report),
        nearest_prompt=_nearest_prompt(wide),
    )


def _check(plans: tuple[Plan, ...], models: int) -> None:
    for plan in plans:
        known = all(0 <= model < models for model in plan.models)
        ruled = len(plan.models) == 1 or len(plan.rules) == len(plan.models)
        if not plan.models or not known or not ruled or len(plan.models) != len(plan.answered):
            raise ValueError(f"a plan of cluster {plan.cluster} names models that are not there")


def _correctness_model(sayings: list[list[Any]] | None, arrays: Mapping[str, Floats], *, clusters: int) -> CorrectnessModel | None:
    if sayings is None:
        return None
    tallies = {
        (int(cluster), int(model), str(answer)): Tally(int(count), float(surplus)) for cluster, model, answer, count, surplus in sayings
    }
    trees = Trees(arrays["trees.figure"].astype(np.int64), arrays["trees.above"], arrays["trees.leaf"])
    if trees.feature.shape != trees.threshold.shape or len(trees.leaf) != len(trees):
        raise ValueError("trees are incomplete")
    centre, scale, weights, record = (arrays[f"reader.{name}"] for name in ("centre", "scale", "weights", "record"))
    return CorrectnessModel(centre, scale, weights, AnswerPrior(tallies), clusters, record, trees)


def _answer_prior_to_json(answer_prior: AnswerPrior) -> list[list[object]]:
    return [[*key, tally.count, round(tally.surplus, 6)] for key, tally in answer_prior.tallies.items()]
