"""Key figures: what was asked of services, how long it took and how it ended, against a week earlier."""

from clew.web.pages.figures.route import figures_routes

__all__ = ["figures_routes"]
