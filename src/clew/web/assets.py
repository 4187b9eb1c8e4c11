"""Styles, scripts and the icon: held in memory, so that a page never waits for a worker to get them."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import Response

_HERE = Path(__file__).parent / "static"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@cache
def assets() -> dict[str, bytes]:
    """Every asset by its name."""
    return {path.name: path.read_bytes() for path in sorted(_HERE.iterdir()) if path.suffix in _TYPES}


@cache
def static_path() -> str:
    """Where the assets lie: the path changes with any of them, so a browser may keep them for ever."""
    digest = hashlib.sha256()
    for name, content in assets().items():
        digest.update(name.encode() + b"\0" + content)
    return f"/static/{digest.hexdigest()[:12]}"


def asset_routes() -> APIRouter:
    """The assets below `static_path`."""
    routes = APIRouter()
    held = assets()

    # A coroutine: a plain function would wait for a worker.
    @routes.api_route(f"{static_path()}/{{name}}", methods=["GET", "HEAD"], include_in_schema=False)
    async def asset(name: str) -> Response:
        if name not in held:
            raise HTTPException(404)
        return Response(held[name], media_type=_TYPES[Path(name).suffix])

    return routes
