import threading

import pytest

from clew.journey.overlap import overlapped


def test_what_is_made_comes_in_the_order_of_the_items():
    assert list(overlapped(lambda item: item * item, range(5))) == [0, 1, 4, 9, 16]
    assert list(overlapped(str, [])) == []


def test_the_next_is_made_while_the_caller_has_the_last():
    second = threading.Event()

    def make(item):
        if item == 1:
            second.set()
        return item

    made = overlapped(make, [0, 1])
    assert next(made) == 0
    assert second.wait(10)
    assert list(made) == [1]


def test_items_are_taken_no_more_than_two_ahead():
    taken = []

    def items():
        for item in range(9):
            taken.append(item)
            yield item

    made = overlapped(str, items())
    next(made)
    assert taken == [0, 1]
    made.close()


def test_what_making_raises_is_raised_in_its_place():
    def make(item):
        return 1 // (2 - item)

    made = overlapped(make, range(5))
    assert [next(made), next(made)] == [0, 1]
    with pytest.raises(ZeroDivisionError):
        next(made)
    assert list(made) == []
