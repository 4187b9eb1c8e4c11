"""What is watched: the rules in force, in plain words."""

from clew.web.pages.rules.route import rules_page_routes

__all__ = ["rules_page_routes"]
