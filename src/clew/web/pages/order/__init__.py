"""One order: what Clew says of it, its way through services and queues, its messages, traces and logs."""

from clew.web.pages.order.route import order_page_routes

__all__ = ["order_page_routes"]
