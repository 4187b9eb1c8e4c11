"""Clew in the browser: pages rendered on the server, useful without JavaScript, live with it."""

from clew.web.app import create_web
from clew.web.site import site

__all__ = ["create_web", "site"]
