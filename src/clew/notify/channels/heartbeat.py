"""The heartbeat: tells an external dead-man's switch that Clew works, so that somebody hears when it doesn't."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clew.model.errors import ChannelError
from clew.model.secret import Secret
from clew.notify.channels.http import Call, Http, check

_SECOND_NS = 10**9
_AGAIN_S = 10.0


@dataclass(frozen=True, slots=True)
class Switch:
    """Where to report, and how often. ``url`` is a secret: who knows it can keep the switch quiet."""

    url: Secret
    every_ns: int
    method: str
    http: Http


class Heartbeat:
    """Reports while Clew is ready. ``problem`` says why the switch isn't told."""

    def __init__(self, switch: Switch, trouble: Callable[[], str | None]) -> None:
        """``trouble`` is asked before every report: why Clew isn't ready (None: it is)."""
        self._switch, self._trouble = switch, trouble
        self.problem: str | None = None
        self.reported_ns: int | None = None

    def step(self, now_ns: int) -> float:
        """Report when it is time; seconds to rest. One that failed is made again soon, as the switch waits."""
        every_s = self._switch.every_ns / _SECOND_NS
        if (trouble := self._trouble()) is not None:
            self.problem = trouble
            return min(every_s, _AGAIN_S)
        call = Call(self._switch.method, self._switch.url)
        try:
            check(self._switch.http.call(call), call, "check the address of the heartbeat")
        except ChannelError as error:
            self.problem = str(error)
            return min(every_s, _AGAIN_S)
        self.problem, self.reported_ns = None, now_ns
        return every_s
