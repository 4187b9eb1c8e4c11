"""What the API needs from the rest of Clew."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from clew.api.turns import Turns
from clew.flow import default_flow
from clew.journey.backfill import Backfill
from clew.journey.in_force import FlowBook, FlowInForce
from clew.journey.ticker import Ticker
from clew.model.flow import Flow
from clew.notify.channels.contract import Parse
from clew.react.world import World
from clew.store.contract import Store
from clew.watch.desk import Desk
from clew.watch.health import WatchHealth


class CommitCounts(Protocol):
    """What the receiver committed since the start."""

    @property
    def flushes(self) -> int: ...  # noqa: D102
    @property
    def requests(self) -> int: ...  # noqa: D102
    @property
    def bytes(self) -> int: ...  # noqa: D102
    @property
    def refused(self) -> int: ...  # noqa: D102
    @property
    def busy_ns(self) -> int: ...  # noqa: D102


class Committer(Protocol):
    """The part of the receiver that commits."""

    @property
    def counts(self) -> CommitCounts: ...  # noqa: D102


class Admission(Protocol):
    """The part of the receiver that bounds its memory; sizes are bytes."""

    @property
    def in_use(self) -> int: ...  # noqa: D102
    @property
    def peak(self) -> int: ...  # noqa: D102
    @property
    def refused(self) -> int: ...  # noqa: D102


class Intake(Protocol):
    """The receiver, as far as the API tells of it."""

    @property
    def committer(self) -> Committer: ...  # noqa: D102
    @property
    def admission(self) -> Admission: ...  # noqa: D102


@dataclass(frozen=True, slots=True)
class Watched:
    """What people see and act on, by what is declared now.

    ``desk`` is where incidents are handled (None: nobody watches here), ``reactions`` what automated actions act in
    (None: none are declared). ``ways_back`` read what somebody did at a channel's vendor, by the channel's name;
    ``channel_troubles`` are channels that couldn't be told lately, and why; ``health`` is how rules and heartbeat do.
    """

    desk: Desk | None = None
    reactions: World | None = None
    ways_back: Mapping[str, Parse] = field(default_factory=dict)
    channel_troubles: Callable[[], Mapping[str, str]] = dict
    health: Callable[[], WatchHealth] = WatchHealth


@dataclass(frozen=True, slots=True)
class ApiDeps:
    """Store and flows to answer from, and the running parts to tell of (None: not running here).

    ``problem`` says why Clew isn't ready, or None; ``upkeep_problem`` why what may take long isn't done: Clew is ready
    all the same. ``users_masked`` is whether user ids are stored by their last characters only. ``turns`` are
    those of all large requests, to the API and for pages. ``public_url`` is where others reach Clew (empty: not told).
    ``watched`` is what watches now. ``reload`` reads what is declared in files again and says what changed (None: there
    is nothing to read again); it raises FlowError.
    """

    store: Store
    book: FlowBook
    backfill: Backfill
    intake: Intake | None = None
    ticker: Ticker | None = None
    problem: Callable[[], str | None] = lambda: None
    upkeep_problem: Callable[[], str | None] = lambda: None
    users_masked: bool = True
    public_url: str = ""
    now_ns: Callable[[], int] = time.time_ns
    started_ns: int = field(default_factory=time.time_ns)
    turns: Turns = field(default_factory=Turns)
    watched: Callable[[], Watched] = Watched
    reload: Callable[[], list[str]] | None = None

    @property
    def desk(self) -> Desk | None:
        """Where incidents are handled now."""
        return self.watched().desk

    @property
    def reactions(self) -> World | None:
        """What automated actions act in now."""
        return self.watched().reactions

    def flow_of(self, name: str) -> Flow:
        """The flow of that name in force, without a name the first; one without stages when nobody declares it."""
        return _named(self.book.current, name)


def _named(current: Sequence[FlowInForce], name: str) -> Flow:
    flows = [each.flow for each in current] or [default_flow()]
    return next((flow for flow in flows if name in ("", flow.name)), Flow(name, 0, ()))
