from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.receive.policy import MS, FlushPolicy, Queue, Reason, Wait, savings, should_flush

POLICY = FlushPolicy()
FIRST_NS = 1_000_000 * MS
SMALL = Queue(
    requests=1, bytes=900, first_ns=FIRST_NS, last_ns=FIRST_NS, freed_ns=0, free_writers=1, saved_ns=POLICY.savings_ns
)
LOADED = replace(SMALL, requests=8, bytes=8 * 190_000, last_ns=FIRST_NS + 40 * MS)
STREAM = replace(LOADED, last_ns=FIRST_NS + 99 * MS)
FREED = replace(LOADED, freed_ns=FIRST_NS + 400 * MS)


@pytest.mark.parametrize(
    ("queue", "waited_ms", "expected"),
    [
        pytest.param(replace(SMALL, requests=0), 5000, Wait(None), id="nothing waits"),
        pytest.param(replace(LOADED, bytes=20 << 20, free_writers=0), 5000, Wait(None), id="all writers are busy"),
        pytest.param(
            replace(SMALL, draining=True, free_writers=0), 0, Wait(None), id="stopping, but no writer is free"
        ),
        pytest.param(replace(SMALL, draining=True), 0, Reason.DRAIN, id="stopping: nobody else will come"),
        pytest.param(replace(LOADED, bytes=14 << 20), 0, Reason.FULL, id="a batch is full"),
        pytest.param(LOADED, 69, Wait(FIRST_NS + 70 * MS), id="load: more may be on its way"),
        pytest.param(LOADED, 70, Reason.LOAD, id="load: arrivals pause"),
        pytest.param(replace(LOADED, saved_ns=-1), 70, Reason.LOAD, id="load needs no savings"),
        pytest.param(STREAM, 99, Wait(FIRST_NS + 100 * MS), id="load: arrivals do not pause"),
        pytest.param(STREAM, 100, Reason.LOAD, id="load: waited long enough"),
        pytest.param(FREED, 429, Wait(FIRST_NS + 430 * MS), id="load: those just answered come back"),
        pytest.param(FREED, 430, Reason.LOAD, id="load: those just answered are here, or stay away"),
        pytest.param(SMALL, 349, Wait(FIRST_NS + 350 * MS), id="quiet: others may come"),
        pytest.param(SMALL, 350, Reason.QUIET, id="quiet: somebody waits for the answer"),
        pytest.param(replace(SMALL, saved_ns=0), 350, Wait(FIRST_NS + 1000 * MS), id="savings spent: wait for company"),
        pytest.param(replace(SMALL, saved_ns=-5), 1000, Reason.THRIFT, id="savings spent: never longer than a second"),
    ],
)
def test_a_flush_starts_for_a_reason_or_waits_until_a_time(queue, waited_ms, expected):
    assert should_flush(queue, POLICY, FIRST_NS + waited_ms * MS) == expected


@given(
    st.builds(
        Queue,
        requests=st.integers(1, 5000),
        bytes=st.integers(0, 64 << 20),
        first_ns=st.just(FIRST_NS),
        last_ns=st.integers(FIRST_NS, FIRST_NS + 1000 * MS),
        freed_ns=st.just(0),
        free_writers=st.integers(1, 4),
        saved_ns=st.integers(-POLICY.savings_ns, POLICY.savings_ns),
        draining=st.booleans(),
    ),
    st.integers(0, 5_000_000_000),
)
def test_who_waits_is_flushed_within_the_longest_linger_and_a_wait_ends_in_the_future(queue, waited_ns):
    now_ns = FIRST_NS + waited_ns
    decision = should_flush(queue, POLICY, now_ns)
    if waited_ns >= POLICY.thrift_linger_ns:
        assert isinstance(decision, Reason)
    if isinstance(decision, Wait):
        assert decision.until_ns is not None
        assert decision.until_ns > now_ns
        assert should_flush(queue, POLICY, decision.until_ns) in Reason


@pytest.mark.parametrize(
    ("saved_ms", "elapsed_ms", "spent_ms", "expected_ms"),
    [
        pytest.param(0, 1000, 0, 80, id="a share of one core is saved"),
        pytest.param(2000, 60_000, 0, 2000, id="not for ever"),
        pytest.param(2000, 350, 120, 1880, id="a small flush on a quiet server is paid from savings"),
        pytest.param(-1900, 0, 500, -2000, id="heavy load is forgotten in half a minute"),
    ],
)
def test_engine_time_is_saved_and_spent(saved_ms, elapsed_ms, spent_ms, expected_ms):
    assert savings(saved_ms * MS, elapsed_ms * MS, spent_ms * MS, POLICY) == expected_ms * MS


def test_five_services_exporting_every_five_seconds_take_less_than_a_tenth_of_a_core():
    """Plays an hour: 5 services, traces and logs each, every 5 s, a flush of 120 ms a signal."""
    arrivals = sorted(
        (second * 1000 + offset) * MS
        for second in range(0, 3600, 5)
        for offset in (0, 40, 900, 1700, 2600, 2650, 3300, 4200)
    )
    assert _busy_share(arrivals, flush_ms=120) < 0.1


def _busy_share(arrivals: list[int], flush_ms: int) -> float:
    saved_ns, then_ns, busy_ns, waiting = POLICY.savings_ns, 0, 0, list(arrivals)
    now_ns = 0
    while waiting:
        due = [at for at in waiting if at <= now_ns]
        queue = Queue(len(due), 900 * len(due), *((due[0], due[-1]) if due else (0, 0)), then_ns, 1, saved_ns)
        match should_flush(queue, POLICY, now_ns):
            case Reason():
                now_ns += flush_ms * MS
                busy_ns += flush_ms * MS
                saved_ns = savings(saved_ns, now_ns - then_ns, flush_ms * MS, POLICY)
                then_ns = now_ns
                waiting = waiting[len(due) :]
            case Wait(None):
                now_ns = max(now_ns, waiting[0])
            case Wait(until_ns):
                now_ns = until_ns
    return busy_ns / now_ns
