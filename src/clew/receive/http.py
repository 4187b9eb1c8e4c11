"""OTLP over HTTP: ``POST /v1/traces`` and ``/v1/logs``, protobuf and JSON, as a small ASGI application."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from clew.model.errors import TelemetryTooLarge, UnsupportedEncoding
from clew.receive.admission import Admission, Lease
from clew.receive.body import Receive, SenderGone, inflater, read_body
from clew.receive.commit import GroupCommitter
from clew.receive.json_walk import request_from_json
from clew.receive.status import (
    JSON,
    PROTOBUF,
    Answer,
    Code,
    HttpRefusal,
    answer_to,
    report_surprise,
    status_body,
    success_body,
)
from clew.receive.wire import check_request
from clew.store.contract import Signal

Scope = dict[str, Any]
Send = Callable[[Any], Awaitable[None]]
Headers = dict[bytes, list[bytes]]

SIGNALS = {"/v1/traces": Signal.TRACES, "/v1/logs": Signal.LOGS}
REJECTED_FIELD = {Signal.TRACES: "rejectedSpans", Signal.LOGS: "rejectedLogRecords"}
_JSON_ON_LOOP_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Sizes in bytes before and after decompression, and how long a body may take to arrive.

    JSON has a smaller limit: as Python values it needs about ten times its size.
    """

    body_bytes: int = 64 << 20
    json_bytes: int = 16 << 20
    read_timeout_s: float = 10.0

    def of(self, content_type: str) -> int:
        """The largest body of a content type."""
        return min(self.json_bytes, self.body_bytes) if content_type == JSON else self.body_bytes


_MENDS = {
    JSON: "send less at a time, or protobuf, which may be larger",
    PROTOBUF: "send less at a time, or raise the setting otlp.max_request",
}


class OtlpHttp:
    """The ASGI application. It answers 503, never 500, for whatever it did not foresee."""

    def __init__(
        self, committer: GroupCommitter, admission: Admission, limits: HttpLimits, ready: Callable[[], str | None]
    ) -> None:
        self._committer = committer
        self._admission = admission
        self._limits = limits
        self._ready = ready
        self._json_turn = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope["path"].rstrip("/")
        if path in ("/healthz", "/readyz"):
            await self._health(path, scope["method"], send)
            return
        headers = _headers(scope)
        content_type = _content_type(headers)
        answered_in = content_type if content_type in (PROTOBUF, JSON) else JSON
        try:
            body = await self._export(path, scope["method"], content_type, headers, receive)
            await _respond(send, 200, answered_in, body)
        except SenderGone:
            return
        except Exception as error:
            await _refuse(send, error, answered_in)

    async def _export(self, path: str, method: str, content_type: str, headers: Headers, receive: Receive) -> bytes:
        signal = _signal(path, method)
        if content_type not in (PROTOBUF, JSON):
            raise UnsupportedEncoding(f"Content-Type {content_type!r} is not served: send {PROTOBUF} or {JSON}")
        inflate = inflater(headers.get(b"content-encoding", []))
        limit = self._limits.of(content_type)
        with self._admission.lease() as lease:
            declared = _declared(headers)
            try:
                body = await read_body(receive, lease, inflate, declared, limit, self._limits.read_timeout_s)
            except TelemetryTooLarge as error:
                raise TelemetryTooLarge(f"{error}; {_MENDS[content_type]}") from error
            if content_type == JSON:
                body = await self._from_json(signal, body, lease)
            check_request(body)
            rejected = await self._committer.submit(signal, body)
        return success_body(rejected, REJECTED_FIELD[signal], content_type)

    async def _from_json(self, signal: Signal, body: bytes, lease: Lease) -> bytes:
        """Convert JSON, a large body on a thread so that the loop lives on, and one at a time."""
        if len(body) <= _JSON_ON_LOOP_BYTES:
            payload = request_from_json(signal, body)
        else:
            async with self._json_turn:
                payload = await asyncio.to_thread(request_from_json, signal, body)
        if len(payload) > self._limits.body_bytes:
            raise TelemetryTooLarge(f"the request is over the limit of {self._limits.body_bytes} bytes")
        lease.add(len(payload))
        lease.shrink(len(body))
        return payload

    async def _health(self, path: str, method: str, send: Send) -> None:
        if method not in ("GET", "HEAD"):
            await _refuse(send, _not_allowed(b"GET, HEAD"), JSON)
            return
        problem = self._ready() if path == "/readyz" else None
        text = (problem or "ok") + "\n"
        await _respond(send, 503 if problem else 200, "text/plain; charset=utf-8", text.encode())


def _signal(path: str, method: str) -> Signal:
    signal = SIGNALS.get(path)
    if signal is None:
        raise HttpRefusal(Answer(404, Code.UNIMPLEMENTED, f"{path or '/'} is not served: {' and '.join(SIGNALS)} are"))
    if method != "POST":
        raise _not_allowed(b"POST")
    return signal


def _not_allowed(methods: bytes) -> HttpRefusal:
    answer = Answer(405, Code.UNIMPLEMENTED, f"use {methods.decode()}")
    return HttpRefusal(answer, ((b"allow", methods),))


def _headers(scope: Scope) -> Headers:
    headers: Headers = {}
    for name, value in scope["headers"]:
        headers.setdefault(name, []).append(value)
    return headers


def _content_type(headers: Headers) -> str:
    """The media type without parameters such as ``charset``, in lower case; empty when absent."""
    value = headers.get(b"content-type", [b""])[-1]
    return value.split(b";", 1)[0].strip().lower().decode("latin-1")


def _declared(headers: Headers) -> int | None:
    if b"transfer-encoding" in headers:
        return None
    values = headers.get(b"content-length")
    return int(values[0]) if values else None


async def _refuse(send: Send, error: Exception, content_type: str) -> None:
    report_surprise(error)
    answer = answer_to(error)
    headers = list(error.headers) if isinstance(error, HttpRefusal) else []
    if answer.retry_after_s is not None:
        headers.append((b"retry-after", str(answer.retry_after_s).encode()))
    await _respond(send, answer.http, content_type, status_body(answer, content_type), headers)


async def _respond(
    send: Send, status: int, content_type: str, body: bytes, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    fixed = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": fixed + (headers or [])})
    await send({"type": "http.response.body", "body": body})
