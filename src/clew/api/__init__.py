"""The JSON API: thin over the store, one error form, described by OpenAPI."""

from clew.api.app import create_api
from clew.api.deps import ApiDeps

__all__ = ["ApiDeps", "create_api"]
