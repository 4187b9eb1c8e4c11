"""How Clew itself does."""

from clew.web.pages.status.route import status_page_routes

__all__ = ["status_page_routes"]
