"""The sending side, a process of its own: many connections, unique telemetry, little CPU.

Run as ``python -m bench.sender JSON``; it prints one line of JSON when it is done. See ``Load`` for what it takes.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

import grpc  # type: ignore[import-untyped]
import numpy as np

from bench.holes import Ids, templates
from bench.shop import SPANS_A_REQUEST, make_round

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@dataclass(frozen=True, slots=True)
class Load:
    """What to send where: until ``seconds`` are over or ``spans`` are sent, over so many connections at once."""

    port: int
    protocol: str = "http"
    senders: int = 64
    seconds: float = 60.0
    spans: int = 1 << 60
    spans_a_request: int = SPANS_A_REQUEST
    seed: int = 1


@dataclass(slots=True)
class Sent:
    """What became of it. Latencies are milliseconds of acknowledged requests."""

    spans: int = 0
    requests: int = 0
    refused: int = 0
    seconds: float = 0.0
    sender_cpu_s: float = 0.0
    latencies_ms: list[float] = field(default_factory=list)


def send(load: Load) -> Sent:
    """Run a sender process over this load, and wait for it."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.sender", json.dumps(asdict(load))], stdout=subprocess.PIPE, check=True
    )
    return Sent(**json.loads(done.stdout))


class HttpConnection:
    """A keep-alive HTTP/1.1 connection that knows just enough to post protobuf."""

    def __init__(self, port: int, path: str = "/v1/traces") -> None:
        self._address = ("127.0.0.1", port)
        self._head = f"POST {path} HTTP/1.1\r\nHost: clew\r\nContent-Type: application/x-protobuf\r\nContent-Length: "
        self._socket: socket.socket | None = None

    def post(self, body: bytes) -> int:
        """Send one request, on a new connection if need be, and give the status. Raises OSError when it breaks."""
        try:
            if self._socket is None:
                self._socket = socket.create_connection(self._address, timeout=120)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._socket.sendall(f"{self._head}{len(body)}\r\n\r\n".encode() + body)
            return self._status(self._socket)
        except OSError:
            self.close()
            raise

    def _status(self, connection: socket.socket) -> int:
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._more(connection)
        head, _, body = answer.partition(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
        )
        while len(body) < length:
            body += self._more(connection)
        return int(head[9:12])

    def _more(self, connection: socket.socket) -> bytes:
        if not (piece := connection.recv(65536)):
            raise ConnectionResetError("closed before the answer")
        return piece

    def close(self) -> None:
        """Close; idempotent."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class GrpcConnection:
    """A channel of its own, with raw bytes in and out."""

    def __init__(self, port: int) -> None:
        own = ("grpc.use_local_subchannel_pool", 1)
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=[own])
        self._export = self._channel.unary_unary(EXPORT)

    def post(self, body: bytes) -> int:
        """Send one request; 200 when it was taken, else gRPC's code."""
        try:
            self._export(body, timeout=120)
        except grpc.RpcError as error:
            return int(error.code().value[0])
        return 200

    def close(self) -> None:
        """Close."""
        self._channel.close()


class _Senders:
    def __init__(self, load: Load) -> None:
        self._load = load
        self._turn = threading.Lock()
        self._requests = self._endless()
        self._begun = time.monotonic()
        self.sent = Sent()

    def _endless(self) -> Iterator[tuple[int, bytes]]:
        round_ = make_round(spans_a_request=self._load.spans_a_request)
        chance = np.random.default_rng(self._load.seed)
        first = self._load.seed * 1_000_000
        holes, number = templates(round_), 0
        while True:
            ids = Ids.new(round_, number, chance, first, lag=1)
            for template in holes:
                yield template.spans, template.fill(ids, time.time_ns() - 300_000_000, chance)
            number += 1

    def run(self) -> Sent:
        next(self._requests)
        self._begun, cpu_s = time.monotonic(), time.process_time()
        threads = [threading.Thread(target=self._send) for _ in range(self._load.senders)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.sent.seconds = time.monotonic() - self._begun
        self.sent.sender_cpu_s = time.process_time() - cpu_s
        return self.sent

    def _next(self) -> tuple[int, bytes] | None:
        with self._turn:
            over = time.monotonic() - self._begun >= self._load.seconds
            if over or self.sent.spans >= self._load.spans:
                return None
            return next(self._requests)

    def _send(self) -> None:
        load = self._load
        connection = HttpConnection(load.port) if load.protocol == "http" else GrpcConnection(load.port)
        while (request := self._next()) is not None:
            spans, body = request
            began = time.monotonic()
            while (status := connection.post(body)) != 200:
                self.sent.refused += 1
                if status not in (503, 14):
                    raise SystemExit(f"the server answered {status}")
                time.sleep(0.2)
            with self._turn:
                self.sent.spans += spans
                self.sent.requests += 1
                self.sent.latencies_ms.append((time.monotonic() - began) * 1000)
        connection.close()


if __name__ == "__main__":
    print(json.dumps(asdict(_Senders(Load(**json.loads(sys.argv[1]))).run())))
