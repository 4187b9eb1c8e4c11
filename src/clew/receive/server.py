"""The receiver: both OTLP ports, admission and group commit, started and stopped as one."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field

import grpc.aio  # type: ignore[import-untyped]

from clew.receive.admission import Admission
from clew.receive.commit import GroupCommitter
from clew.receive.grpc import GrpcLimits, OtlpGrpc
from clew.receive.http import HttpLimits, OtlpHttp
from clew.receive.http_server import HttpServer
from clew.receive.policy import FlushPolicy
from clew.store.contract import Store


@dataclass(frozen=True, slots=True)
class ReceiveSettings:
    """Where to listen and how much to take. Port 0 takes a free one. Sizes are bytes."""

    http_host: str = "127.0.0.1"
    http_port: int = 4318
    grpc_host: str = "127.0.0.1"
    grpc_port: int = 4317
    memory_bytes: int = 64 << 20
    body_bytes: int = 64 << 20
    json_bytes: int = 16 << 20
    connections: int = 512
    grpc_reading: int = 8
    read_timeout_s: float = 10.0
    writers: int = 1
    policy: FlushPolicy = field(default_factory=FlushPolicy)


class Receiver:
    """Takes OTLP on two ports and commits it to a store. Every method belongs to the event loop."""

    def __init__(self, store: Store, settings: ReceiveSettings, ready: Callable[[], str | None] = lambda: None) -> None:
        self.admission = Admission(settings.memory_bytes)
        self.committer = GroupCommitter(store, settings.policy, settings.writers)
        self.http_port = 0
        self.grpc_port = 0
        self._settings = settings
        self._ready = ready
        self._stopping = False
        self._http: HttpServer | None = None
        self._grpc: grpc.aio.Server | None = None

    async def start(self) -> None:
        """Open both ports. Raises OSError when one can't be opened; then none is."""
        settings = self._settings
        body_bytes = min(settings.body_bytes, settings.memory_bytes)
        http_limits = HttpLimits(body_bytes, min(settings.json_bytes, body_bytes), settings.read_timeout_s)
        http = OtlpHttp(self.committer, self.admission, http_limits, self._problem)
        listener = socket.create_server((settings.http_host, settings.http_port), backlog=512)
        try:
            limits = GrpcLimits(body_bytes, settings.grpc_reading, read_timeout_s=settings.read_timeout_s)
            self._grpc = OtlpGrpc(self.committer, self.admission, limits).server()
            self.grpc_port = _add_port(self._grpc, settings.grpc_host, settings.grpc_port)
        except BaseException:
            listener.close()
            raise
        self.http_port = listener.getsockname()[1]
        self.committer.start()
        self._http = HttpServer(http, listener, settings.connections)
        await self._http.start()
        await self._grpc.start()

    async def close(self, grace_s: float = 10.0) -> None:
        """Stop taking requests, commit and answer those received, close both ports; idempotent."""
        self._stopping = True
        await self.committer.drain()
        if self._grpc is not None:
            await self._grpc.stop(grace_s)
        if self._http is not None:
            await self._http.stop(grace_s)

    def _problem(self) -> str | None:
        if self.committer.broken:
            return "commits have stopped; restart Clew"
        return "stopping" if self._stopping else self._ready()


def _add_port(server: grpc.aio.Server, host: str, port: int) -> int:
    try:
        return int(server.add_insecure_port(f"{host}:{port}"))
    except RuntimeError as error:
        raise OSError(f"can't listen for gRPC on {host}:{port}: {error}") from error
