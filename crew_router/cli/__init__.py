"""The command line; modules that are slow to import are imported when a command runs."""

from __future__ import annotations


def main() -> None:
    """Run the ``crew-router`` command."""
    from crew_router.cli.app import run  # typer and rich are not needed to import the package

    run()
