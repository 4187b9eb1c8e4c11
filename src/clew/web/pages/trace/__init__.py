"""One trace: waterfall, flame graph, logs, one span of it, and two traces beside each other."""

from clew.web.pages.trace.route import trace_routes

__all__ = ["trace_routes"]
