"""What a channel is to the rest of Clew, whatever its kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable

from clew.model.errors import ChannelError
from clew.model.incident import Notice, NoticeKind
from clew.notify.channels.entry import Entry
from clew.notify.channels.http import Http


class Sender(Protocol):
    """Tells one channel. It is called by one thread at a time."""

    def send(self, notice: Notice, now_ns: int) -> Mapping[str, str]:
        """Tell it; what the vendor answered that later notices of the incident need.

        The same notice may be sent again after a crash. Raises ChannelBusy when it may work later, else ChannelRefused.
        """
        ...


@runtime_checkable
class Reminding(Protocol):
    """A sender whose vendor forgets what it isn't told again and again."""

    remind_every_ns: int

    def remind(self, notices: Sequence[Notice], now_ns: int) -> None:
        """Say that what these notices told still holds. Raises as `Sender.send` does."""
        ...


class Wish(StrEnum):
    """What somebody wants done to an incident, asked for at a vendor's."""

    ACKNOWLEDGE = "acknowledge"
    UNACKNOWLEDGE = "unacknowledge"
    RESOLVE = "resolve"
    SILENCE = "silence"


@dataclass(frozen=True, slots=True)
class Action:
    """A wish that came back through a channel, from a request whose signature was right.

    ``key`` is the vendor key of the incident that was told: compare it with `clew.notify.channels.keys.vendor_key` of
    the incident, as numbers begin anew in another database. ``by`` is the person as the vendor names them.
    ``silence_ns`` is how long a silence is to last (None: no silence is asked for).
    """

    incident_id: int
    key: str
    wish: Wish
    by: str
    silence_ns: int | None = None


class NotGenuine(ChannelError):
    """A request that claims to come from a vendor isn't signed with the secret, or is too old."""


class NotUnderstood(ChannelError):
    """A genuine request that isn't in the vendor's form."""


Parse = Callable[[bytes, Mapping[str, str], int], "Action | None"]
"""(body, headers, now in ns) to what is asked for; None: nothing for Clew. Raises NotGenuine and NotUnderstood."""

OLDEST_NS = 2 * 86_400 * 10**9
"""What happened longer ago at a vendor's isn't taken: none tries for so long, so somebody sends it again."""

PAGING = frozenset({NoticeKind.OPENED, NoticeKind.ESCALATED, NoticeKind.UPDATED, NoticeKind.SUMMARY})
SPOKEN = frozenset(NoticeKind) - {NoticeKind.TEST}


@dataclass(frozen=True, slots=True)
class Opened:
    """A channel that was read: how to tell it, where it leads in words without secrets, and its way back if any.

    ``limited`` stands for that of the kind, where ways of one kind differ.
    """

    sender: Sender
    told: str
    parse: Parse | None = None
    limited: frozenset[NoticeKind] | None = None


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of channel. A folder's ``__init__`` holds one as ``KIND``.

    ``keys`` are its keys in notify.yaml beside the common ones. ``read`` notes mistakes in the entry and answers None
    when there are any. ``limited`` are the notices that the storm guard counts and sums up: those that reach people.
    Where something stays open until it is told of the end, these may only be `PAGING`.
    """

    name: str
    keys: tuple[str, ...]
    read: Callable[[Entry, Http], Opened | None]
    limited: frozenset[NoticeKind] = SPOKEN


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel of notify.yaml, ready to be told."""

    name: str
    kind: str
    told: str
    sender: Sender
    limited: frozenset[NoticeKind] = SPOKEN
    parse: Parse | None = field(default=None, repr=False)
