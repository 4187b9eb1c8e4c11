"""Bodies of requests, read no further than is taken."""

from __future__ import annotations

from fastapi import Request

from clew.api.errors import ApiError


async def whole_body(request: Request, largest: int, told: str, mend: str) -> bytes:
    """The body of a request. Reading stops with a 413, told and mended so, beyond ``largest`` bytes."""
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > largest:
            raise ApiError(413, "too_large", told, mend)
    return bytes(body)
