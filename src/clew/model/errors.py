"""Errors know whether trying again helps."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


class ClewError(Exception):
    """Root of every error Clew raises on purpose."""


class IngestError(ClewError):
    """Telemetry could not be accepted."""

    retryable = True


class MalformedTelemetry(IngestError):
    """The payload will never parse; sending it again cannot help."""

    retryable = False


class TelemetryTooLarge(IngestError):
    """The payload is over the size limit, before or after decompression."""

    retryable = False


class UnsupportedEncoding(IngestError):
    """The payload's content type or encoding is not one Clew reads."""

    retryable = False


class Overloaded(IngestError):
    """Clew is at its memory or queue limit; ``retry_after_s`` is short enough for every SDK."""

    def __init__(self, message: str, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class StoreUnavailable(Overloaded):
    """The engine can't take data now (full disk, memory limit, closing)."""


class MalformedHistory(ClewError):
    """Lines of an import that can't be stored as stage events."""


class StoreError(ClewError):
    """A query or statement failed in the engine."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a file: where it is, what is wrong, and how to mend it.

    ``line`` and ``column`` count from 1 and are 0 when unknown; ``key`` is the dotted way to the value.
    """

    line: int
    column: int
    key: str
    cause: str
    mend: str = ""


class FlowError(ClewError):
    """A flow file is wrong; ``problems`` lists every mistake, in the order of the file; ``name`` says which it is."""

    def __init__(self, message: str, problems: Iterable[Problem] = (), name: str = "") -> None:
        super().__init__(message)
        self.problems = tuple(problems)
        self.name = name


class RulesError(FlowError):
    """A rules file, or a file of written cases, is wrong; ``problems`` as those of a flow."""


class NotifyError(FlowError):
    """A file about channels and policies is wrong; ``problems`` as those of a flow, never with a secret."""


class SettingsError(ClewError):
    """A setting is wrong: the message names key, value and mend."""


class ControlError(ClewError):
    """The control database can't be reached, or refused a statement."""


class ControlAway(ControlError):
    """The server of the control database can't be reached now; it may be there later."""


class ChannelError(ClewError):
    """A channel couldn't be told. The message names cause and mend, and never a secret."""


class ChannelBusy(ChannelError):
    """It may work later: the vendor is slow, gone or over its limit; not before ``retry_after_s`` when it said so."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ChannelRefused(ChannelError):
    """The vendor will never take this: a wrong key, a channel that doesn't exist, a payload it doesn't like."""
