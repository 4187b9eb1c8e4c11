"""Delivers what waits in the outbox: every channel by a thread of its own, so that none holds up another.

step: read what is due --> hand it to the lane of its channel
lane: storm guard --> send --> sent | later (passing failure, the lane rests) | given up (told over another channel)

A process that is killed anywhere leaves the notice waiting: it is sent again, with the key by which vendors know it.
"""

from __future__ import annotations

import logging
import random
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from clew.control.contract import Outbox, Outgoing
from clew.model.errors import ChannelBusy, ChannelRefused
from clew.model.incident import Notice, Policy
from clew.notify.channels.contract import Channel, Reminding
from clew.notify.storm import WINDOW_NS, share, summary

log = logging.getLogger(__name__)

SECOND_NS = 10**9
LONGEST_WAIT_S = 600.0
LONGEST_REST_S = 60.0
_AT_ONCE = 1_000
_REST_S = 1.0
_REST_IN_STORM_S = 5.0


def back_off_s(attempts: int, longest_s: float, chance: float) -> float:
    """Seconds to wait after so many failures in a row: 1, 2, 4 and so on, less up to a half by chance (0 to 1)."""
    return float(min(2 ** min(attempts, 30), longest_s) * (1 - chance / 2))


@dataclass(slots=True)
class _Lane:
    """What is known of a channel. Its thread writes while it works, the loop reads while it doesn't."""

    channel: Channel
    pool: ThreadPoolExecutor
    work: Future[None] | None = None
    failures: int = 0
    rests_until_ns: int = 0
    reminded_ns: int | None = None
    refuses: bool = False
    trouble: str | None = None
    told_ns: deque[int] = field(default_factory=deque)
    aside_ns: deque[int] = field(default_factory=deque)

    @property
    def name(self) -> str:
        return self.channel.name

    def is_busy(self, now_ns: int) -> bool:
        return (self.work is not None and not self.work.done()) or self.rests_until_ns > now_ns

    def recent(self, now_ns: int) -> int:
        """How many notices that call somebody were told within the last minute; older ones are forgotten."""
        for times in (self.told_ns, self.aside_ns):
            while times and times[0] <= now_ns - WINDOW_NS:
                times.popleft()
        return len(self.told_ns)

    def fails(self, why: str) -> None:
        """It can't be told now; said once, however often it is tried."""
        if self.trouble is None:
            log.warning("channel %s can't be told: %s; it is tried again, and what it is to tell waits", self.name, why)
        self.trouble = why

    def went_well(self) -> None:
        if self.trouble is not None:
            log.warning("channel %s is told again", self.name)
        self.failures, self.rests_until_ns, self.refuses, self.trouble = 0, 0, False, None


