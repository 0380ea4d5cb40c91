"""What a router consists of, for tests that look inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crew_router.router.router import Router
    from crew_router.router.runtime import Runtime


def runtime_of(router: Router) -> Runtime:
    """Return the runtime that serves a router's requests at this moment.

    Args:
        router: A router that is open.

    Example:
        >>> from crew_router import Router
        >>> from crew_router.testing import ScriptedModel
        >>> with Router(models={"lab:a": ScriptedModel("a")}, ledger_url="sqlite://") as router:
        ...     [model.ref for model in runtime_of(router).models.registry]
        ['lab:a']
    """
    return router._runtime  # noqa: SLF001 - the one way in for tests
