"""Admission: how many bytes of telemetry may be in memory at once."""

from __future__ import annotations

from types import TracebackType

from clew.model.errors import Overloaded


class Admission:
    """A budget of bytes that every request draws from while it is read, decoded and committed.

    Nothing waits for the budget: who does not fit is refused, so memory is bounded and senders,
    who keep their own queues, try again. Lives on the event loop and is not thread-safe.
    """

    def __init__(self, limit_bytes: int, retry_after_s: int = 1) -> None:
        self.limit_bytes = limit_bytes
        self.in_use = 0
        self.peak = 0
        self.refused = 0
        self._retry_after_s = retry_after_s

    def lease(self) -> Lease:
        """A lease of no bytes yet; use it as a context manager so that its bytes come back."""
        return Lease(self)

    def check(self, size: int) -> None:
        """Refuse a request of that declared size early. Raises Overloaded when it does not fit now."""
        if self.in_use + size > self.limit_bytes:
            self.refused += 1
            raise Overloaded(
                f"{self.in_use} of {self.limit_bytes} bytes of memory for telemetry are in use", self._retry_after_s
            )

    def take(self, size: int) -> None:
        """Draw bytes from the budget. Raises Overloaded when it does not hold them."""
        self.check(size)
        self.in_use += size
        self.peak = max(self.peak, self.in_use)

    def give_back(self, size: int) -> None:
        """Return bytes that were taken."""
        self.in_use -= size


class Lease:
    """The bytes one request holds; they go back to the budget when the lease ends."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._held = 0

    def expect(self, size: int) -> None:
        """Refuse early what is announced to be too much. Raises Overloaded; takes nothing."""
        self._admission.check(size)

    def add(self, size: int) -> None:
        """Hold more bytes. Raises Overloaded when the budget does not have them."""
        self._admission.take(size)
        self._held += size

    def shrink(self, size: int) -> None:
        """Give back bytes that were freed before the request ended, such as a decoded body."""
        self._admission.give_back(size)
        self._held -= size

    def __enter__(self) -> Lease:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shrink(self._held)
