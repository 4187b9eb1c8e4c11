"""The jeweller's shop: four services that use clew-sdk like any other, a load of orders, and troubles on command."""

from clew_demo.cli import main

__all__ = ["main"]
