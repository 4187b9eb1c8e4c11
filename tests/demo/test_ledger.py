"""The ledger remembers what was planted, and finds every way in which Clew can be wrong about it."""

import pytest
from clew_demo.ledger import Ledger, Planted, Said, differences, read_ledger

STUCK = Planted("worker-stops", "B2C-1", "stuck")
LOST = Planted("unbound-queue", "B2C-2", "lost", "unroutable")
FAILED = Planted("mes-rejects", "B2C-3", "failed")


def test_what_is_planted_can_be_read_back_at_any_moment(tmp_path):
    ledger = Ledger(tmp_path / "ledger.json")
    for entry in (STUCK, LOST, FAILED):
        ledger.plant(entry)
        assert read_ledger(tmp_path / "ledger.json") == ledger.planted
    assert ledger.order_ids == {"B2C-1", "B2C-2", "B2C-3"}


RIGHT = {
    "B2C-1": Said("stuck", why="in PACKAGING for 20 s"),
    "B2C-2": Said("lost", "unroutable"),
    "B2C-3": Said("failed"),
    "B2C-4": Said("on_time"),
}


def test_the_right_answer_has_no_differences():
    assert differences([STUCK, LOST, FAILED], RIGHT) == []


@pytest.mark.parametrize(
    ("said", "difference"),
    [
        pytest.param({"B2C-1": None}, "B2C-1 (worker-stops) should be stuck, but Clew doesn't know it", id="unknown"),
        pytest.param(
            {"B2C-1": Said("on_time", why="in PACKAGING")},
            "B2C-1 (worker-stops) should be stuck, but Clew says on_time: in PACKAGING",
            id="another verdict",
        ),
        pytest.param(
            {"B2C-2": Said("lost", "in_queue", "nobody took it")},
            "B2C-2 (unbound-queue) should be lost unroutable, but Clew says lost in_queue: nobody took it",
            id="another kind of loss",
        ),
        pytest.param(
            {"B2C-4": Said("stuck", why="in SUBMITTED")},
            "B2C-4 is called stuck, but nothing was done to it: in SUBMITTED",
            id="an order too many",
        ),
        pytest.param(
            {"B2C-3": Said("stuck", why="in SUBMITTED")},
            "B2C-3 (mes-rejects) should be failed, but Clew says stuck: in SUBMITTED",
            id="stuck instead of failed",
        ),
    ],
)
def test_every_difference_is_a_sentence(said, difference):
    known = {order_id: each for order_id, each in {**RIGHT, **said}.items() if each is not None}
    assert differences([STUCK, LOST, FAILED], known) == [difference]
