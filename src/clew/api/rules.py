"""Routes: the rules that watch, and what rules would have done over the past."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, Field

from clew.api.deps import ApiDeps
from clew.api.errors import RESPONSES, ApiError, invalid
from clew.api.flows import YAML_BODY, FlowText
from clew.api.times import moment, moment_or_none, parse_moment, seconds
from clew.detect.rate_rules import KNOWN_NS, in_minutes
from clew.flow.nodes import did_you_mean
from clew.model.errors import ControlError
from clew.model.rule import Rule, RuleSet
from clew.notify.escalation import Policies
from clew.rehearse.replay import PastAlert, RuleReplay, replay_rules
from clew.rules import default_rules, parse_rules
from clew.rules.words import rule_told
from clew.watch.health import RuleStanding, WatchHealth, rules_standing

DAY_NS = 86_400 * 10**9
LONGEST_NS = 92 * DAY_NS
"""No longer range is tried at once."""

_MOMENT = "a moment such as 2026-11-22T08:15:00Z, or 30d for 30 days ago"


class ExplanationModel(BaseModel):
    """An alert of `rule` explains those of the rule that says it, where the labels of `equal` agree."""

    rule: str
    equal: list[str]


class RuleModel(BaseModel):
    """A rule: what it `finds` and when it `alerts` in words, and its keys as its file has them."""

    name: str
    severity: str
    finds: str
    alerts: str
    title: str
    labels: dict[str, str]
    owner: str
    runbook: str
    for_s: float
    hits: int
    looks: int
    keep_firing_s: float
    recover_below: float | None
    hours: str
    group_by: list[str]
    explained_by: list[ExplanationModel]
    policy: str
    notifies: bool


class StandingRuleModel(RuleModel):
    """A rule and how it stands now: the escalation policies by which its incidents may be told (`told_by`; none: nobody
    is), when it `looked_at` last (null: not yet) and why it can't (`trouble`, empty: it can), how many unresolved
    `incidents` it has (null: they can't be read), and until when all of it is silenced (`silenced_until`;
    null: it isn't)."""

    told_by: list[str]
    looked_at: str | None
    trouble: str
    incidents: int | None
    silenced_until: str | None


class RulesModel(BaseModel):
    """The rules that watch, in the order of their `file`; empty: they ship with Clew. `unread` says why their incidents
    and silences can't be read (empty: they can)."""

    file: str
    rules: list[StandingRuleModel]
    unread: str = ""


class PastAlertModel(BaseModel):
    """An alert that would have fired; `until_at` null: it would still fire at the end of the range."""

    subject: str
    from_at: str
    until_at: str | None
    reason: str


class RuleReplayModel(BaseModel):
    """What a rule would have done: `alerts`, the `incidents` that they make, and how many `ended` by themselves."""

    rule: str
    severity: str
    alerts: int
    incidents: int
    ended: int = Field(description="alerts that ended within the range without anybody's doing")
    lasted_median_s: float | None = Field(description="of those that ended; null: none did")
    lasted_p90_s: float | None
    days: dict[str, int] = Field(description="alerts by UTC day")
    examples: list[PastAlertModel] = Field(description="the first ones")
    note: str = Field(description="what was not tried, or how it was")


class RulesReplayModel(BaseModel):
    """What rules would have done between two moments, in the order of their file."""

    name: str
    version: int
    from_at: str
    to_at: str
    rules: list[RuleReplayModel]


def rule_routes(deps: ApiDeps) -> APIRouter:
    """The routes below /rules. Blocking calls run on worker threads."""
    routes = APIRouter(prefix="/rules", tags=["rules"], responses=RESPONSES)

    @routes.get("", summary="The rules that watch, and the file that they come from")
    def list_rules() -> RulesModel:
        file = deps.desk.rules_file if deps.desk else ""
        rules, unread = standing_of(deps)
        return RulesModel(file=file, rules=[_standing_model(each) for each in rules], unread=unread)

    summary = "What rules would have alerted over the past; nobody is told"

    @routes.post("/replay", summary=summary, openapi_extra=YAML_BODY, dependencies=[Depends(deps.turns)])
    def replay(
        text: FlowText,
        from_: Annotated[str, Query(alias="from", description=f"not before {_MOMENT}")] = "7d",
        to: Annotated[str, Query(description=f"before {_MOMENT}; left out: now")] = "",
        rule: Annotated[list[str] | None, Query(description="only these rules; may be repeated")] = None,
    ) -> RulesReplayModel:
        flows = deps.book.current
        rules = parse_rules(text, "<rules>", [each.flow for each in flows]) if text.strip() else _in_force(deps)
        now_ns = deps.now_ns()
        from_ns, to_ns = _range(from_ or "7d", to, now_ns)
        chosen = _chosen(rules, rule or [])
        told = deps.desk.told_windows(from_ns - KNOWN_NS) if deps.desk else {}
        tried = replay_rules(deps.store, flows, chosen, from_ns, to_ns, in_minutes(told))
        return RulesReplayModel(
            name=rules.name,
            version=rules.version,
            from_at=moment(from_ns),
            to_at=moment(to_ns),
            rules=[_model(each) for each in tried],
        )

    return routes


def standing_of(deps: ApiDeps) -> tuple[list[RuleStanding], str]:
    """How each rule stands that watches, and why their incidents and silences can't be read (empty: they can).

    Where nobody watches they are the shipped ones, of which nothing is known.
    """
    rules, desk, now_ns = _in_force(deps).rules, deps.desk, deps.now_ns()
    if desk is None:
        return rules_standing(rules, Policies(), (), (), WatchHealth(), now_ns), ""
    health = deps.watched().health()
    try:
        unresolved, silences = desk.incidents.unresolved(), desk.incidents.silences(now_ns)
    except ControlError as error:
        return rules_standing(rules, desk.policies, None, (), health, now_ns), str(error)
    return rules_standing(rules, desk.policies, unresolved, silences, health, now_ns), ""


def _standing_model(standing: RuleStanding) -> StandingRuleModel:
    return StandingRuleModel(
        **rule_told(standing.rule),
        told_by=[each.name for each in standing.policies],
        looked_at=moment_or_none(standing.looked_ns),
        trouble=standing.trouble,
        incidents=None if standing.incidents is None else len(standing.incidents),
        silenced_until=moment_or_none(standing.silenced_until_ns),
    )


def _in_force(deps: ApiDeps) -> RuleSet:
    """The rules that watch; the shipped ones where nobody watches."""
    if deps.desk is None or not deps.desk.rules:
        return default_rules()
    return RuleSet("in force", 1, deps.desk.rules)


def _range(from_: str, to: str, now_ns: int) -> tuple[int, int]:
    try:
        from_ns = parse_moment(from_, now_ns)
        to_ns = parse_moment(to, now_ns) if to else now_ns
    except ValueError as error:
        cause, _, mend = str(error).partition(": ")
        raise invalid(cause, mend) from error
    to_ns = min(to_ns, now_ns)
    if from_ns >= to_ns:
        raise invalid("the range is empty", "give a 'from' before 'to'")
    if to_ns - from_ns > LONGEST_NS:
        raise invalid(f"the range is longer than {LONGEST_NS // DAY_NS} days", "try a shorter one")
    return from_ns, to_ns


def _chosen(rules: RuleSet, names: Sequence[str]) -> list[Rule]:
    known = [rule.name for rule in rules.rules]
    for name in names:
        if name not in known:
            raise _unknown(name, known)
    return [rule for rule in rules.rules if not names or rule.name in names]


def _unknown(name: str, known: Sequence[str]) -> ApiError:
    return invalid(f"rule: {name!r} is no rule of these", did_you_mean(name, known))


def _model(tried: RuleReplay) -> RuleReplayModel:
    return RuleReplayModel(
        rule=tried.rule,
        severity=tried.severity.value,
        alerts=tried.alerts,
        incidents=tried.incidents,
        ended=tried.ended,
        lasted_median_s=None if tried.median_ns is None else seconds(tried.median_ns),
        lasted_p90_s=None if tried.p90_ns is None else seconds(tried.p90_ns),
        days=dict(tried.days),
        examples=[_alert(each) for each in tried.examples],
        note=tried.note,
    )


def _alert(each: PastAlert) -> PastAlertModel:
    return PastAlertModel(
        subject=each.subject, from_at=moment(each.from_ns), until_at=moment_or_none(each.until_ns), reason=each.reason
    )
