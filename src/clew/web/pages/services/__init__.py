"""Services, their calls, queues and databases: as a graph, and one by one."""

from clew.web.pages.services.route import services_routes

__all__ = ["services_routes"]
