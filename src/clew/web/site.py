"""One port, two applications: the JSON API below /api and the probes, web pages everywhere else."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from clew.web.guard import Guard
from clew.web.hosts import Hosts

LOOPBACK = Hosts()
_API = ("/api/", "/healthz", "/readyz")


def site(api: ASGIApp, web: ASGIApp, hosts: Hosts = LOOPBACK) -> ASGIApp:
    """The application that answers for both, so that each keeps its own form of errors; the guard is around it.

    ``hosts`` are those by which it may be asked.
    """

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await (api if _of_api(scope) else web)(scope, receive, send)

    return Guard(answer, _of_api, hosts)


def _of_api(scope: Scope) -> bool:
    return bool(scope["type"] == "http" and scope["path"].startswith(_API))
