import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.model.errors import IngestError, MalformedTelemetry, StoreUnavailable
from clew.receive.flush import commit_batch
from clew.store.contract import Batch, Rejected, Signal
from tests.receive.otlp import span, traces
from tests.receive.serving import FakeStore

UNREADABLE = b"\x0a\xff"


def batch(*payloads: bytes) -> Batch:
    return Batch(Signal.TRACES, payloads, "token-1", 7)


def good(number: int) -> bytes:
    return traces(span(f"good {number}")).SerializeToString()


def commit(store: FakeStore, *payloads: bytes):
    pauses: list[float] = []
    return commit_batch(store, batch(*payloads), pauses.append), pauses


def test_a_good_batch_goes_in_once_and_everybody_is_told_so():
    store = FakeStore()
    outcomes, pauses = commit(store, b"", good(1), good(2))
    assert (outcomes, pauses) == ([None, None, None], [])
    assert [tried.token for tried in store.tried] == ["token-1"]


def test_what_is_left_out_is_told_to_its_sender_only():
    store, payload = FakeStore(), good(1)
    store.rejects[payload] = Rejected(2, "wrong id")
    assert commit(store, good(2), payload)[0] == [None, Rejected(2, "wrong id")]


def test_one_malformed_payload_is_answered_alone_and_the_others_are_stored_under_a_new_token():
    store, others = FakeStore(), [good(n) for n in range(4)]
    store.bad = {UNREADABLE}
    outcomes, _ = commit(store, *others[:2], UNREADABLE, *others[2:])
    assert [type(outcome) for outcome in outcomes] == [type(None)] * 2 + [MalformedTelemetry] + [type(None)] * 2
    assert store.stored == others
    assert store.tried[0].token != store.tried[1].token
    assert store.tried[1].received_ns == 7


def test_a_batch_of_malformed_payloads_only_stores_nothing():
    store = FakeStore()
    store.bad = {UNREADABLE, b"\x0a\xfe"}
    outcomes, _ = commit(store, UNREADABLE, b"\x0a\xfe")
    assert all(isinstance(outcome, MalformedTelemetry) for outcome in outcomes)
    assert len(store.tried) == 1


@given(st.lists(st.sampled_from(["good", "unreadable", "refused by the store's parser"]), min_size=1, max_size=12))
def test_every_malformed_payload_is_found_wherever_it_stands(kinds):
    store, payloads = FakeStore(), []
    for number, kind in enumerate(kinds):
        payload = UNREADABLE + bytes([number]) if kind == "unreadable" else good(number)
        payloads.append(payload)
        if kind != "good":
            store.bad.add(payload)
    outcomes, _ = commit(store, *payloads)
    assert [isinstance(outcome, MalformedTelemetry) for outcome in outcomes] == [kind != "good" for kind in kinds]
    assert store.stored == [payload for payload, kind in zip(payloads, kinds, strict=True) if kind == "good"]


def test_a_payload_that_parses_but_breaks_a_view_is_kept_by_its_sender_and_the_others_are_stored(caplog):
    store, payloads = FakeStore(), [good(n) for n in range(9)]
    poison = payloads[5]
    store.bad, store.probe = {poison}, lambda signal, payload: None
    with caplog.at_level(logging.CRITICAL):
        outcomes, _ = commit(store, *payloads)
    assert [type(outcome) for outcome in outcomes] == [type(None)] * 5 + [StoreUnavailable] + [type(None)] * 3
    assert sorted(store.stored) == sorted(set(payloads) - {poison})
    assert "a view of the store is at fault" in caplog.text


@pytest.mark.parametrize("failure", [StoreUnavailable("disk full"), OSError("no space")])
def test_a_failed_commit_is_repeated_with_the_same_token_before_anybody_is_refused(failure):
    failures = [failure, failure]

    def fail_twice(_batch):
        if failures:
            raise failures.pop()

    store = FakeStore(before=fail_twice)
    outcomes, pauses = commit(store, good(1))
    assert outcomes == [None]
    assert len(pauses) == 2
    assert len({(tried.token, tried.payloads) for tried in store.tried}) == 1


@pytest.mark.parametrize("failure", [StoreUnavailable("disk full"), ValueError("a surprise")])
def test_when_repeats_do_not_help_everybody_is_told_to_come_back(failure):
    def fail(_batch):
        raise failure

    store = FakeStore(before=fail)
    outcomes, pauses = commit(store, good(1), good(2))
    assert all(isinstance(outcome, StoreUnavailable) for outcome in outcomes)
    assert len(store.tried) == 1 + len(pauses)
    assert sum(pauses) < 1


def test_a_store_that_fails_while_culprits_are_sought_loses_nothing():
    store = FakeStore()
    store.bad = {UNREADABLE}

    def probe(_signal, _payload):
        raise StoreUnavailable("closing")

    store.probe = probe
    outcomes, _ = commit(store, good(1), UNREADABLE)
    assert outcomes[0] is None
    assert isinstance(outcomes[1], StoreUnavailable)
    assert all(outcome is None or isinstance(outcome, IngestError) for outcome in outcomes)
