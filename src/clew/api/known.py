"""No query parameter is ignored: one that a route doesn't know is a mistake of the caller, and is told."""

from __future__ import annotations

import difflib

from fastapi import Request
from fastapi.dependencies.models import Dependant

from clew.api.errors import ApiError, invalid


async def only_known_parameters(request: Request) -> None:
    """Refuse a request with a query parameter that its route doesn't describe. Raises ApiError."""
    known = _known(request)
    unknown = next((name for name in request.query_params if name not in known), None)
    if unknown is not None:
        raise _refusal(unknown, known)


def _known(request: Request) -> list[str]:
    return sorted(_parameters(request.scope["route"].dependant))


def _parameters(dependant: Dependant) -> set[str]:
    own = {field.alias for field in dependant.query_params}
    return own.union(*(_parameters(each) for each in dependant.dependencies))


def _refusal(unknown: str, known: list[str]) -> ApiError:
    near = difflib.get_close_matches(unknown, known, 1)
    if near:
        return invalid(f"there is no parameter {unknown}", f"did you mean {near[0]}?")
    mend = f"those here are {', '.join(known)}" if known else "nothing can be asked for here, leave it out"
    return invalid(f"there is no parameter {unknown}", mend)
