"""What becomes of rows, given the backend's answers: pure decisions."""

import pytest
from clew_sdk.delivery import deliver, pause_s
from clew_sdk.table import Row
from clew_sdk.transport import Answer, Meaning, read_answer
from hypothesis import given
from hypothesis import strategies as st

from sdk.tests.backend import partial

STORED = Answer(Meaning.STORED, 200)
BUSY = Answer(Meaning.LATER, 503)
NOW_S = 1_795_300_000.0


def rows(count: int) -> list[Row]:
    return [Row(number, f"<{number}>".encode()) for number in range(count)]


class Server:
    """Refuses requests that hold a bad row; stores the others."""

    def __init__(self, bad: set[int]) -> None:
        self.bad = [f"<{number}>".encode() for number in bad]
        self.stored: list[bytes] = []
        self.requests = 0

    def post(self, body: bytes) -> Answer:
        self.requests += 1
        if any(one in body for one in self.bad):
            return Answer(Meaning.REFUSED, 400, "bad")
        self.stored.append(body)
        return STORED


@given(st.integers(0, 40), st.sets(st.integers(0, 39), max_size=5))
def test_bad_rows_are_set_aside_and_all_others_stored_in_order(count: int, bad: set[int]) -> None:
    server = Server(bad)
    delivery = deliver(rows(count), server.post)

    assert [row.id for row, _ in delivery.rejected] == [number for number in range(count) if number in bad]
    assert [row.id for row in delivery.sent] == [number for number in range(count) if number not in bad]
    assert b"".join(server.stored) == b"".join(row.request for row in delivery.sent)
    assert delivery.waiting is None


def test_a_good_batch_is_one_request_and_a_bad_row_costs_a_few_more() -> None:
    good, bad = Server(set()), Server({123})
    deliver(rows(256), good.post)
    deliver(rows(256), bad.post)
    assert (good.requests, bad.requests) == (1, 17)


def test_nothing_more_is_sent_after_an_answer_that_asks_to_wait() -> None:
    answers = [Answer(Meaning.REFUSED, 413), STORED, BUSY]
    delivery = deliver(rows(8), lambda _: answers.pop(0))
    assert [row.id for row in delivery.sent] == [0, 1, 2, 3]
    assert delivery.rejected == []
    assert delivery.waiting == BUSY
    assert answers == []


def test_a_partial_success_is_never_sent_again() -> None:
    answer = read_answer(200, {}, partial(1, "no order id").body, NOW_S)
    delivery = deliver(rows(3), lambda _: answer)
    assert delivery.sent == []
    assert [(row.id, why) for row, why in delivery.rejected] == [
        (number, "partial success, 1 of 3 rejected: no order id") for number in range(3)
    ]


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (200, Meaning.STORED),
        (400, Meaning.REFUSED),
        (413, Meaning.REFUSED),
        (201, Meaning.LATER),
        (301, Meaning.LATER),
        (401, Meaning.LATER),
        (403, Meaning.LATER),
        (404, Meaning.LATER),
        (415, Meaning.LATER),
        (429, Meaning.LATER),
        (500, Meaning.LATER),
        (503, Meaning.LATER),
    ],
)
def test_only_what_can_never_be_taken_is_given_up(status: int, meaning: Meaning) -> None:
    assert read_answer(status, {}, b"", NOW_S).meaning is meaning


def test_a_page_of_somebody_in_between_is_no_success() -> None:
    assert read_answer(200, {}, b"<html>Welcome</html>", NOW_S).meaning is Meaning.LATER


def test_a_warning_with_nothing_rejected_is_a_success() -> None:
    answer = read_answer(200, {}, partial(0, "deprecated").body, NOW_S)
    assert (answer.meaning, answer.reason) == (Meaning.STORED, "deprecated")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("3", 3.0),
        ("0", 0.0),
        ("-1", 0.0),
        ("Sat, 21 Nov 2026 22:27:00 GMT", 20.0),
        ("Sat, 21 Nov 2026 22:00:00 GMT", 0.0),
        ("soon", None),
        (None, None),
    ],
)
def test_the_server_says_when_to_come_back(header: str | None, seconds: float | None) -> None:
    headers = {"Retry-After": header} if header else {}
    assert read_answer(503, headers, b"", NOW_S).retry_after_s == seconds


@pytest.mark.parametrize(
    ("failures", "answer", "expected"),
    [
        (1, BUSY, 0.5),
        (2, BUSY, 1.0),
        (6, BUSY, 16.0),
        (7, BUSY, 30.0),
        (100_000, BUSY, 30.0),
        (100_000, Answer(Meaning.LATER, 429, retry_after_s=2.0), 2.0),
        (1, Answer(Meaning.LATER, 429, retry_after_s=86_400.0), 300.0),
    ],
)
def test_pauses_grow_to_a_cap_unless_the_server_says_otherwise(failures: int, answer: Answer, expected: float) -> None:
    assert pause_s(failures, answer, spread=0.0) == expected


@given(st.integers(1, 50), st.floats(0, 1, exclude_max=True))
def test_the_spread_shortens_a_pause_by_up_to_half(failures: int, spread: float) -> None:
    longest = pause_s(failures, BUSY, 0.0)
    assert longest / 2 <= pause_s(failures, BUSY, spread) <= longest
