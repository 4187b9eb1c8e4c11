"""The flow: how orders really go, where they wait, and what is declared of it."""

from clew.web.pages.flow.route import flow_routes

__all__ = ["flow_routes"]
