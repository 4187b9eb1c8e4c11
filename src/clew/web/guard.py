"""What keeps a browser safe: a strict content policy, no frames, no sniffing, no requests of other sites.

It lies around pages and API, and around what answers a mistake of ours.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clew.api.errors import answer

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""Nothing inline and nothing from elsewhere. https://www.w3.org/TR/CSP3/"""

_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_FOR_EVER = "public, max-age=31536000, immutable"
_READING = ("GET", "HEAD", "OPTIONS")
_REFUSED = "refused: this request comes from a page of another site"


class Guard:
    """Adds the headers to every answer, and refuses what another site's page asks to be changed."""

    def __init__(self, app: ASGIApp, of_api: Callable[[Scope], bool]) -> None:
        """Around ``app``; ``of_api`` says which requests are refused in the API's form."""
        self._app = app
        self._of_api = of_api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request. Only http is known."""
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        static = scope["path"].startswith("/static/")

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                fresh = _FOR_EVER if static and message["status"] == 200 else "no-store"
                headers.setdefault("Cache-Control", fresh)
            await send(message)

        if scope["method"] not in _READING and _of_another_site(Headers(scope=scope)):
            return await self._refusal(scope)(scope, receive, guarded)
        return await self._app(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> Response:
        if self._of_api(scope):
            return answer(403, "cross_site", _REFUSED, "send it from a page of Clew, or from a program")
        return PlainTextResponse(f"{_REFUSED}\n", 403)


def _of_another_site(headers: Headers) -> bool:
    """Whether a browser sends this for a page of another site.

    Fetch metadata (https://www.w3.org/TR/fetch-metadata/) tells; browsers without it send an Origin with such requests.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2] != headers.get("host")
