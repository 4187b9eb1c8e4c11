"""Traces and spans found by what they hold."""

from clew.web.pages.find.route import find_routes

__all__ = ["find_routes"]
