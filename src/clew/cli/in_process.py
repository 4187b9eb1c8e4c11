"""An answer of the API in this process, read while it is made: httpx would hold it whole."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import httpx

Message = dict[str, Any]


@contextlib.contextmanager
def answering(app: Any, runner: asyncio.Runner, url: httpx.URL) -> Iterator[tuple[httpx.Response, Iterator[bytes]]]:  # noqa: ANN401
    """The answer of an ASGI application to a GET, and its body in pieces; leaving the block ends its work.

    The body raises what the application raised.
    """
    messages: asyncio.Queue[Message] = asyncio.Queue(1)
    working = runner.run(_begin(app, url, messages))
    try:
        start = runner.run(_next(working, messages)) or {"status": 500, "headers": []}
        headers = [(name.decode(), value.decode()) for name, value in start["headers"]]
        pieces = _pieces(runner, working, messages)
        failed = start["status"] >= 400
        body = b"".join(pieces) if failed else b""
        yield httpx.Response(start["status"], headers=headers, content=body, request=httpx.Request("GET", url)), pieces
    finally:
        runner.run(_end(working))


def _pieces(runner: asyncio.Runner, working: asyncio.Task[None], messages: asyncio.Queue[Message]) -> Iterator[bytes]:
    more = True
    while more and (message := runner.run(_next(working, messages))):
        more = message.get("more_body", False)
        if message.get("body"):
            yield message["body"]


async def _begin(app: Any, url: httpx.URL, messages: asyncio.Queue[Message]) -> asyncio.Task[None]:  # noqa: ANN401
    request = iter([{"type": "http.request", "body": b"", "more_body": False}])
    left = asyncio.Event()

    async def receive() -> Message:
        if first := next(request, None):
            return first
        await left.wait()
        return {"type": "http.disconnect"}

    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": url.path, "raw_path": url.raw_path.partition(b"?")[0], "query_string": url.query,
        "root_path": "", "headers": [(b"host", b"clew")], "client": None, "server": ("clew", None),
    }  # fmt: skip
    return asyncio.create_task(app(scope, receive, messages.put))


async def _next(working: asyncio.Task[None], messages: asyncio.Queue[Message]) -> Message | None:
    """What the application says next; None when it has ended without an error."""
    getting = asyncio.ensure_future(messages.get())
    await asyncio.wait({getting, working}, return_when=asyncio.FIRST_COMPLETED)
    if getting.done():
        return getting.result()
    getting.cancel()
    working.result()
    return None


async def _end(working: asyncio.Task[None]) -> None:
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
