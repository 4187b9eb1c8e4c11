"""One look at the incidents that wait serves all pages of a second."""

from __future__ import annotations

import threading
from types import SimpleNamespace

from clew.control.contract import Standing
from clew.model.errors import ControlError
from clew.web.glance import Glance


class Incidents:
    """A control database that counts who reads it, and holds readers up when told to."""

    def __init__(self):
        self.reads, self.broken = 0, False
        self.begun, self.go_on = threading.Semaphore(0), threading.Event()
        self.go_on.set()

    def standing(self):
        self.reads += 1
        self.begun.release()
        self.go_on.wait(30)
        if self.broken:
            raise ControlError("it is gone")
        return Standing(self.reads, (self.reads, 0, 0))


def glancing():
    incidents, clock = Incidents(), [0.0]
    desk = SimpleNamespace(incidents=incidents)
    return Glance(lambda: desk, lambda: clock[0]), incidents, clock


def test_all_who_ask_within_a_second_share_a_look():
    glance, incidents, clock = glancing()
    assert glance.seen is None
    assert [glance.look().open for _ in range(5)] == [1] * 5
    clock[0] = 1.0
    assert glance.due
    assert glance.look().open == 2
    assert not glance.due
    assert incidents.reads == 2


def test_nobody_waits_for_the_look_of_another_but_at_the_start():
    glance, incidents, clock = glancing()
    glance.look()
    clock[0] = 1.0
    incidents.go_on.clear()
    slow = threading.Thread(target=glance.look)
    slow.start()
    assert incidents.begun.acquire(timeout=30)
    assert incidents.begun.acquire(timeout=30)
    assert glance.look().open == 1
    incidents.go_on.set()
    slow.join(30)
    assert glance.look().open == 2


def test_what_can_not_be_read_is_not_told_and_asked_again_a_second_later():
    glance, incidents, clock = glancing()
    incidents.broken = True
    assert glance.look() is None
    assert not glance.due
    incidents.broken, clock[0] = False, 1.0
    assert glance.look().open == 2


def test_where_nobody_watches_nothing_stands():
    glance = Glance(lambda: None)
    assert (glance.due, glance.look(), glance.seen) == (False, None, None)
