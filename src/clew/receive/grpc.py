"""OTLP over gRPC: the Export calls of traces and logs, with raw bytes in and out.

Requests are not parsed here, so there are no generated servicers: handlers are generic. They are declared as
``stream_unary``, which is the same on the wire as ``unary_unary`` but calls the handler before the
message is read; so only a few messages are on their way into memory at once, and the others wait with the
sender, held back by HTTP/2 flow control.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import NoReturn

import grpc  # type: ignore[import-untyped]
import grpc.aio  # type: ignore[import-untyped]

from clew.model.errors import MalformedTelemetry, Overloaded
from clew.receive.admission import Admission
from clew.receive.commit import GroupCommitter
from clew.receive.status import answer_to, report_surprise, retry_info, status_of, success_message
from clew.receive.wire import check_request
from clew.store.contract import Signal

SERVICES = {
    Signal.TRACES: "opentelemetry.proto.collector.trace.v1.TraceService",
    Signal.LOGS: "opentelemetry.proto.collector.logs.v1.LogsService",
}
_CODES = {code.value[0]: code for code in grpc.StatusCode}


@dataclass(frozen=True, slots=True)
class GrpcLimits:
    """The largest message in bytes, how many are read at once, how many may wait, and for how long."""

    message_bytes: int = 64 << 20
    reading: int = 8
    waiting: int = 1024
    read_timeout_s: float = 10.0


class OtlpGrpc:
    """The Export handlers of all served signals."""

    def __init__(self, committer: GroupCommitter, admission: Admission, limits: GrpcLimits) -> None:
        self._committer = committer
        self._admission = admission
        self._limits = limits
        self._reading = asyncio.Semaphore(limits.reading)
        self._calls = 0

    def server(self) -> grpc.aio.Server:
        """A ``grpc.aio`` server with these handlers; the caller adds ports, starts and stops it."""
        server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", self._limits.message_bytes),
                ("grpc.max_concurrent_streams", 128),
                ("grpc.so_reuseport", 0),
                # A message that nobody reads yet shall wait with its sender: no window beyond the minimum.
                ("grpc.http2.bdp_probe", 0),
            ]
        )
        server.add_generic_rpc_handlers(tuple(self._handler(signal) for signal in SERVICES))
        return server

    def _handler(self, signal: Signal) -> grpc.GenericRpcHandler:
        async def export(_: AsyncIterator[bytes], context: grpc.aio.ServicerContext) -> bytes:
            return await self._export(signal, context)

        method = grpc.stream_unary_rpc_method_handler(export)
        return grpc.method_handlers_generic_handler(SERVICES[signal], {"Export": method})

    async def _export(self, signal: Signal, context: grpc.aio.ServicerContext) -> bytes:
        self._calls += 1
        try:
            with self._admission.lease() as lease:
                payload = await self._read(context)
                lease.add(len(payload))
                check_request(payload)
                return success_message(await self._committer.submit(signal, payload))
        except Exception as error:
            await _abort(context, error)
        finally:
            self._calls -= 1

    async def _read(self, context: grpc.aio.ServicerContext) -> bytes:
        """Read the one message of a call, when it is its turn."""
        if self._calls > self._limits.waiting:
            raise Overloaded(f"more than {self._limits.waiting} calls are open")
        async with self._reading:
            self._admission.check(1)
            try:
                message = await asyncio.wait_for(context.read(), self._limits.read_timeout_s)
            except TimeoutError:
                raise Overloaded("the message was not complete in time") from None
        if message is grpc.aio.EOF:
            raise MalformedTelemetry("the call has no message")
        return bytes(message)


async def _abort(context: grpc.aio.ServicerContext, error: Exception) -> NoReturn:
    """End the call with the error's status, its details and the delay in both forms that clients read."""
    report_surprise(error)
    answer = answer_to(error)
    trailers: list[tuple[str, bytes]] = [("grpc-status-details-bin", status_of(answer).SerializeToString())]
    if answer.retry_after_s is not None:
        trailers.append(("google.rpc.retryinfo-bin", retry_info(answer.retry_after_s).SerializeToString()))
    await context.abort(_CODES[answer.code], answer.message, tuple(trailers))
    raise AssertionError("abort does not return")
