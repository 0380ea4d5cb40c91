"""Access to the runtime of a router and to what its threads do, for tests of its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crew_router.router.router import Router
    from crew_router.router.runtime import Runtime


def runtime_of(router: Router) -> Runtime:
    """Return the runtime that currently serves a router's requests.

    Args:
        router: A router that is open.

    Example:
        >>> from crew_router import Router
        >>> from crew_router.testing import ScriptedModel
        >>> with Router(models={"lab:a": ScriptedModel("a")}, ledger_url="sqlite://") as router:
        ...     [model.ref for model in runtime_of(router).models.registry]
        ['lab:a']
    """
    return router._runtime  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # the one way in for tests


def take_over_changes(router: Router) -> None:
    """Reload changed configuration files now, as the router's own thread does within a second; an invalid one is logged.

    Args:
        router: A router over files.

    Example:
        >>> import pathlib, tempfile
        >>> from crew_router import Router
        >>> from crew_router.testing import ScriptedModel
        >>> file = pathlib.Path(tempfile.mkdtemp()) / "crew_router.yaml"
        >>> written = file.write_text("optimize: cost")
        >>> with Router(file, models={"lab:a": ScriptedModel("a")}, ledger_url="sqlite://") as router:
        ...     before = router.policy_version
        ...     written = file.write_text("optimize: quality")
        ...     take_over_changes(router)
        ...     router.policy_version == before
        False
    """
    router._reloader.look()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # the one way in for tests
