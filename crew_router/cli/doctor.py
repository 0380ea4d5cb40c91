"""``crew-router doctor``: check what a first answer needs, and say what to do about each thing that is missing."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, cast

import typer

from crew_router.cli.console import FAILED, ConfigOption, JsonOption, one_line_errors, open_router, say, say_json
from crew_router.config.found_file import find_config, held_back, is_trusted
from crew_router.config.load import files_of
from crew_router.config.reachability import LOCAL_PROVIDERS
from crew_router.config.schema.yaml_reader import parse_mapping, read_text
from crew_router.evaluate.registry_age import age_line
from crew_router.types.clock import SystemClock
from crew_router.types.provider_keys import KEY_VARIABLES

if TYPE_CHECKING:
    from crew_router.config.reachability import Obstacle
    from crew_router.router.router import Router
    from crew_router.types import ModelDefinition, ModelRef

_MARKS: Final = {"ok": "ok     ", "note": "note   ", "problem": "PROBLEM"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Args:
        what: Its name.
        state: Whether it is in order; a note asks for nothing.
        text: What was found, with names.
        cure: What to do about it, or empty.
    """

    what: str
    state: Literal["ok", "note", "problem"]
    text: str
    cure: str = ""

    def __str__(self) -> str:
        """Return the finding as one line."""
        return f"{_MARKS[self.state]} {self.what}: {self.text}{f'; {self.cure}' if self.cure else ''}"


def doctor(*, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Check configuration, keys, packages, local servers, stores, clock and the age of the figures; exit 1 if something needs you.

    No model is called, and no key leaves this machine.
    """
    with one_line_errors(), open_router(config) as router:
        router.discover()
        findings = [*_findings(router, config)]
        if as_json:
            say_json(findings)
        else:
            for finding in findings:
                say(str(finding))
        if any(finding.state == "problem" for finding in findings):
            raise typer.Exit(FAILED)


def _findings(router: Router, config: Path | None) -> Iterator[Finding]:
    obstacles, reachable, now = router.obstacles(), router.reachable(), SystemClock().now()
    yield _configuration(config)
    yield from _keys(os.environ)
    yield from _packages(obstacles)
    yield from _servers(obstacles, reachable)
    yield _models(router.models, reachable)
    yield from _stores(router.health())
    yield _clock(router.models, now)
    ages = age_line(router.models, _day(now))
    yield Finding("figures", "note" if "which is old" in ages else "ok", ages)


def _configuration(config: Path | None) -> Finding:
    files = files_of(config, os.environ)
    if not files:
        return Finding("configuration", "ok", "no file; the packaged one holds")
    named = ", ".join(map(str, files))
    found = None if config is not None or os.environ.get("CREW_ROUTER_CONFIG") else find_config(Path.cwd())
    if found is not None:
        text = read_text(found.path, named)
        held = () if is_trusted(found.path, text) else held_back(parse_mapping(text, named))
        if held:
            untrusted = f"{named} is not trusted: {', '.join(held)} do not hold"
            return Finding("configuration", "problem", untrusted, "read it, then `crew-router config trust`")
    return Finding("configuration", "ok", named)


def _keys(env: Mapping[str, str]) -> Iterator[Finding]:
    present = {provider: next((name for name in names if env.get(name)), None) for provider, names in KEY_VARIABLES.items()}
    given = {provider: name for provider, name in present.items() if name is not None}
    if given:
        yield Finding("keys", "ok", ", ".join(f"{name} for {provider}" for provider, name in given.items()))
    padded = [name for name in given.values() if env[name] != env[name].strip() or env[name].strip("\"'") != env[name]]
    if padded:
        yield Finding("keys", "problem", f"{', '.join(padded)} begin or end with blanks or quotes", "set them without")
    if not given:
        yield Finding("keys", "note", f"none is set, of {', '.join(names[0] for names in KEY_VARIABLES.values())}")


def _packages(obstacles: Mapping[ModelRef, Obstacle]) -> Iterator[Finding]:
    missing = {each.missing: each for each in obstacles.values() if each.kind == "package"}
    for each in missing.values():
        yield Finding("packages", "problem", each.reason, each.cure)
    if not missing:
        yield Finding("packages", "ok", "whatever has a key or a server here has its client")


def _servers(obstacles: Mapping[ModelRef, Obstacle], reachable: Iterable[ModelRef]) -> Iterator[Finding]:
    running = sorted({ref.provider for ref in reachable if ref.provider in LOCAL_PROVIDERS})
    silent = sorted({each.missing for each in obstacles.values() if each.kind == "server" and "does not list" not in each.reason})
    if running:
        yield Finding("servers", "ok", f"{', '.join(running)} answers here")
    if silent:
        yield Finding("servers", "note", f"nothing answers at {', '.join(silent)}")


def _models(models: Iterable[ModelDefinition], reachable: frozenset[ModelRef]) -> Finding:
    callable_now = [model.ref for model in models if model.enabled and model.ref in reachable]
    if callable_now:
        return Finding("models", "ok", f"{len(callable_now)} can be called", "`crew-router models --reachable` lists them")
    cure = "set a provider's key, or start Ollama, LM Studio, vLLM; `crew-router health` says what each model lacks"
    return Finding("models", "problem", "none can be called", cure)


def _stores(report: Mapping[str, object]) -> Iterator[Finding]:
    for name in ("state", "ledger"):
        about = cast("Mapping[str, object]", report[name])
        trouble = about.get("problem") or (None if about.get("reachable", True) else "it cannot be reached")
        if trouble:
            yield Finding(name, "problem", f"{about.get('url')}: {trouble}", f"check {name}.url")
        else:
            yield Finding(name, "ok", str(about.get("url")))


def _clock(models: Iterable[ModelDefinition], now: float) -> Finding:
    """A clock that is behind the day of the newest price is wrong: that day has been."""
    days = [model.price.as_of for model in models if model.price is not None and model.price.as_of is not None]
    newest, today = max(days, default=date.min), _day(now)
    said = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M} UTC"
    if today < newest:
        return Finding("clock", "problem", f"{said} is before {newest}, when a price was read", "set the machine's clock")
    return Finding("clock", "ok", said)


def _day(now: float) -> date:
    return datetime.fromtimestamp(now, UTC).date()
