from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.receive.policy import MS, FlushPolicy, Queue, Reason, Wait, save, should_flush, spend

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
        pytest.param(replace(LOADED, bytes=22 << 20), 0, Reason.FULL, id="a batch is full"),
        pytest.param(LOADED, 69, Wait(FIRST_NS + 70 * MS), id="load: more may be on its way"),
        pytest.param(LOADED, 70, Reason.LOAD, id="load: arrivals pause"),
        pytest.param(replace(LOADED, saved_ns=0), 70, Reason.LOAD, id="load needs no savings"),
        pytest.param(STREAM, 99, Wait(FIRST_NS + 100 * MS), id="load: arrivals do not pause"),
        pytest.param(STREAM, 100, Reason.LOAD, id="load: waited long enough"),
        pytest.param(FREED, 429, Wait(FIRST_NS + 430 * MS), id="load: those just answered come back"),
        pytest.param(FREED, 430, Reason.LOAD, id="load: those just answered are here, or stay away"),
        pytest.param(SMALL, 249, Wait(FIRST_NS + 250 * MS), id="quiet: others may come"),
        pytest.param(SMALL, 250, Reason.QUIET, id="quiet: somebody waits for the answer"),
        pytest.param(replace(SMALL, saved_ns=0), 350, Wait(FIRST_NS + 3000 * MS), id="savings spent: wait for company"),
        pytest.param(
            replace(SMALL, saved_ns=90 * MS), 3000, Reason.THRIFT, id="savings spent: never longer than three seconds"
        ),
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
        saved_ns=st.integers(0, POLICY.savings_ns),
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
    ("saved_ms", "elapsed_ms", "kilobytes", "expected_ms"),
    [
        pytest.param(0, 1000, 0, 40, id="a share of one core is saved"),
        pytest.param(0, 0, 100, 100, id="a hundred kilobytes are worth an insert"),
        pytest.param(1500, 60_000, 900, 1500, id="not for ever"),
    ],
)
def test_engine_time_is_saved(saved_ms, elapsed_ms, kilobytes, expected_ms):
    assert save(saved_ms * MS, elapsed_ms * MS, kilobytes * 1000, POLICY) == expected_ms * MS


@pytest.mark.parametrize(("saved_ms", "expected_ms"), [(1500, 1400), (100, 0), (40, -60), (-1450, -1500)])
def test_every_batch_takes_its_price_and_debts_are_bounded(saved_ms, expected_ms):
    assert spend(saved_ms * MS, POLICY) == expected_ms * MS


@pytest.mark.parametrize(
    ("services", "every_s", "bytes_each", "most_share", "longest_ms"),
    [
        pytest.param(5, 5, 8_000, 0.10, 3200, id="five services exporting every five seconds cost little"),
        pytest.param(1, 10, 900, 0.05, 700, id="a lone service is answered quickly and costs next to nothing"),
        pytest.param(25, 1, 10_000, 0.60, 700, id="a steady stream of stage events is answered quickly"),
    ],
)
def test_ten_minutes_cost_what_they_should(services, every_s, bytes_each, most_share, longest_ms):
    offsets_ms = [int(every_s * 1000 * (number * 0.618 % 1)) for number in range(services)]
    arrivals_ms = sorted(second * 1000 + offset for second in range(0, 600, every_s) for offset in offsets_ms)
    share, waits_ms = play(arrivals_ms, bytes_each)
    assert share <= most_share
    assert sorted(waits_ms)[len(waits_ms) * 95 // 100] <= longest_ms


def play(arrivals_ms: list[int], bytes_each: int) -> tuple[float, list[int]]:
    """Traces and logs come at each of these times, one writer takes 120 ms for spans and 90 ms for logs.

    Gives the share of a core that it is busy, and how long each request waits for its answer.
    """
    lanes = {120: POLICY, 90: replace(POLICY, thrift_linger_ns=POLICY.thrift_linger_ns // 2)}
    waiting: dict[int, list[int]] = {insert_ms: [] for insert_ms in lanes}
    saved_ns, freed_ms, busy_ms, waits_ms, step_ms = POLICY.savings_ns, 0, 0, [], 10
    todo = list(reversed(arrivals_ms))
    for now_ms in range(0, arrivals_ms[-1] + 5000, step_ms):
        came = 0
        while todo and todo[-1] <= now_ms:
            at, came = todo.pop(), came + 2
            for queue in waiting.values():
                queue.append(at)
        saved_ns = save(saved_ns, step_ms * MS, came * bytes_each, POLICY)
        for insert_ms, queue in sorted(waiting.items(), key=lambda lane: lane[1][:1]):
            size = len(queue) * bytes_each
            first_ns, last_ns = (queue[0] * MS, queue[-1] * MS) if queue else (0, 0)
            state = Queue(len(queue), size, first_ns, last_ns, freed_ms * MS, int(now_ms >= freed_ms), saved_ns)
            if isinstance(should_flush(state, lanes[insert_ms], now_ms * MS), Reason):
                saved_ns, busy_ms, freed_ms = spend(saved_ns, POLICY), busy_ms + insert_ms, now_ms + insert_ms
                waits_ms += [freed_ms - at for at in queue]
                queue.clear()
    return busy_ms / now_ms, waits_ms
