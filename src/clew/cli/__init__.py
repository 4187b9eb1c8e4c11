"""The command line: one command a module, all over the API."""

from clew.cli.main import main

__all__ = ["main"]
