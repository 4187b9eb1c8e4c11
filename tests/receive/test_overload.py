"""At its limits Clew refuses and never grows; what it took, it finishes."""

import secrets
import signal
import socket
import threading
import time

import grpc as grpc_client
import pytest

from clew.receive.policy import MS, FlushPolicy
from tests.receive.otlp import TRACES, GrpcClient, HttpClient, span, traces, trailer
from tests.receive.serving import FakeStore, RealServer, fake_server

HASTY = FlushPolicy(quiet_linger_ns=1 * MS, thrift_linger_ns=1 * MS, load_linger_ns=1 * MS)


def body_of(size: int) -> bytes:
    return traces(span(name="x" * size)).SerializeToString()


def wait_until(condition, seconds=10.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


def together(jobs):
    threads = [threading.Thread(target=job) for job in jobs]
    for thread in threads:
        thread.start()
    return threads


def test_more_than_fits_in_memory_is_refused_and_the_rest_is_stored():
    gate = threading.Event()
    store = FakeStore(before=lambda batch: gate.wait(20))
    answers = []
    with fake_server(store, policy=HASTY, memory_bytes=1_000_000) as server:

        def send():
            client = HttpClient(server.http)
            answers.append(client.post("/v1/traces", body_of(100_000)))
            client.close()

        senders = together([send] * 25)
        wait_until(lambda: len(answers) >= 16)
        gate.set()
        for sender in senders:
            sender.join()
        assert server.receiver.admission.peak <= 1_000_000
        assert server.receiver.admission.in_use == 0
    statuses = sorted(answer.status for answer in answers)
    assert statuses == [200] * 9 + [503] * 16
    assert all(answer.headers["retry-after"] == "1" for answer in answers if answer.status == 503)
    assert len(store.stored) == 9


def test_grpc_over_the_memory_limit_is_unavailable_with_a_delay():
    gate = threading.Event()
    store = FakeStore(before=lambda batch: gate.wait(20))
    with fake_server(store, policy=HASTY, memory_bytes=250_000, body_bytes=200_000) as server:
        client = GrpcClient(server.grpc)
        first = client.channel.unary_unary(f"/{TRACES}/Export").future(body_of(150_000))
        wait_until(lambda: server.receiver.admission.in_use > 150_000)
        refused = client.refusal(TRACES, body_of(150_000))
        assert refused.code() is grpc_client.StatusCode.UNAVAILABLE
        assert trailer(refused, "google.rpc.retryinfo-bin")
        gate.set()
        assert first.result(20) == b""
        assert server.receiver.admission.in_use == 0
        client.close()


def test_calls_that_give_up_before_their_flush_leave_nothing_behind():
    store = FakeStore()
    with fake_server(store, policy=FlushPolicy(quiet_linger_ns=60_000 * MS)) as server:
        client = GrpcClient(server.grpc)
        calls = [client.channel.unary_unary(f"/{TRACES}/Export").future(body_of(100_000)) for _ in range(5)]
        wait_until(lambda: server.receiver.committer.waiting == 5)
        for call in calls:
            call.cancel()
        wait_until(lambda: server.receiver.committer.waiting == 0)
        wait_until(lambda: server.receiver.admission.in_use == 0)
        client.close()
    assert store.stored == []


def test_bodies_count_while_they_arrive_and_not_before():
    with fake_server(FakeStore(), policy=HASTY, memory_bytes=1_000_000) as server:
        http = HttpClient(server.http)
        slow = socket.create_connection(("127.0.0.1", server.http))
        slow.sendall(head(content_length=900_000))
        assert http.post("/v1/traces", body_of(500_000)).status == 200, "an announcement takes no memory"
        slow.sendall(bytes(600_000))
        wait_until(lambda: server.receiver.admission.in_use == 600_000)
        assert http.post("/v1/traces", body_of(500_000)).status == 503
        slow.close()
        wait_until(lambda: server.receiver.admission.in_use == 0)
        assert http.post("/v1/traces", body_of(500_000)).status == 200
        http.close()


def head(content_length: int) -> bytes:
    lines = ["POST /v1/traces HTTP/1.1", "host: x", "content-type: application/x-protobuf"]
    return "\r\n".join([*lines, f"content-length: {content_length}", "", ""]).encode()


def test_a_body_that_does_not_come_to_an_end_is_refused_in_time():
    with fake_server(FakeStore(), read_timeout_s=0.2) as server:
        slow = socket.create_connection(("127.0.0.1", server.http))
        slow.sendall(head(content_length=1000) + bytes(10))
        assert slow.recv(4096).startswith(b"HTTP/1.1 503")
        slow.close()
        assert server.receiver.admission.in_use == 0


def test_a_refused_body_is_not_kept_and_the_connection_goes_on():
    with fake_server(FakeStore(), policy=HASTY, body_bytes=1000) as server:
        http = HttpClient(server.http)
        assert http.post("/v1/traces", bytes(5_000_000)).status == 413
        assert http.post("/v1/traces", b"").status == 200
        assert server.receiver.admission.peak <= 1000
        http.close()


def test_connections_over_the_limit_are_closed():
    with fake_server(FakeStore(), connections=3) as server:
        held = [socket.create_connection(("127.0.0.1", server.http)) for _ in range(3)]
        extra = socket.create_connection(("127.0.0.1", server.http))
        extra.settimeout(10)
        with pytest.raises(ConnectionError):
            _nothing_more(extra)
        held.pop().close()
        http = HttpClient(server.http)
        wait_until(lambda: _works(http))
        for one in (*held, extra):
            one.close()
        http.close()


def _nothing_more(connection: socket.socket) -> None:
    if connection.recv(1) == b"":
        raise ConnectionError("closed")


def _works(client: HttpClient) -> bool:
    try:
        return client.request("GET", "/healthz").status == 200
    except OSError:
        client.close()
        return False


def test_an_endless_head_is_refused():
    with fake_server(FakeStore()) as server:
        one = socket.create_connection(("127.0.0.1", server.http))
        one.sendall(b"POST /v1/traces HTTP/1.1\r\n" + b"".join(b"h%d: %s\r\n" % (n, b"x" * 1000) for n in range(80)))
        assert one.recv(4096).startswith(b"HTTP/1.1 400")
        one.close()


def test_health_says_alive_and_ready_says_why_not():
    problems: list[str | None] = [None]
    with fake_server(FakeStore(), ready=lambda: problems[0]) as server:
        http = HttpClient(server.http)
        assert http.request("GET", "/healthz").body == b"ok\n"
        assert http.request("GET", "/readyz").status == 200
        problems[0] = "the store is opening"
        answer = http.request("GET", "/readyz")
        assert (answer.status, answer.body) == (503, b"the store is opening\n")
        assert http.request("GET", "/healthz").status == 200
        assert http.request("POST", "/healthz").status == 405
        http.close()


def test_one_malformed_request_among_many_is_refused_alone_by_the_real_store(tmp_path):
    marker = secrets.token_hex(6)
    malformed = b"\x0a\x04\x12\x7f\x01\x02"
    server = RealServer(tmp_path, linger_ms=400)
    answers: dict[int, int] = {}

    def send(number):
        client = HttpClient(server.http)
        body = malformed if number == 13 else traces(span(marker)).SerializeToString()
        answers[number] = client.post("/v1/traces", body).status
        client.close()

    for sender in together([lambda n=n: send(n) for n in range(30)]):
        sender.join()
    assert answers == {number: 400 if number == 13 else 200 for number in range(30)}
    assert server.rows("SELECT count() AS n FROM spans WHERE name = {n:String}", n=marker) == [{"n": 29}]
    assert server.close() == 0


def test_sigterm_stores_and_answers_what_was_received(tmp_path):
    server = RealServer(tmp_path, linger_ms=60_000)
    answers = []

    def send():
        client = HttpClient(server.http)
        answers.append(client.post("/v1/traces", traces(span()).SerializeToString()).status)
        client.close()

    def call():
        client = GrpcClient(server.grpc)
        answers.append(client.export(TRACES, traces(span()).SerializeToString()))
        client.close()

    senders = together([send] * 4 + [call] * 4)
    wait_until(lambda: server.waiting() == 8)
    server.process.send_signal(signal.SIGTERM)
    assert server.read() == {"stopped": 8}
    for sender in senders:
        sender.join()
    assert sorted(answers, key=str) == [200] * 4 + [b""] * 4
    assert server.rows("SELECT count() AS n FROM spans") == [{"n": 8}]
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", server.http))
    assert server.close() == 0
