"""Routes: incidents and what people do to them, silences, and how fast incidents are handled."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, Path, Query

from clew.api.deps import ApiDeps
from clew.api.errors import RESPONSES, ApiError, invalid, not_found
from clew.api.incident_models import (
    Act,
    CoverageModel,
    DeclaredSilenceModel,
    IncidentFiguresModel,
    IncidentModel,
    IncidentPageModel,
    NewSilence,
    SilenceHours,
    SilencesModel,
    WholeIncidentModel,
    coverage_model,
    declared_silence_model,
    figure_model,
    incident_model,
    silence_model,
    whole_incident_model,
)
from clew.api.times import SECOND_NS, parse_moment
from clew.control.contract import IncidentQuery
from clew.flow.hours import hours_of
from clew.flow.nodes import did_you_mean
from clew.model.incident import IncidentState
from clew.model.week import WeekHours
from clew.watch.desk import Desk, Refused, Unknown
from clew.watch.health import unseen

_Id = Annotated[int, Path(ge=1, le=2**62, description="the incident's number")]
_FIGURES_OVER_NS = 30 * 86_400 * SECOND_NS


def desk_of(deps: ApiDeps) -> Desk:
    """Where incidents are handled. Raises ApiError where nobody watches."""
    if deps.desk is None:
        raise not_found("nobody watches here", "ask a running server: `clew serve` watches by rules")
    return deps.desk


def incident_routes(deps: ApiDeps) -> APIRouter:
    """The routes below /incidents and /silences."""
    routes = APIRouter(tags=["incidents"], responses=RESPONSES)
    _reading(routes, deps)
    _acting(routes, deps)
    _silences(routes, deps)
    return routes


def _reading(routes: APIRouter, deps: ApiDeps) -> None:
    @routes.get("/incidents", summary="Incidents, newest first")
    def list_incidents(
        state: Annotated[list[IncidentState] | None, Query(description="only these; may be repeated")] = None,
        rule: Annotated[str, Query(description="only of this rule")] = "",
        order: Annotated[str, Query(description="only those that are about this order")] = "",
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
        after: Annotated[int | None, Query(ge=1, description="`next` of the page before")] = None,
    ) -> IncidentPageModel:
        desk = desk_of(deps)
        if rule and not desk.knows_rule(rule):
            mend = did_you_mean(rule, [each.name for each in desk.rules]) or "no rule watches here"
            raise invalid(f"rule: no rule is called {rule!r}", mend)
        found = desk.incidents.find(IncidentQuery(tuple(state or ()), rule, order, after, limit + 1))
        shown = found[:limit]
        return IncidentPageModel(
            items=[incident_model(each, deps.now_ns()) for each in shown],
            next=shown[-1].id if len(found) > limit else None,
            unseen=unseen(deps.watched().health(), desk.waits()),
        )

    @routes.get("/incidents/figures", summary="How fast incidents are found, taken and resolved")
    def show_figures(
        from_: Annotated[str, Query(alias="from", description="opened not before; left out: 30 days ago")] = "",
        to: Annotated[str, Query(description="opened before; left out: now")] = "",
    ) -> IncidentFiguresModel:
        now_ns = deps.now_ns()
        from_ns = _moment("from", from_, now_ns) if from_ else now_ns - _FIGURES_OVER_NS
        told = desk_of(deps).figures(from_ns, _moment("to", to, now_ns) if to else now_ns + 1)
        return IncidentFiguresModel(
            detect=figure_model(told.detect),
            acknowledge=figure_model(told.acknowledge),
            resolve=figure_model(told.resolve),
        )

    @routes.get("/incidents/{incident_id}", summary="An incident with its record, evidence and who was told")
    def show_incident(incident_id: _Id) -> WholeIncidentModel:
        desk = desk_of(deps)
        with refusals():
            incident = desk.incident(incident_id)
        return whole_incident_model(
            incident,
            desk.incidents.transitions(incident_id),
            desk.incidents.alerts_of(incident_id),
            desk.outbox.told(incident_id),
            desk.outlook(incident),
            deps.now_ns(),
        )


def _acting(routes: APIRouter, deps: ApiDeps) -> None:
    @routes.post("/incidents/{incident_id}/acknowledge", summary="Somebody takes it")
    def acknowledge(incident_id: _Id, act: Act) -> IncidentModel:
        with refusals():
            return incident_model(desk_of(deps).acknowledge(incident_id, act.by), deps.now_ns())

    @routes.post("/incidents/{incident_id}/resolve", summary="Somebody says that it is over")
    def resolve(incident_id: _Id, act: Act) -> IncidentModel:
        with refusals():
            return incident_model(desk_of(deps).resolve(incident_id, act.by, act.text), deps.now_ns())

    @routes.post("/incidents/{incident_id}/note", summary="Somebody adds to its record")
    def note(incident_id: _Id, act: Act) -> IncidentModel:
        if not act.text.strip():
            raise invalid("a note needs a text", "write what others should know")
        with refusals():
            return incident_model(desk_of(deps).note(incident_id, act.by, act.text), deps.now_ns())


def _silences(routes: APIRouter, deps: ApiDeps) -> None:
    @routes.get("/silences", summary="Silences that hold now or later")
    def list_silences() -> SilencesModel:
        return SilencesModel(items=[silence_model(each) for each in desk_of(deps).incidents.silences(deps.now_ns())])

    @routes.get("/silences/coverage", summary="What a silence of these labels would cover now")
    def show_coverage(
        label: Annotated[list[str], Query(min_length=1, description="NAME=VALUE; may be repeated")],
    ) -> CoverageModel:
        return coverage_model(desk_of(deps).coverage(dict(map(_pair, label))))

    @routes.post("/silences", summary="Alerts with these labels notify nobody", status_code=201)
    def declare(silence: NewSilence) -> DeclaredSilenceModel:
        now_ns = deps.now_ns()
        from_ns = _moment("from_at", silence.from_at, now_ns) if silence.from_at else now_ns
        if bool(silence.until_at) == bool(silence.for_s):
            raise invalid("give either until_at or for_s", "for_s: 3600 is an hour")
        until_ns = (
            _moment("until_at", silence.until_at, now_ns)
            if silence.until_at
            else from_ns + round(silence.for_s * SECOND_NS)
        )
        if until_ns <= max(from_ns, now_ns):
            raise invalid("this silence would end before it begins", "give a later end")
        desk = desk_of(deps)
        made = desk.silence(
            silence.labels, until_ns - from_ns, silence.by, silence.reason, from_ns, _hours(silence.hours)
        )
        return declared_silence_model(made, desk.coverage(silence.labels))

    @routes.delete("/silences/{silence_id}", summary="End a silence early")
    def end(silence_id: _Id) -> SilencesModel:
        desk = desk_of(deps)
        if not desk.incidents.end_silence(silence_id, deps.now_ns()):
            raise not_found(f"no silence {silence_id} holds", "`clew silence` lists those that do")
        return SilencesModel(items=[silence_model(each) for each in desk.incidents.silences(deps.now_ns())])


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """What the desk refuses becomes an answer: 404 for what isn't there, else 409."""
    try:
        yield
    except Unknown as error:
        raise not_found(str(error), "`clew incidents --all` lists them") from error
    except Refused as error:
        raise ApiError(409, "refused", str(error), "see how it stands now; what still fires opens a new one") from error


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not (name and sign and value):
        raise invalid(f"label: {text!r} is not NAME=VALUE", "write for example rule=stuck or service=mes")
    return name, value


def _hours(hours: SilenceHours | None) -> WeekHours | None:
    if hours is None:
        return None
    try:
        return hours_of(hours.model_dump(by_alias=True))
    except ValueError as error:
        raise invalid(f"hours: {error}", 'write {"on": "mon-fri", "from": "22:00", "to": "06:00"}') from error


def _moment(name: str, text: str, now_ns: int) -> int:
    try:
        return parse_moment(text, now_ns)
    except ValueError as error:
        raise invalid(f"{name}: {error}", "write 2026-11-22T08:15:00Z, or 30d for 30 days ago") from error
