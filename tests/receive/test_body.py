import gzip
import json
import zlib

import pytest

from clew.model.errors import MalformedTelemetry, UnsupportedEncoding
from clew.receive.body import PIECE_BYTES, inflater
from clew.receive.policy import MS, FlushPolicy
from clew.store.contract import Signal
from tests.receive.otlp import JSON, HttpClient, json_span, json_traces
from tests.receive.serving import FakeStore, fake_server

TEXT = b"one order through a labyrinth of services " * 50


def inflated(encodings: list[bytes], data: bytes, step: int = 7) -> bytes:
    """What comes out when the data arrives in small pieces."""
    stream = inflater(encodings)
    assert stream
    pieces = [piece for at in range(0, len(data), step) for piece in stream.feed(data[at : at + step])]
    stream.finish()
    return b"".join(pieces)


@pytest.mark.parametrize(
    ("encodings", "data", "expected"),
    [
        pytest.param([b"gzip"], gzip.compress(TEXT), TEXT, id="gzip"),
        pytest.param([b"GZIP"], gzip.compress(TEXT), TEXT, id="names in capitals"),
        pytest.param([b"identity, gzip"], gzip.compress(TEXT), TEXT, id="identity does nothing"),
        pytest.param([b"gzip"], gzip.compress(TEXT) + gzip.compress(b"!"), TEXT + b"!", id="several members"),
        pytest.param([b"gzip"], b"", b"", id="nothing at all"),
        pytest.param([b"gzip"], gzip.compress(b""), b"", id="nothing, compressed"),
        pytest.param([b"deflate"], zlib.compress(TEXT), TEXT, id="deflate is zlib's format"),
    ],
)
def test_compressed_bodies_are_expanded_however_they_arrive(encodings, data, expected):
    assert inflated(encodings, data) == expected
    assert inflated(encodings, data, step=10_000) == expected


@pytest.mark.parametrize("encodings", [[], [b""], [b"identity"], [b"identity", b" Identity "]])
def test_plain_bodies_need_no_expansion(encodings):
    assert inflater(encodings) is None


@pytest.mark.parametrize("encodings", [[b"br"], [b"zstd"], [b"gzip, gzip"], [b"gzip", b"deflate"], [b"gzip;q=1"]])
def test_other_encodings_are_named_in_the_refusal(encodings):
    with pytest.raises(UnsupportedEncoding, match=encodings[0].decode().split(",")[0]):
        inflater(encodings)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(TEXT, id="plain text"),
        pytest.param(gzip.compress(TEXT)[:-1], id="cut off"),
        pytest.param(gzip.compress(TEXT)[:-8] + bytes(8), id="a wrong checksum"),
        pytest.param(gzip.compress(TEXT) + b"rest", id="something after the end"),
        pytest.param(zlib.compress(TEXT), id="another format"),
    ],
)
def test_corrupt_bodies_are_malformed(data):
    with pytest.raises(MalformedTelemetry):
        inflated([b"gzip"], data)


def test_no_piece_is_larger_than_promised():
    stream = inflater([b"gzip"])
    assert stream
    sizes = [len(piece) for piece in stream.feed(gzip.compress(bytes(5 * PIECE_BYTES + 3)))]
    assert sum(sizes) == 5 * PIECE_BYTES + 3
    assert max(sizes) <= PIECE_BYTES


def test_json_has_a_limit_of_its_own_and_large_bodies_are_converted_beside_the_loop():
    hasty = FlushPolicy(quiet_linger_ns=1 * MS)
    store = FakeStore()
    large = json_traces(*(json_span(f"span {number}") for number in range(600)))
    with fake_server(store, policy=hasty, json_bytes=200_000) as server:
        http = HttpClient(server.http)
        assert len(json.dumps(large)) > 100_000
        assert http.post_json("/v1/traces", large).status == 200
        refused = http.post("/v1/traces", b" " * 200_001, JSON)
        mend = "send less at a time, or protobuf, which may be larger"
        assert (refused.status, refused.json()["message"]) == (
            413,
            f"the body is over the limit of 200000 bytes; {mend}",
        )
        assert http.post("/v1/traces", bytes(1000)).status == 400, "protobuf is judged by its own rules"
        assert server.receiver.admission.in_use == 0
        http.close()
    (batch,) = store.batches
    assert batch.signal is Signal.TRACES
    assert batch.payloads[0].count(b"span ") == 600
