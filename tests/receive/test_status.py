import pytest

from clew.model.errors import (
    IngestError,
    MalformedTelemetry,
    Overloaded,
    StoreUnavailable,
    TelemetryTooLarge,
    UnsupportedEncoding,
)
from clew.receive.status import JSON, PROTOBUF, Code, answer_to, status_body, status_of, success_body
from clew.store.contract import Rejected


@pytest.mark.parametrize(
    ("error", "http", "code", "retry_after_s"),
    [
        (MalformedTelemetry("bad"), 400, Code.INVALID_ARGUMENT, None),
        (TelemetryTooLarge("big"), 413, Code.RESOURCE_EXHAUSTED, None),
        (UnsupportedEncoding("br"), 415, Code.INVALID_ARGUMENT, None),
        (Overloaded("full"), 503, Code.UNAVAILABLE, 1),
        (Overloaded("full", retry_after_s=2), 503, Code.UNAVAILABLE, 2),
        (StoreUnavailable("disk"), 503, Code.UNAVAILABLE, 1),
        (IngestError("later"), 503, Code.UNAVAILABLE, 1),
        (RuntimeError("surprise"), 503, Code.UNAVAILABLE, 1),
    ],
)
def test_every_error_has_one_answer_in_both_languages(error, http, code, retry_after_s):
    answer = answer_to(error)
    assert (answer.http, answer.code, answer.retry_after_s) == (http, code, retry_after_s)


@pytest.mark.parametrize(
    "error", [MalformedTelemetry("x"), TelemetryTooLarge("x"), UnsupportedEncoding("x"), StoreUnavailable("x")]
)
def test_a_delay_is_told_exactly_when_trying_again_helps(error):
    assert (answer_to(error).retry_after_s is not None) == error.retryable
    assert (answer_to(error).http == 503) == error.retryable


def test_what_nobody_foresaw_is_not_shown_to_senders():
    assert "secret" not in answer_to(RuntimeError("secret path")).message


@pytest.mark.parametrize("error", [MalformedTelemetry("x" * 99_999), StoreUnavailable("x" * 99_999)])
@pytest.mark.parametrize("content_type", [PROTOBUF, JSON])
def test_an_error_body_is_small_however_long_its_cause(error, content_type):
    assert len(status_body(answer_to(error), content_type)) < 4096


def test_the_details_say_what_was_bad_or_when_to_come_back():
    assert [d.TypeName() for d in status_of(answer_to(MalformedTelemetry("x"))).details] == ["google.rpc.BadRequest"]
    assert [d.TypeName() for d in status_of(answer_to(Overloaded("x"))).details] == ["google.rpc.RetryInfo"]
    assert not status_of(answer_to(TelemetryTooLarge("x"))).details


@pytest.mark.parametrize(
    ("rejected", "content_type", "body"),
    [
        (None, PROTOBUF, b""),
        (None, JSON, b"{}"),
        (Rejected(300, "id"), PROTOBUF, b"\x0a\x07\x08\xac\x02\x12\x02id"),
        (Rejected(0, "id"), PROTOBUF, b"\x0a\x04\x12\x02id"),
        (Rejected(300, "id"), JSON, b'{"partialSuccess":{"rejectedSpans":"300","errorMessage":"id"}}'),
    ],
)
def test_success_says_only_what_was_left_out(rejected, content_type, body):
    assert success_body(rejected, "rejectedSpans", content_type) == body
