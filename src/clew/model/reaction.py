"""Reactions: automated actions on incidents, the guards that keep them from doing harm, and the record of each run.

Lengths are nanoseconds, times Unix nanoseconds; names end in ``_ns``. Empty tuples and mappings match everything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from clew.model.rule import Severity
from clew.model.week import WeekHours

_SECOND_NS = 10**9
_MINUTE_NS = 60 * _SECOND_NS

KUBERNETES_TIMEOUT_NS = 30 * _SECOND_NS
COMMAND_TIMEOUT_NS = _MINUTE_NS
WEBHOOK_TIMEOUT_NS = 10 * _SECOND_NS
"""How long actions may take where nobody says otherwise."""


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """On which incidents: of these rules and severities, with these labels."""

    rules: tuple[str, ...] = ()
    severities: tuple[Severity, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Conditions:
    """What must hold of an incident, all of it.

    ``alerts`` fire at least. ``value_over``: a firing alert measured more than this, such as errors counted.
    ``waiting_over``: a firing alert about a queue counted more messages that wait in it. ``firing_for_ns``: its first
    alert fired at least so long ago.
    """

    alerts: int = 1
    value_over: float | None = None
    waiting_over: int | None = None
    firing_for_ns: int = 0


@dataclass(frozen=True, slots=True)
class Cluster:
    """How a Kubernetes API is reached: from within (nothing given), by a kubeconfig file, or by address.

    ``token_file`` and ``ca_file`` are read anew for each action, as tokens are renewed. Tokens never stand in here.
    """

    name: str = ""
    kubeconfig: str = ""
    context: str = ""
    url: str = ""
    token_file: str = ""
    ca_file: str = ""


@dataclass(frozen=True, slots=True)
class Restart:
    """Restart the pods of a deployment one after the other, as ``kubectl rollout restart`` does."""

    deployment: str
    namespace: str
    cluster: Cluster = Cluster()
    timeout_ns: int = KUBERNETES_TIMEOUT_NS

    @property
    def target(self) -> str:
        """What is acted on, in words."""
        return f"deployment {self.namespace}/{self.deployment}{_at(self.cluster)}"


class Workload(StrEnum):
    """What can be scaled, in the words of Kubernetes' API."""

    DEPLOYMENT = "deployment"
    STATEFUL_SET = "stateful_set"


@dataclass(frozen=True, slots=True)
class Scale:
    """Set the number of replicas: ``to`` a number, or ``by`` some more (or fewer); one of them is given.

    The result never leaves ``least`` to ``most``.
    """

    workload: Workload
    name: str
    namespace: str
    least: int
    most: int
    by: int | None = None
    to: int | None = None
    cluster: Cluster = Cluster()
    timeout_ns: int = KUBERNETES_TIMEOUT_NS

    @property
    def target(self) -> str:
        """What is acted on, in words."""
        return f"{self.workload.replace('_', ' ')} {self.namespace}/{self.name}{_at(self.cluster)}"


@dataclass(frozen=True, slots=True)
class Command:
    """Run a program with these arguments, never through a shell.

    It gets the variables named in ``environment``, and ``secrets`` (variable to ``env:NAME`` or ``file:PATH``), whose
    texts are struck out of its output.
    """

    argv: tuple[str, ...]
    environment: tuple[str, ...] = ("PATH",)
    secrets: Mapping[str, str] = field(default_factory=dict)
    directory: str = ""
    timeout_ns: int = COMMAND_TIMEOUT_NS

    @property
    def target(self) -> str:
        """What is acted on, in words."""
        return f"command {self.argv[0]}"


@dataclass(frozen=True, slots=True)
class Webhook:
    """Tell a program by a POST, signed when there is a ``secret`` (``env:NAME`` or ``file:PATH``).

    ``url`` is one of these or an address. ``name`` is how it is called where the address must not be shown.
    ``allow_private`` are hosts that may have an address that isn't public.
    """

    name: str
    url: str
    secret: str = ""
    allow_private: tuple[str, ...] = ()
    timeout_ns: int = WEBHOOK_TIMEOUT_NS

    @property
    def target(self) -> str:
        """What is acted on, in words."""
        return f"webhook {self.name}"


Action = Restart | Scale | Command | Webhook


@dataclass(frozen=True, slots=True)
class Guards:
    """What keeps an action from doing harm.

    It isn't begun within ``cooldown_ns`` after the end of the last run, nor more than ``most_per_hour`` times within
    any hour, nor before its conditions were found ``confirmations`` times in a row, nor outside of ``hours``.
    ``dry_run``: everything is decided and checked, nothing done. ``needs_approval``: a person must allow each run,
    within ``approve_within_ns``. ``help_within_ns``: a run after which the incident still fires that long later was
    useless (None: nobody looks).
    """

    cooldown_ns: int = 15 * _MINUTE_NS
    most_per_hour: int = 2
    confirmations: int = 2
    hours: WeekHours | None = None
    dry_run: bool = True
    needs_approval: bool = False
    approve_within_ns: int = 60 * _MINUTE_NS
    help_within_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Reaction:
    """An automated action: on which incidents, when, what, and under which guards."""

    name: str
    action: Action
    on: IncidentFilter = IncidentFilter()
    when: Conditions = Conditions()
    guards: Guards = Guards()


@dataclass(frozen=True, slots=True)
class ReactionSet:
    """The reactions of a file, by the name and version that it states."""

    name: str
    version: int
    reactions: tuple[Reaction, ...]

    def named(self, name: str) -> Reaction | None:
        """The reaction of that name."""
        return next((each for each in self.reactions if each.name == name), None)


class RunState(StrEnum):
    """The life of a run.

    proposed ──► running ──► done ──► helped
       waiting_approval ──► approved ──┘   ├──► failed  └──► useless
    A run that isn't begun ends as refused; a dry one as dry_run.
    """

    PROPOSED = "proposed"
    WAITING_APPROVAL = "waiting_approval"
    APPROVED = "approved"
    RUNNING = "running"
    DONE = "done"
    HELPED = "helped"
    USELESS = "useless"
    FAILED = "failed"
    DRY_RUN = "dry_run"
    REFUSED = "refused"


BEFORE = (RunState.PROPOSED, RunState.WAITING_APPROVAL, RunState.APPROVED)
"""States of runs that may yet be begun."""


@dataclass(frozen=True, slots=True)
class ReactionRun:
    """One run of a reaction, or why there was none. Times are Unix ns; None: not yet.

    ``target`` says what it acts on, ``result`` in a sentence what came of it. ``version`` counts changes: it is what
    compare-and-set compares.
    """

    id: int
    reaction: str
    incident_id: int | None
    target: str
    state: RunState
    at_ns: int
    began_ns: int | None = None
    ended_ns: int | None = None
    approved_by: str = ""
    dry_run: bool = False
    result: str = ""
    version: int = 1


@dataclass(frozen=True, slots=True)
class Stopped:
    """The stop switch as somebody set it: no reaction is begun until somebody lets them go on."""

    by: str
    reason: str
    at_ns: int


def _at(cluster: Cluster) -> str:
    return f" of {cluster.name}" if cluster.name else ""
