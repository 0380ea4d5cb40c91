"""The models that can be chosen from, read from YAML or given in code."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final, Self

from crew_router.config.effort import fixed_effort, offered_efforts
from crew_router.config.reachability import LOCAL_SERVERS
from crew_router.errors import RegistryError, UnknownModelError, printable, shown
from crew_router.types.cached import cached_property
from crew_router.types.model import Ability, EffortLevel, Latency, Limits, ModelDefinition, Price, PriceTier, PriceWindow, Retirement
from crew_router.types.vocabulary import EFFORT_ORDER, ModelRef

if TYPE_CHECKING:
    from crew_router.config.schema.entry import AbilityEntry, ModelEntry, PriceEntry, RetirementEntry
    from crew_router.config.schema.validation import PlaceOf

ALIASES: Final[Mapping[str, str]] = {
    "azure": "azure_openai",
    "bedrock": "bedrock_converse",
    "gemini": "google_genai",
    "google": "google_genai",
    "mistral": "mistralai",
    "x-ai": "xai",
}
"""Other names of providers, as they stand in slash ids."""

_NEAR: Final = 5
_SHOWN_STEPS: Final = 8
_CLOSE: Final = 0.5


class Registry:
    """An immutable set of models.

    Args:
        models: The models, in the order in which they are to be listed.

    Raises:
        RegistryError: Two models have the same reference, or fallbacks name a missing model or form a cycle.

    Example:
        >>> registry = Registry.from_entries({"lab:fast": {"price": {"input": 0.1, "output": 0.4}}})
        >>> registry.resolve("fast").price.output
        0.4
    """

    def __init__(self, models: Iterable[ModelDefinition] = (), *, place: str = "models") -> None:
        self._models = tuple(models)
        self._by_ref: dict[str, ModelDefinition] = {model.ref: model for model in self._models}
        _refuse_duplicates(self._models, place)
        check_fallbacks(self._models, lambda _path: place)

    @classmethod
    def from_entries(cls, entries: Mapping[str, object], *, place: str = "models") -> Self:
        """Read entries as a configuration file writes them; finished definitions pass as they are.

        Args:
            entries: ``"provider:model"`` to an entry or a :class:`ModelDefinition`.
            place: How errors name it.

        Raises:
            RegistryError: An entry means nothing; the message names place, key, value and cure.
        """
        from crew_router.config.schema.entry import ModelsFile  # only needed when something is loaded
        from crew_router.config.schema.plain import plain_mapping  # only needed when something is loaded
        from crew_router.config.schema.validation import validated  # only needed when something is loaded

        written = {name: entry for name, entry in entries.items() if not isinstance(entry, ModelDefinition)}
        data = plain_mapping({"models": written}, place)
        read = validated(ModelsFile, data, place_of=lambda _path: place).models
        built = {name: definition(name, read[name], place=place) for name in written}
        given = {name: model for name, model in entries.items() if isinstance(model, ModelDefinition)}
        return cls(({**built, **given}[name] for name in entries), place=place)

    @property
    def models(self) -> tuple[ModelDefinition, ...]:
        """All models, in file order."""
        return self._models

    def __iter__(self) -> Iterator[ModelDefinition]:
        """Iterate over the models in file order."""
        return iter(self._models)

    def __len__(self) -> int:
        """Return the number of models."""
        return len(self._models)

    def __contains__(self, ref: object) -> bool:
        """Tell whether a reference is exactly that of a model, or of an effort that it offers."""
        return isinstance(ref, str) and self.get(ref) is not None

    def __repr__(self) -> str:
        """Say how many models there are, and of which content."""
        return f"Registry({len(self)} models, version {self.version})"

    def get(self, ref: str) -> ModelDefinition | None:
        """Return the model with exactly this reference, or ``None``.

        A reference with an effort gives the model under that reference, ``None`` where the model does not offer it.
        """
        found = self._by_ref.get(ref)
        return found if found is not None or "#" not in ref else self._at_effort(ref)

    def __getitem__(self, ref: str) -> ModelDefinition:
        """Return the model with exactly this reference.

        Raises:
            UnknownModelError: There is none.
        """
        found = self.get(ref)
        if found is None:
            raise UnknownModelError(ref, self.near(ref))
        return found

    def resolve(self, text: str) -> ModelDefinition:
        """Return the model that a person means.

        Args:
            text: A reference, a slash id (``openai/gpt-4o``), with another name of the provider (``google/…``), or the
                model's bare name where it is unique.

        Raises:
            UnknownModelError: No model or several have this name; similar names, or all that fit, are in the message.
        """
        fitting = self._fitting(text)
        if len(fitting) == 1:
            return fitting[0]
        raise UnknownModelError(text, [model.ref for model in fitting[:_NEAR]] or self.near(text))

    def _at_effort(self, ref: str) -> ModelDefinition | None:
        """Return a model under the reference of one of its efforts; kept, because every call of it asks."""
        name, _, effort = ref.rpartition("#")
        model = self._by_ref.get(name)
        if model is None or model.effort(effort) is None or effort not in offered_efforts(model):
            return None
        return self._by_ref.setdefault(ref, replace(model, ref=model.ref.at_effort(effort)))

    def names_one(self, text: str) -> bool:
        """Tell whether :meth:`resolve` returns a model, without looking for similar names."""
        return len(self._fitting(text)) == 1

    def _fitting(self, text: str) -> Sequence[ModelDefinition]:
        exact = self.get(text) or self.get(_canonical(text))
        if exact is not None:
            return (exact,)
        name, _, effort = text.strip().rpartition("#")
        if not name:
            return self._by_name.get(text.strip().lower(), ())
        found = self._by_name.get(name.lower(), ())
        return [at for model in found if (at := self.get(model.ref.at_effort(effort))) is not None]

    def near(self, text: str) -> list[str]:
        """Return references with a similar spelling, the most similar first."""
        spelled = text.strip().lower()
        names = {model.ref.lower(): model.ref for model in self._models} | {name: found[0].ref for name, found in self._by_name.items()}
        close = get_close_matches(spelled, names, n=_NEAR, cutoff=_CLOSE)
        inside = [name for name in names if spelled and spelled in name]
        return list(dict.fromkeys(str(names[name]) for name in [*inside, *close]))[:_NEAR]

    def with_models(self, models: Iterable[ModelDefinition]) -> Registry:
        """Return a registry with these models added; one with a known reference takes the place of the known one."""
        added = {model.ref: model for model in models}
        kept = (added.pop(model.ref, model) for model in self._models)
        return Registry([*kept, *added.values()])

    def only(self, refs: Iterable[str]) -> Registry:
        """Return a registry with some of the models; fallbacks to others are dropped."""
        wanted = set(refs)
        chosen = (model for model in self._models if model.ref in wanted)
        return Registry(replace(model, fallbacks=tuple(ref for ref in model.fallbacks if ref in wanted)) for model in chosen)

    @cached_property
    def version(self) -> str:
        """A hash of the content, the same for the same models in any order; keys are not part of it."""
        rows = sorted(json.dumps(_content(model), sort_keys=True, default=str) for model in self._models)
        return hashlib.sha256("\n".join(rows).encode("utf-8", "backslashreplace")).hexdigest()[:16]

    @cached_property
    def _by_name(self) -> Mapping[str, Sequence[ModelDefinition]]:
        names: dict[str, list[ModelDefinition]] = {}
        for model in self._models:
            for name in {model.ref.name.lower(), model.ref.name.rpartition("/")[2].lower()}:
                names.setdefault(name, []).append(model)
        return names


def definition(name: str, entry: ModelEntry, *, place: str) -> ModelDefinition:
    """Return a checked entry as the value that the line works with.

    Raises:
        RegistryError: The name is no reference, or tiers and windows of the price mean nothing.
    """
    ref = reference(name, place)
    provider = entry.provider or ref.provider
    efforts = _efforts(entry, place, key=f"models.{name}")
    made = ModelDefinition(
        ref,
        provider=provider,
        model=entry.model or ref.name,
        price=None if entry.price is None else _price(entry.price, place, key=f"models.{name}.price"),
        quality=entry.quality,
        task_quality=dict(entry.task_quality),
        context_window=entry.context_window,
        max_output_tokens=entry.max_output_tokens,
        capabilities=entry.capabilities,
        tier=entry.tier,
        strengths=entry.strengths,
        latency=Latency(entry.latency.ttft_s, entry.latency.tokens_per_s, entry.latency.p95_s, entry.latency.source),
        limits=Limits(entry.limits.rpm, entry.limits.tpm, entry.limits.concurrency),
        sla_p95_s=entry.sla.p95_s,
        regions=entry.regions,
        moderated=entry.moderated,
        prefill=entry.prefill,
        data_retention=entry.data_retention,
        fallbacks=tuple(reference(text, place, key=f"models.{name}.fallbacks") for text in entry.fallbacks),
        enabled=entry.enabled,
        source=entry.source,
        ability=_ability(entry, efforts),
        efforts=efforts,
        default_effort=entry.default_effort,
        verbosity=entry.verbosity,
        released=entry.released,
        retirement=None if entry.retires is None else _retirement(entry.retires, place, key=f"models.{name}.retires.successor"),
        base_url=entry.base_url or LOCAL_SERVERS.get(provider),
        api_key=entry.api_key,
        kwargs=dict(entry.kwargs),
    )
    own = fixed_effort(made)
    if own and efforts and made.effort(own) is None:
        offered = ", ".join(level.name for level in efforts)
        raise RegistryError(place, f"models.{name}.kwargs", f"effort {own!r} is not offered by {ref}", cure=f"use one of {offered}")
    return made


def reference(text: str, place: str, key: str = "models") -> ModelRef:
    """Return a text as a reference.

    Raises:
        RegistryError: It names no provider or no model.
    """
    try:
        return ModelRef(text)
    except ValueError:
        cure = "write 'provider:model', such as 'openai:gpt-4o'"
        raise RegistryError(place, key, f"{shown(text)} is not a model reference", cure=cure) from None


def _efforts(entry: ModelEntry, place: str, *, key: str) -> tuple[EffortLevel, ...]:
    """Return the efforts of an entry, the least first; what the entry says of the whole model holds at its default effort."""
    default = entry.default_effort
    if default is not None and default not in entry.efforts:
        offered = ", ".join(effort for effort in EFFORT_ORDER if effort in entry.efforts)
        cure = f"name one of {offered}" if offered else "list the efforts that the provider offers under efforts"
        raise RegistryError(place, f"{key}.default_effort", f"{shown(default)} is not among the efforts of the model", cure=cure)
    levels: list[EffortLevel] = []
    for effort in EFFORT_ORDER:
        written = entry.efforts.get(effort)
        if written is not None:
            ability = entry.ability if effort == default and entry.ability is not None else written.ability
            value = None if ability is None else _ability_value(ability)
            levels.append(EffortLevel(effort, value, written.output_tokens, written.ttft_s))
    return tuple(levels)


def _ability(entry: ModelEntry, efforts: Sequence[EffortLevel]) -> Ability | None:
    """Return the ability at the default effort, at the lowest one where no default is documented."""
    if entry.ability is not None:
        return _ability_value(entry.ability)
    default = entry.default_effort or (efforts[0].name if efforts else None)
    return next((level.ability for level in efforts if level.name == default), None)


def _ability_value(entry: AbilityEntry) -> Ability:
    as_of = None if entry.as_of is None else entry.as_of.isoformat()
    return Ability(entry.value, entry.error, entry.figures, tuple(entry.sources), as_of, entry.kind)


def _retirement(entry: RetirementEntry, place: str, *, key: str) -> Retirement:
    successor = None if entry.successor is None else reference(entry.successor, place, key=key)
    return Retirement(entry.date, successor, entry.source)


def _price(entry: PriceEntry, place: str, *, key: str) -> Price:
    bounds = [tier.above_input_tokens for tier in entry.tiers]
    if bounds != sorted(set(bounds)):
        raise RegistryError(
            place, f"{key}.tiers", f"above_input_tokens goes {shown(bounds)}", cure="write the tiers in rising order, each once"
        )
    for at, window in enumerate(entry.windows):
        for text in (window.start_utc, window.end_utc):
            if not _TIME.fullmatch(text):
                raise RegistryError(
                    place, f"{key}.windows.{at}", f"{shown(text)} is not a time of day", cure='write "HH:MM" in UTC, in quotes'
                )
    return Price(
        entry.input,
        entry.output,
        entry.cached_input,
        cache_write=entry.cache_write,
        cache_write_1h=entry.cache_write_1h,
        tiers=tuple(
            PriceTier(tier.above_input_tokens, tier.input, tier.output, tier.cached_input, tier.cache_write, tier.cache_write_1h)
            for tier in entry.tiers
        ),
        windows=tuple(
            PriceWindow(w.start_utc, w.end_utc, w.input, w.output, w.cached_input, w.cache_write, w.cache_write_1h) for w in entry.windows
        ),
        as_of=entry.as_of,
    )


_TIME: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


def check_fallbacks(models: Iterable[ModelDefinition], place_of: PlaceOf) -> None:
    """Check that fallbacks name known models and lead nowhere twice.

    Raises:
        RegistryError: They do not; the place is that of the entry.
    """
    _check_fallbacks({model.ref: model for model in models}, place_of)


def _check_fallbacks(models: Mapping[ModelRef, ModelDefinition], place_of: PlaceOf) -> None:
    for model in models.values():
        path = ("models", model.ref, "fallbacks")
        for ref in model.fallbacks:
            if ref not in models:
                near = get_close_matches(ref, models, n=1)
                cure = f"did you mean {shown(str(near[0]))}?" if near else "name a model of the registry, or take it out"
                raise RegistryError(place_of(path), ".".join(path), f"{shown(str(ref))} is not in the registry", cure=cure)
    finished: set[ModelRef] = set()
    for ref in models:
        _walk(ref, models, finished=finished, place_of=place_of)


def _walk(start: ModelRef, models: Mapping[ModelRef, ModelDefinition], *, finished: set[ModelRef], place_of: PlaceOf) -> None:
    """Go through the fallbacks depth first without recursion; a model on the way to itself is a cycle."""
    way: list[ModelRef] = []
    todo: list[tuple[ModelRef, bool]] = [(start, False)]
    while todo:
        ref, leaving = todo.pop()
        if leaving:
            finished.add(way.pop())
        elif ref in way:
            circle = " → ".join(map(printable, _shortened([*way[way.index(ref) :], ref])))
            path = ("models", ref, "fallbacks")
            raise RegistryError(place_of(path), ".".join(path), f"the fallbacks form a cycle: {circle}", cure="take one of them out")
        elif ref not in finished:
            way.append(ref)
            todo.append((ref, True))
            todo.extend((next_ref, False) for next_ref in models[ref].fallbacks)


def _shortened(way: list[ModelRef]) -> list[str]:
    return [*way] if len(way) <= _SHOWN_STEPS else [*way[:_SHOWN_STEPS], "…", way[-1]]


def _refuse_duplicates(models: Sequence[ModelDefinition], place: str) -> None:
    seen: set[ModelRef] = set()
    for model in models:
        if model.ref in seen:
            raise RegistryError(place, "models", f"{shown(str(model.ref))} stands twice", cure="keep one of the two, or rename one")
        if model.ref.effort is not None:
            problem = f"{shown(str(model.ref))} has a '#', behind which a reasoning effort stands"
            raise RegistryError(place, "models", problem, cure="name the model without it; efforts: lists what it offers")
        seen.add(model.ref)


def _canonical(text: str) -> str:
    try:
        ref = ModelRef(text.strip())
    except ValueError:
        return text
    return f"{ALIASES.get(ref.provider, ref.provider)}:{ref.partition(':')[2]}"


def _content(model: ModelDefinition) -> object:
    from crew_router.types.codec import encode  # only needed for the hash

    return encode(replace(model, api_key=None, instance=None if model.instance is None else type(model.instance).__qualname__))
