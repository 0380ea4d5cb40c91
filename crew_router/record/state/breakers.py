"""Breakers over all processes: each counts failures by itself; openings, probes and closings are shared by compare and swap.

Kept apart so that a success, which changes nothing that others need, never goes to the store.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from crew_router.config.credential import limit_key
from crew_router.record.state.breaker import (
    CLOSED,
    HARMLESS,
    Breaker,
    BreakerPolicy,
    abandoned,
    failed,
    limited,
    opened,
    probing,
    provider_opens,
    succeeded,
)
from crew_router.types.error_policy import ERROR_POLICIES
from crew_router.types.vocabulary import ErrorKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crew_router.record.state.observation import Observation
    from crew_router.record.state.store import Document, Store

PREFIX: Final = "breaker:"
_TRIES: Final = 20
_MOST_CAUSE: Final = 200


@dataclass(frozen=True, slots=True)
class Change:
    """A transition that others must see; ``before`` is the record it was made from."""

    key: str
    before: Breaker
    after: Breaker


def changes_of(breakers: Mapping[str, Breaker], seen: Observation, *, policy: BreakerPolicy, jitter: float) -> dict[str, Breaker]:
    """Return every record that an outcome changes: the model's, its provider's and its credential's.

    A refused key counts against its credential alone, so that another key finds the model and its provider as they were.
    """
    model, provider = str(seen.model.model), seen.model.provider  # efforts share the breaker of their model
    credential = seen.credential or provider
    changed: dict[str, Breaker] = {}
    for key in dict.fromkeys((model, provider, credential)):
        was = breakers.get(key, CLOSED)
        if key == model or was.phase == "half_open":
            changed[key] = _after(was, seen, policy=policy, jitter=jitter)
    changed |= _limit(breakers.get(limit_key(seen.model), CLOSED), seen, policy=policy)
    if seen.error is ErrorKind.AUTH and breakers.get(credential, CLOSED).phase != "open":
        changed[credential] = opened(breakers.get(credential, CLOSED), at=seen.at, policy=policy, jitter=jitter, cause=_cause(seen))
    elif changed[model].phase == "open" and breakers.get(model, CLOSED).phase != "open":
        siblings = [breaker for key, breaker in {**breakers, **changed}.items() if key.startswith(f"{provider}:")]
        if provider_opens(siblings) and breakers.get(provider, CLOSED).phase == "closed":
            changed[provider] = opened(CLOSED, at=seen.at, policy=policy, jitter=jitter)
    return changed


def share(store: Store, change: Change) -> Breaker:
    """Make a transition in the store, and return the record that holds from then on."""
    for _ in range(_TRIES):
        stored = store.document(PREFIX + change.key)
        record = read(stored)
        wanted = _joined(record, change)
        if wanted == record or store.swap(PREFIX + change.key, write(wanted), expected=stored.version):
            return wanted
    return change.after


def claim(store: Store, key: str, own: Breaker, *, at: float, lease_s: float) -> tuple[bool, Breaker]:
    """Claim the one probe over all processes; return whether it was got, and the record as the store has it."""
    stored = store.document(PREFIX + key)
    record = read(stored) if stored.version else own
    probe = probing(record, at=at, lease_s=lease_s)
    if probe is None:
        return False, record
    got = store.swap(PREFIX + key, write(probe), expected=stored.version)
    return got, probe if got else read(store.document(PREFIX + key))


def read(document: Document) -> Breaker:
    """Read a stored record; counts of failures are each process's own."""
    return Breaker(**json.loads(document.text)) if document.text else CLOSED


def write(breaker: Breaker) -> str:
    """Return the part of a record that is shared."""
    return json.dumps(dataclasses.asdict(replace(breaker, failures=0, window=())))


def _joined(stored: Breaker, change: Change) -> Breaker:
    """Return what holds when one process made a transition and the store has its own record."""
    after = change.after
    if after.phase == "open" and stored.phase == "open" and (stored.opened_at or 0) >= (change.before.retry_at or 0):
        return stored if (stored.retry_at or 0) >= (after.retry_at or 0) else replace(after, openings=stored.openings)
    return after


def _limit(was: Breaker, seen: Observation, *, policy: BreakerPolicy) -> dict[str, Breaker]:
    """Return what becomes of the wait that a provider asked for: a new one is kept, one that is over ends with the first answer."""
    key = limit_key(seen.model)
    if seen.retry_after_s:
        return {key: limited(was, at=seen.at, wait_s=seen.retry_after_s, policy=policy, cause=_cause(seen))}
    over = was.phase == "half_open" or (was.phase == "open" and (was.retry_at or 0.0) <= seen.at)
    return {key: CLOSED} if over else {}


def _cause(seen: Observation) -> str:
    """Return what an observation says in one line, for people."""
    kind = "" if seen.error is None else seen.error.value
    return " ".join(f"{kind}: {seen.message}".split())[:_MOST_CAUSE] if seen.message else kind


def _after(was: Breaker, seen: Observation, *, policy: BreakerPolicy, jitter: float) -> Breaker:
    if seen.error in HARMLESS or (seen.error is ErrorKind.AUTH and seen.credential):
        return abandoned(was, at=seen.at)
    if seen.success:
        return succeeded(was, at=seen.at, policy=policy)
    fatal = seen.error is not None and ERROR_POLICIES[seen.error].opens_model
    return failed(was, at=seen.at, policy=policy, jitter=jitter, fatal=fatal, cause=_cause(seen))
