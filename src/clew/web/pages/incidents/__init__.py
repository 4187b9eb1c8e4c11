"""The pages of incidents: all of them, one of them, and the silences."""

from clew.web.pages.incidents.route import incident_page_routes

__all__ = ["incident_page_routes"]
