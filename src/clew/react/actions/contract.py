"""What actions are given: the occasion on which they run, and the ways out of Clew."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from clew.model.incident import Incident
from clew.model.secret import Secret


@dataclass(frozen=True, slots=True)
class Occasion:
    """Why an action runs: a run of a reaction on an incident. ``dry`` only checks; ``at_ns`` is when it began."""

    reaction: str
    run_id: int
    incident: Incident
    at_ns: int
    dry: bool


@dataclass(frozen=True, slots=True)
class Lack:
    """What keeps an action from being done on this machine, and how that is mended. ``key`` is where it is named."""

    key: str
    cause: str
    mend: str

    @property
    def told(self) -> str:
        """Cause and mend."""
        return f"{self.cause}; {self.mend}"


@dataclass(frozen=True, slots=True)
class Post:
    """A POST to send. ``secret`` signs it (empty: unsigned); ``allow_private`` are hosts that needn't be public."""

    url: Secret
    body: bytes
    headers: Mapping[str, str]
    secret: Secret
    allow_private: tuple[str, ...]
    timeout_s: float


class Poster(Protocol):
    """Sends POSTs, guarded: only to where one may go, within a time, signed, following no redirect.

    Both raise ActionPassing where nothing is wrong with it but that there is no answer now, else ActionFailed; neither
    shows a secret, nor more of an address than its host.
    """

    def check(self, post: Post) -> None:
        """Whether it may be sent."""
        ...

    def send(self, post: Post) -> int:
        """Send it; the status of success that was answered."""
        ...


@dataclass(frozen=True, slots=True)
class Outside:
    """The ways out. ``find`` looks a secret up by ``env:NAME`` or ``file:PATH`` (ValueError with the mend when it isn't
    there); ``environment`` are Clew's own variables, of which commands get those that they name."""

    find: Callable[[str], Secret]
    poster: Poster
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    def lacks(self, key: str, place: str) -> Iterator[Lack]:
        """What keeps a secret, which is named under ``key``, from being found."""
        try:
            self.find(place)
        except ValueError as error:
            cause, _, mend = str(error).partition("; ")
            yield Lack(key, cause, mend)
