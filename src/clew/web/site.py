"""One port, two applications: the JSON API below /api and the probes, web pages everywhere else."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

_API = ("/api/", "/healthz", "/readyz")


def site(api: ASGIApp, web: ASGIApp) -> ASGIApp:
    """The application that answers for both, so that each keeps its own form of errors."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        of_api = scope["type"] == "http" and scope["path"].startswith(_API)
        await (api if of_api else web)(scope, receive, send)

    return answer
