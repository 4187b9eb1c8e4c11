"""The jeweller's shop: four services that use clew-sdk like any other, a load of orders, and troubles on command."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``clew demo`` with these arguments; the exit code."""
    from clew_demo.cli import main as run  # not above: each service imports this package too, and needs little of it

    return run(argv)
