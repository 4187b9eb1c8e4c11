"""Reading and sending go on side by side; neither waits for the other for ever, and nothing is lost between them."""

import json
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clew.history import transfer
from clew.history.rows import BadLine, BaseSource, Batch, HistoryError
from clew.history.survey import MOST_STAGES, check
from clew.history.transfer import ahead, bodies, send
from clew.history.understand import Wishes, understand

TIMES = ("2024-01-02T10:00:00Z", "2024-01-02T10:00:00.5+01:00", "soon", "")


class Rows(BaseSource):
    """Rows of order, stage, time and amount in batches; it may fail behind them."""

    def __init__(self, rows, size=3, failing=False):
        super().__init__("rows")
        self._rows, self._size, self._failing = rows, size, failing

    def batches(self):
        for first in range(0, len(self._rows), self._size):
            part = self._rows[first : first + self._size]
            columns = dict(zip(("order", "stage", "time", "amount"), map(list, zip(*part, strict=True)), strict=True))
            yield Batch(range(first + 1, first + 1 + len(part)), columns)
        if self._failing:
            raise HistoryError("the file ends in the middle", "copy it once more")


def many(count):
    return [(str(number), "A", TIMES[0], "x" * 50) for number in range(count)]


def understood(source):
    return understand(source, Wishes()).recogniser


def sent_events(source, recogniser):
    posted = []
    send(source, recogniser, posted.append, lambda _: None)
    return [json.loads(line) for body in posted for line in body.splitlines()]


ROWS = st.lists(
    st.tuples(
        st.sampled_from(["1", "2", "", " 3 "]),
        st.sampled_from(["A", "B", ""]),
        st.sampled_from(TIMES),
        st.text(max_size=3),
    )
)


@settings(deadline=None)
@given(ROWS, st.randoms(), st.integers(1, 7))
def test_every_row_in_any_order_is_an_event_or_a_bad_line_and_is_sent_as_it_was_checked(rows, random, size):
    recogniser = understood(Rows([("1", "A", TIMES[0], "")]))
    shuffled = random.sample(rows, len(rows))
    told, rejected = [], []
    for order in (rows, shuffled):
        survey = check(Rows(order, size).batches(), recogniser, lambda: None, rejected.append)
        events = sent_events(Rows(order, size), recogniser)
        assert survey.events + survey.bad == len(rows)
        assert survey.events == len(events)
        told.append((sorted(events, key=repr), survey.stages, survey.first_ns, survey.last_ns, survey.bad))
    assert told[0] == told[1]
    assert len(rejected) == 2 * told[0][-1]


def test_bodies_hold_no_more_than_they_may(monkeypatch):
    monkeypatch.setattr(transfer, "EVENTS_A_BODY", 10)
    source = Rows(many(25), size=4)
    made = list(bodies(source, understood(source)))
    assert [body.events for body in made] == [8, 8, 9]
    assert all(body.lines.count(b"\n") == body.events for body in made)
    small = list(bodies(source, understood(source), 300))
    assert sum(body.events for body in small) == 25
    assert max(body.events for body in small) <= 8


def test_when_sending_fails_the_reader_stops_too(monkeypatch):
    monkeypatch.setattr(transfer, "EVENTS_A_BODY", 3)
    source = Rows(many(1_000))

    def fail(_):
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        send(source, understood(source), fail, lambda _: None)
    assert "clew-history" not in {thread.name for thread in threading.enumerate()}


def test_when_reading_fails_what_was_read_is_sent_and_the_error_told(monkeypatch):
    monkeypatch.setattr(transfer, "EVENTS_A_BODY", 3)
    source = Rows(many(12), failing=True)
    recogniser = understood(Rows(many(1)))
    posted = []
    with pytest.raises(HistoryError, match="ends in the middle"):
        send(source, recogniser, posted.append, lambda _: None)
    assert sum(body.count(b"\n") for body in posted) == 9


def test_no_more_bodies_are_made_than_may_wait():
    made = []

    def endless():
        while True:
            made.append(1)
            yield transfer.Body(1, b"x")

    bodies_ahead = ahead(endless())
    next(bodies_ahead)
    bodies_ahead.close()
    assert len(made) <= 5


def test_a_column_of_too_many_stages_is_not_the_stage():
    source = Rows([("1", f"stage {number}", TIMES[0], "") for number in range(MOST_STAGES + 1)])
    with pytest.raises(HistoryError, match="more than 1000 stages") as raised:
        check(source.batches(), understood(source), lambda: None, lambda _: None)
    assert "--stage" in raised.value.mend


def test_only_the_first_bad_lines_are_kept_and_all_are_counted():
    source = Rows([*many(1), *[("", "A", TIMES[0], "")] * 1_500])
    rejected = []
    survey = check(source.batches(), understood(source), lambda: None, rejected.append)
    assert (survey.bad, len(survey.bad_lines), len(rejected)) == (1_500, 1_000, 1_500)
    assert survey.bad_lines[0] == BadLine(2, "no order: column order is empty")


def test_bad_lines_are_told_in_the_order_of_the_file_whoever_found_them():
    class Broken(Rows):
        def batches(self):
            for batch in super().batches():
                yield Batch([2, 4, 5], batch.columns, [BadLine(3, "it has 2 fields")])

    source = Broken([("", "A", TIMES[0], ""), ("1", "A", TIMES[0], ""), ("", "A", TIMES[0], "")])
    rejected = []
    survey = check(source.batches(), understood(source), lambda: None, rejected.append)
    assert [bad.line for bad in survey.bad_lines] == [bad.line for bad in rejected] == [2, 3, 5]


def test_a_due_date_is_read_when_it_is_one_and_else_kept_as_it_is():
    class Due(Rows):
        def batches(self):
            for batch in super().batches():
                yield Batch(batch.lines, {**batch.columns, "due_date": batch.columns["amount"]})

    good = Due([("1", "A", TIMES[0], "2024-02-01T00:00:00Z"), ("1", "B", TIMES[0], "")])
    assert [event[7] for event in sent_events(good, understood(good))] == [1_706_745_600_000_000_000, 0]
    odd = Due([("1", "A", TIMES[0], "next week")])
    assert sent_events(odd, understood(odd))[0][7:] == [0, {"amount": "next week", "due_date": "next week"}]
    with pytest.raises(HistoryError, match="column due_date is not understood"):
        understand(odd, Wishes({"due": "due_date"}))