class Courier:
    """Tells channels what the outbox holds. `step` is called by one thread again and again."""

    def __init__(
        self,
        outbox: Outbox,
        channels: Mapping[str, Channel],
        policies: Mapping[str, Policy],
        per_minute: int,
        clock: Callable[[], int],
        chance: Callable[[], float] = random.random,
    ) -> None:
        """``per_minute`` bounds what reaches people of one channel one by one (0: no bound). ``clock`` answers Unix
        ns, ``chance`` a number from 0 to 1. Nothing runs until `step` finds work."""
        self._outbox, self._policies, self._per_minute = outbox, policies, per_minute
        self._clock, self._chance = clock, chance
        self._stopping, self._began = threading.Event(), False
        self._lanes = {
            name: _Lane(channel, ThreadPoolExecutor(1, f"clew-channel-{name}")) for name, channel in channels.items()
        }

    def follow(self, before: Courier) -> None:
        """Go on for a closed one: what it told within the last minute counts in a storm, and a channel that fails is
        in trouble until it is told. One that refused may be mended: it is heard of with its next notice."""
        for name, lane in self._lanes.items():
            if old := before._lanes.get(name):
                lane.told_ns, lane.aside_ns = old.told_ns, old.aside_ns
                if not old.refuses:
                    lane.failures, lane.trouble = old.failures, old.trouble

    def step(self, now_ns: int) -> float:
        """Hand what is due to the channels' threads; seconds to rest. Raises ControlError."""
        self._look_after(now_ns)
        if not self._began:  # so a channel that fails is known at once, and one that was mended waits for nothing
            self._outbox.hasten(now_ns)
            self._began = True
        busy = {name for name, lane in self._lanes.items() if lane.is_busy(now_ns)}
        batches: defaultdict[str, list[Outgoing]] = defaultdict(list)
        for outgoing in self._outbox.due(now_ns, _AT_ONCE, busy):
            batches[outgoing.channel].append(outgoing)
        for name, batch in batches.items():
            if lane := self._lanes.get(name):
                lane.work = lane.pool.submit(self._deliver, lane, batch)
            else:
                self._give_up_unknown(batch, now_ns)
        for lane in self._lanes.values():
            if not lane.is_busy(now_ns) and isinstance(sender := lane.channel.sender, Reminding):
                self._remind_in_time(lane, sender, now_ns)
        return _REST_S

    def troubles(self) -> dict[str, str]:
        """Channels that couldn't be told lately, and why."""
        return {name: lane.trouble for name, lane in sorted(self._lanes.items()) if lane.trouble is not None}

    def wait(self, timeout_s: float) -> None:
        """Wait until the threads have done what they were handed."""
        for lane in self._lanes.values():
            if lane.work is not None:
                lane.work.exception(timeout_s)

    def close(self) -> None:
        """Finish the requests that are under way; what wasn't sent waits in the outbox."""
        self._stopping.set()
        for lane in self._lanes.values():
            lane.pool.shutdown()

    def _look_after(self, now_ns: int) -> None:
        """A lane whose thread failed, by a mistake of ours or without its database, rests a little."""
        for name, lane in self._lanes.items():
            if lane.work is None or not lane.work.done():
                continue
            error, lane.work = lane.work.exception(), None
            if error is not None:
                log.error("what is told over channel %s can't be noted; trying again", name, exc_info=error)
                self._rest(lane, now_ns, f"it can't be noted what was told: {error}")

    def _deliver(self, lane: _Lane, batch: Sequence[Outgoing]) -> None:
        now_ns = self._clock()
        plan = share(batch, lane.channel.limited, lane.recent(now_ns), self._per_minute)
        for outgoing in plan.single:
            if self._stopping.is_set() or not self._tell(lane, outgoing):
                return
        if plan.together and not self._stopping.is_set():
            self._sum_up(lane, plan.together)
        if plan.held:  # nothing else can be told now, and looking costs
            lane.rests_until_ns = now_ns + int(_REST_IN_STORM_S * SECOND_NS)

    def _tell(self, lane: _Lane, outgoing: Outgoing) -> bool:
        """Whether the channel can be told more now."""
        channel, notice = lane.channel, self._hushed(lane, outgoing.notice)
        try:
            refs = channel.sender.send(notice, self._clock())
        except ChannelBusy as error:
            wait_s = self._rest(lane, self._clock(), str(error), error.retry_after_s)
            wait_s += self._wait_s(
                outgoing.attempts
            )  # longer than the lane: it may be this notice, so others are first
            self._outbox.later(outgoing.id, self._clock() + int(wait_s * SECOND_NS), str(error))
            return False
        except ChannelRefused as error:
            self._give_up(lane, outgoing, str(error))
        except Exception as error:  # a mistake of ours: this notice waits, others needn't
            log.exception("a notice for channel %s can't be made", channel.name)
            due_ns = self._clock() + int(self._wait_s(outgoing.attempts) * SECOND_NS)
            self._outbox.later(outgoing.id, due_ns, f"Clew failed to make it: {type(error).__name__}")
        else:
            self._outbox.sent(outgoing.id, self._clock(), refs)
            self._count(lane, notice)
            lane.went_well()
        return True

    def _sum_up(self, lane: _Lane, together: Sequence[Outgoing]) -> None:
        now_ns, ids = self._clock(), [each.id for each in together]
        try:
            lane.channel.sender.send(summary(together, self._per_minute, now_ns), now_ns)
        except ChannelBusy as error:
            self._rest(lane, now_ns, str(error), error.retry_after_s)
        except ChannelRefused as error:
            for outgoing in together:
                self._give_up(lane, outgoing, str(error))
        else:
            self._outbox.sum_up(ids, self._clock())
            lane.told_ns.append(now_ns)
            lane.went_well()

    def _hushed(self, lane: _Lane, notice: Notice) -> Notice:
        """What calls nobody is told in place only when as much of it as a minute allows was told already."""
        too_many = self._per_minute and len(lane.aside_ns) >= self._per_minute
        return replace(notice, quiet=True) if too_many and notice.kind not in lane.channel.limited else notice

    def _count(self, lane: _Lane, notice: Notice) -> None:
        if notice.kind in lane.channel.limited:
            lane.told_ns.append(self._clock())
        elif not notice.quiet:
            lane.aside_ns.append(self._clock())

    def _give_up(self, lane: _Lane, outgoing: Outgoing, error: str) -> None:
        lane.refuses, lane.trouble = True, error
        other = self._outbox.give_up(outgoing.id, self._clock(), error, self._others(outgoing))
        log.error(
            "channel %s refuses to tell of incident %d: %s; %s",
            lane.name,
            outgoing.notice.incident.id,
            error,
            f"channel {other} is told instead" if other else "nobody else is told",
        )

    def _give_up_unknown(self, batch: Sequence[Outgoing], now_ns: int) -> None:
        for outgoing in batch:
            why = "notify.yaml has no such channel any more; add it again, or leave it"
            self._outbox.give_up(outgoing.id, now_ns, why, self._others(outgoing), removed=True)

    def _others(self, outgoing: Outgoing) -> list[str]:
        """Other channels of the incident's policy in the order of its steps, those that refuse nothing now first."""
        policy = self._policies.get(outgoing.notice.incident.policy)
        named = [channel for step in policy.steps for channel in step.channels] if policy else []
        known = [each for each in dict.fromkeys(named) if each in self._lanes and each != outgoing.channel]
        return sorted(known, key=lambda name: self._lanes[name].refuses)

    def _remind_in_time(self, lane: _Lane, sender: Reminding, now_ns: int) -> None:
        if lane.reminded_ns is None or now_ns - lane.reminded_ns >= sender.remind_every_ns:
            lane.reminded_ns = now_ns
            lane.work = lane.pool.submit(self._remind, lane, sender)

    def _remind(self, lane: _Lane, sender: Reminding) -> None:
        standing = self._outbox.standing(lane.name)
        try:
            if standing:
                sender.remind(standing, self._clock())
                lane.went_well()
        except ChannelBusy as error:
            self._rest(lane, self._clock(), str(error), error.retry_after_s)
        except ChannelRefused as error:
            lane.fails(str(error))

    def _rest(self, lane: _Lane, now_ns: int, trouble: str, asked_s: float | None = None) -> float:
        """Leave the channel alone for a while: for as long as the vendor asked, else longer with each failure."""
        lane.fails(trouble)
        rest_s = back_off_s(lane.failures, LONGEST_REST_S, self._chance()) if asked_s is None else asked_s
        lane.failures += 1
        lane.rests_until_ns = now_ns + int(rest_s * SECOND_NS)
        return rest_s

    def _wait_s(self, attempts: int) -> float:
        return back_off_s(attempts, LONGEST_WAIT_S, self._chance())
