"""What keeps a browser safe: a strict content policy, no frames, no sniffing, no requests of other sites or names.

It lies around pages and API, and around what answers a mistake of ours.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from clew.api.errors import answer
from clew.web.hosts import Hosts

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
_NAME_IT = "add that name to the setting api.hosts if it is one of its own, or ask by its address"
_PROBES = ("/healthz", "/readyz")
"""What keeps a process alive asks by whatever name it has; the answer tells nothing of any order."""


class Guard:
    """Adds the headers to every answer, and refuses what another site's page asks to be read or changed."""

    def __init__(self, app: ASGIApp, of_api: Callable[[Scope], bool], hosts: Hosts) -> None:
        """Around ``app``; ``of_api`` says which requests are refused in the API's form, ``hosts`` who may be asked."""
        self._app = app
        self._of_api = of_api
        self._hosts = hosts

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

        app = self._refusal(scope, Headers(scope=scope)) or self._app
        return await app(scope, receive, guarded)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        if scope["path"] not in _PROBES and not self._hosts.answer(host := headers.get("host", "")):
            message = f"refused: Clew is not known as {host!r:.200}"
            return self._refused(scope, 421, "unknown_host", message, _NAME_IT)
        if scope["method"] not in _READING and _of_another_site(headers):
            return self._refused(scope, 403, "cross_site", _REFUSED, "send it from a page of Clew, or from a program")
        return None

    def _refused(self, scope: Scope, status: int, code: str, message: str, mend: str) -> Response:
        if self._of_api(scope):
            return answer(status, code, message, mend)
        return PlainTextResponse(f"{message}; {mend}\n", status)


def _of_another_site(headers: Headers) -> bool:
    """Whether a browser sends this for a page of another site.

    Fetch metadata (https://www.w3.org/TR/fetch-metadata/) tells; browsers without it send an Origin with such requests.
    """
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2] != headers.get("host")
