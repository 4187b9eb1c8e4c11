"""Decides what becomes of each row of a batch, given the answers of the backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from clew_sdk.table import Row
from clew_sdk.transport import Answer, Meaning
from clew_sdk.wire import batch

Post = Callable[[bytes], Answer]


@dataclass(slots=True)
class Delivery:
    """What became of a batch: rows to delete, rows to set aside with a reason, and the answer that asks to wait.

    Rows in neither list stay in the outbox. ``waiting`` is None when the whole batch was settled.
    """

    sent: list[Row] = field(default_factory=list)
    rejected: list[tuple[Row, str]] = field(default_factory=list)
    waiting: Answer | None = None


def deliver(rows: Sequence[Row], post: Post) -> Delivery:
    """Send the rows, all in one request if the backend takes it.

    A refused request is halved until the rows it is about are found, so one bad row takes no neighbour along. It stops
    at the first answer that asks to wait.
    """
    delivery = Delivery()
    _deliver(rows, post, delivery)
    return delivery


def _deliver(rows: Sequence[Row], post: Post, delivery: Delivery) -> None:
    if not rows or delivery.waiting is not None:
        return
    answer = post(batch(row.request for row in rows))
    match answer.meaning:
        case Meaning.STORED:
            delivery.sent.extend(rows)
        case Meaning.LATER:
            delivery.waiting = answer
        case Meaning.PARTLY:
            # The answer counts the rejected rows but doesn't name them, and a partial success must not be sent again:
            # all of them are kept aside, so that none is lost unseen.
            reason = f"partial success, {answer.rejected} of {len(rows)} rejected: {answer.reason}"
            delivery.rejected.extend((row, reason) for row in rows)
        case Meaning.REFUSED if len(rows) == 1:
            delivery.rejected.append((rows[0], f"{answer.status}: {answer.reason}"))
        case Meaning.REFUSED:
            middle = len(rows) // 2
            _deliver(rows[:middle], post, delivery)
            _deliver(rows[middle:], post, delivery)


def pause_s(failures: int, answer: Answer, spread: float, cap_s: float = 30.0) -> float:
    """How long to wait after ``failures`` failed rounds: the server's word, else doubling from 0.5 s to the cap.

    ``spread`` in [0, 1) shortens the own choice by up to half, so that many services don't return at once.
    """
    if answer.retry_after_s is not None:
        return min(answer.retry_after_s, 10 * cap_s)
    return float(min(cap_s, 0.5 * 2 ** min(failures - 1, 16))) * (1 - spread / 2)
