"""Open state and ledger as the configuration says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from crew_router.errors import StorageError

if TYPE_CHECKING:
    from crew_router.config.router_config import RouterConfig
    from crew_router.record.ledger.sql_ledger import SqlLedger
    from crew_router.record.state.breaker import BreakerPolicy
    from crew_router.record.state.shared import SharedState
    from crew_router.types.clock import Clock

MEMORY_LEDGER: Final = "sqlite://"
MEMORY_STATE: Final = "memory://"
_DAY_S: Final = 86_400.0


def opened_ledger(config: RouterConfig, clock: Clock | None = None) -> SqlLedger:
    """Return the ledger; it connects when it is first used.

    Raises:
        ConfigurationError: No database is known for its url.
        MissingDependencyError: The database needs an extra that is not installed.
    """
    from crew_router.record.ledger.opening import open_ledger  # loads only what the url needs
    from crew_router.record.ledger.retention import Retention
    from crew_router.record.ledger.writer import WriterPolicy

    settings, mirror = config.ledger, config.analytics.jsonl
    _, url = storage_urls(config)
    return open_ledger(
        url,
        project=str(config.project),
        clock=clock,
        keep_text=settings.keep_text,
        durability=settings.durability,
        policy=WriterPolicy(overflow=settings.overflow, max_rows=settings.max_rows),
        mirror=None if mirror is None else Path(mirror).expanduser(),
        retention=Retention(rows_s=_seconds(settings.rows_days), texts_s=_seconds(settings.texts_days)),
    )


def opened_state(config: RouterConfig, clock: Clock | None = None) -> SharedState:
    """Return the shared state.

    Raises:
        ConfigurationError: No store is known for its url.
        MissingDependencyError: The store needs an extra that is not installed.
    """
    from crew_router.record.state.opening import open_state
    from crew_router.record.state.shared import Refresh

    settings = config.state
    url, _ = storage_urls(config)
    return open_state(
        url,
        project=str(config.project),
        clock=clock,
        namespace=settings.namespace,
        refresh=Refresh(max_age_s=settings.max_age_s),
        policy=breaker_policy(config),
        alpha=config.learning.alpha,
    )


def _seconds(days: float | None) -> float | None:
    return None if days is None else days * _DAY_S


def breaker_policy(config: RouterConfig) -> BreakerPolicy:
    """Return the rules by which breakers open, from the configuration."""
    from crew_router.record.state.breaker import BreakerPolicy

    settings = config.breaker
    return BreakerPolicy(
        failures=settings.failures,
        window_s=settings.window_s,
        least=settings.window_calls,
        share=settings.failure_rate,
        open_s=settings.open_s,
        longest_s=settings.max_open_s,
    )


def storage_urls(config: RouterConfig) -> tuple[str, str]:
    """Return the urls of state and ledger; with a ledger in memory, the state is in memory too unless it has a url."""
    ledger_url = config.ledger.url or _file_url("ledger.db")
    if config.state.url is not None:
        return config.state.url, ledger_url
    return (MEMORY_STATE if ledger_url == MEMORY_LEDGER else _file_url("state.db")), ledger_url


def _file_url(name: str) -> str:
    from platformdirs import user_data_path  # only the embedded default needs it

    try:
        folder = user_data_path("crew-router", appauthor=False, ensure_exists=True)
    except OSError as error:
        cure = "make it writable, or name other places in state.url and ledger.url."
        raise StorageError(str(error.filename), f"the data folder cannot be made ({error.strerror})", cure=cure) from error
    return f"sqlite:///{folder / name}"
