"""The orders: the stage board, the list, worst first, the search, and saved views."""

from clew.web.pages.orders.route import orders_routes

__all__ = ["orders_routes"]
