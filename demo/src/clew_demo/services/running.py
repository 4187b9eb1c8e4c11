"""What all services do alike: trace themselves, open their database, consume, serve, and end."""

from __future__ import annotations

import functools
import logging
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import clew_sdk
import httpx
import uvicorn
from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor

from clew_demo.database import Database, open_database
from clew_demo.place import Place
from clew_demo.queues import Consumer

TIMEOUT_S = 10.0
ATTEMPTS = 3
log = logging.getLogger(__name__)


def begin(service: str, place: Place, *tables: str) -> tuple[clew_sdk.Sdk, Database]:
    """Trace this process as ``service`` and open its database.

    Stage events are rows in the service's own transactions (hence no outbox file); the relay sends them.
    """
    _log_briefly()
    sdk = clew_sdk.setup(service=service, outbox=None)
    HTTPXClientInstrumentor().instrument()
    database = open_database(place.database, service, *tables)
    sdk.relay(database.connect)
    return sdk, database


class _Brief(logging.Formatter):
    """One line a record: of an exception its last line, as the trace has the rest."""

    def formatException(self, ei: Any) -> str:  # noqa: ANN401 - as logging.Formatter names it
        return f"{ei[0].__name__}: {ei[1]}"

    def format(self, record: logging.LogRecord) -> str:
        return super().format(record).replace("\n", ": ")


def _log_briefly() -> None:
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Brief())
    logging.basicConfig(handlers=[handler], level=logging.INFO)
    # Requests and messages are on the screen as what they mean; span exporters would tell of each attempt.
    for chatty in ("httpx", "pika", "opentelemetry.exporter"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)


def web_app(sdk: clew_sdk.Sdk, consumers: Sequence[Consumer] = ()) -> FastAPI:
    """An application whose requests are spans (FastAPI does that by itself) and that consumes while it runs."""
    return FastAPI(lifespan=_consuming(sdk, consumers), telemetry={"operation_spans": False})


def _consuming(
    sdk: clew_sdk.Sdk, consumers: Sequence[Consumer]
) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        for consumer in consumers:
            consumer.start()
        yield
        for consumer in consumers:
            consumer.stop()
        sdk.shutdown()

    return lifespan


def serve(app: FastAPI, url: str) -> None:
    """Answer at this address until SIGTERM; says "ready" when it listens."""
    at = httpx.URL(url)
    _Server(uvicorn.Config(app, host=at.host, port=at.port or 80, log_config=None, log_level="warning")).run()


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        log.info("ready")


def call(method: str, url: str, json: dict[str, Any] | None = None) -> httpx.Response:
    """Ask another service, up to three times when it can't be reached; the last answer or error is the caller's.

    How often it was tried again is on the current span, as ``retry.count``.
    """
    for retries in range(ATTEMPTS):
        try:
            with httpx.Client(timeout=TIMEOUT_S, verify=_trusted()) as client:
                return client.request(method, url, json=json)
        except httpx.TransportError as error:
            trace.get_current_span().set_attribute("retry.count", retries)
            trace.get_current_span().set_attribute("timeout", isinstance(error, httpx.TimeoutException))
            if retries == ATTEMPTS - 1:
                raise
    raise AssertionError("the loop returns or raises")


@functools.cache
def _trusted() -> ssl.SSLContext:
    """The roots of trust, read once: httpx reads them for each client, which takes longer than the request."""
    return httpx.create_ssl_context()
