"""Routes of incidents: reads the control database, answers with the page, and does what forms ask for."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Path, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse

from clew.api.deps import ApiDeps
from clew.api.errors import ApiError, invalid, not_found
from clew.api.incidents import desk_of, refusals
from clew.control.contract import IncidentQuery
from clew.control.reactions import RunQuery
from clew.flow.durations import parse_duration
from clew.flow.hours import hours_of, split_hours
from clew.model.incident import Incident
from clew.model.week import WeekHours
from clew.notify.silences import labels_to_silence
from clew.store.minutes import Counts, Window, Work, read_counts
from clew.watch.desk import Desk
from clew.web.frame import viewer_zone
from clew.web.pages.incidents.list_context import SHOWN, IncidentsPage, Read, incident_href, incidents_page
from clew.web.pages.incidents.one_context import Whole, incident_page, window_around
from clew.web.rendering import Pages
from clew.web.tidy import TidyRoute

_ROWS = 100
_RUNS = 20
_FIGURES_OVER_NS = 30 * 86_400 * 10**9
_LONGEST_SILENCE_NS = 400 * 86_400 * 10**9
NAME_COOKIE = "clew_name"
_YEAR_S = 365 * 86_400

_Id = Annotated[int, Path(ge=1, le=2**62)]
_Text = Annotated[str, Form(max_length=4_000)]
_Name = Annotated[str, Form(max_length=100)]
_What = Annotated[Literal["acknowledge", "resolve", "note", "silence"], Form()]


def incident_page_routes(deps: ApiDeps, pages: Pages) -> APIRouter:
    """/incidents and below, /silences."""
    routes = APIRouter(route_class=TidyRoute)

    @routes.get("/incidents", include_in_schema=False)
    def show_incidents(
        request: Request,
        show: str = "unresolved",
        rule: str = "",
        after: Annotated[int | None, Query(ge=1, le=2**62)] = None,
    ) -> HTMLResponse:
        if show not in SHOWN:
            raise not_found(f"there is no part {show} of the list", f"choose one of {', '.join(SHOWN)}")
        now_ns = deps.now_ns()
        page = _list(desk_of(deps), show, rule, after, request.cookies.get(NAME_COOKIE, ""), now_ns)
        return pages.answer(request, "incidents/list.html", page, "Incidents", now_ns=now_ns)

    @routes.get("/incidents/{incident_id}", include_in_schema=False)
    def show_incident(request: Request, incident_id: _Id) -> HTMLResponse:
        now_ns = deps.now_ns()
        with refusals():
            incident = desk_of(deps).incident(incident_id)
        page = incident_page(_whole(deps, incident, request, now_ns))
        return pages.answer(request, "incidents/one.html", page, incident.title, now_ns=now_ns)

    _acting(routes, deps)
    return routes


def _acting(routes: APIRouter, deps: ApiDeps) -> None:
    @routes.post("/incidents/{incident_id}/act", include_in_schema=False)
    def act(
        incident_id: _Id, what: _What, by: _Name = "", text: _Text = "", for_: Annotated[str, Form(alias="for")] = ""
    ) -> RedirectResponse:
        name = _named(by)
        with refusals():
            _do(desk_of(deps), incident_id, what, name, text.strip(), for_)
        return _back(incident_href(incident_id), name)

    @routes.post("/incidents/{incident_id}/runs/{run_id}", include_in_schema=False)
    def decide(
        incident_id: _Id, run_id: _Id, what: Annotated[Literal["allow", "refuse"], Form()], by: _Name = ""
    ) -> RedirectResponse:
        name = _named(by)
        runs = deps.reactions.runs if deps.reactions else None
        run = runs.run(run_id) if runs else None
        if runs is None or run is None or run.incident_id != incident_id:
            raise not_found(f"there is no run {run_id} of this incident", "go back and reload")
        allowed = what == "allow"
        if (
            runs.approve(run_id, name) if allowed else runs.refuse(run_id, deps.now_ns(), f"refused by {name}")
        ) is None:
            raise ApiError(
                409, "went_on", f"{run.reaction} no longer waits", "go back and reload to see what became of it"
            )
        return _back(incident_href(incident_id), name)

    @routes.post("/silences", include_in_schema=False)
    def silence(
        by: _Name = "",
        reason: _Text = "",
        for_: Annotated[str, Form(alias="for")] = "",
        rule: Annotated[str, Form()] = "",
        service: Annotated[str, Form()] = "",
        stage: Annotated[str, Form()] = "",
        queue: Annotated[str, Form()] = "",
        hours: Annotated[str, Form(max_length=200)] = "",
    ) -> RedirectResponse:
        name = _named(by)
        given = {"rule": rule, "service": service, "stage": stage, "queue": queue}
        labels = {label: value.strip() for label, value in given.items() if value.strip()}
        if not labels:
            raise invalid("a silence of everything isn't one", "name a rule, a service, a stage or a queue")
        why = reason.strip() or "no reason given"
        desk_of(deps).silence(labels, _length(for_), name, why, hours=_hours(hours))
        return _back("/incidents", name)

    @routes.post("/silences/{silence_id}/end", include_in_schema=False)
    def end(silence_id: _Id) -> RedirectResponse:
        if not desk_of(deps).incidents.end_silence(silence_id, deps.now_ns()):
            raise not_found("this silence holds no longer", "go back and reload")
        return RedirectResponse("/incidents", 303)


def _do(desk: Desk, incident_id: int, what: str, by: str, text: str, length: str) -> None:
    match what:
        case "acknowledge":
            desk.acknowledge(incident_id, by)
            if text:
                desk.note(incident_id, by, text)
        case "resolve":
            desk.resolve(incident_id, by, text)
        case "note" if not text:
            raise invalid("a note needs a text", "go back and write what others should know")
        case "note":
            desk.note(incident_id, by, text)
        case _:
            labels = labels_to_silence(desk.incident(incident_id))
            desk.silence(labels, _length(length), by, text or f"from incident {incident_id}")


def _named(by: str) -> str:
    name = " ".join(by.split())
    if not name or not name.isprintable():
        raise invalid("who are you?", "go back and give your name, so that others know who has it")
    return name


def _length(text: str) -> int:
    try:
        length_ns = parse_duration(text.strip())
    except ValueError as error:
        raise invalid(f"for how long: {error}", "write 30m, 4h or 2d") from error
    if not 0 < length_ns <= _LONGEST_SILENCE_NS:
        raise invalid("a silence lasts at most 400 days", "write 30m, 4h or 2d")
    return length_ns


def _hours(line: str) -> WeekHours | None:
    try:
        return hours_of(split_hours(line)) if line.strip() else None
    except ValueError as error:
        raise invalid(f"only then: {error}", "write mon-fri 22:00-06:00 Europe/Berlin") from error


def _back(href: str, name: str) -> RedirectResponse:
    answer = RedirectResponse(href, 303)
    answer.set_cookie(NAME_COOKIE, name, max_age=_YEAR_S, samesite="lax", httponly=True)
    return answer


def _list(desk: Desk, show: str, rule: str, after: int | None, name: str, now_ns: int) -> IncidentsPage:
    found = desk.incidents.find(IncidentQuery(SHOWN[show], rule=rule, after=after, limit=_ROWS + 1))
    figures = desk.figures(now_ns - _FIGURES_OVER_NS, now_ns + 1)
    unresolved = desk.incidents.unresolved()
    read = Read(
        incidents=found[:_ROWS],
        unresolved=unresolved,
        detect=figures.detect,
        acknowledge=figures.acknowledge,
        resolve=figures.resolve,
        silences=desk.incidents.silences(now_ns),
        channels=len(desk.channels),
        rules=len(desk.rules),
        any=bool(found or unresolved or desk.incidents.find(IncidentQuery(limit=1))),
        name=name,
        now_ns=now_ns,
    )
    return incidents_page(show, rule, len(found) > _ROWS, read)


def _whole(deps: ApiDeps, incident: Incident, request: Request, now_ns: int) -> Whole:
    desk = desk_of(deps)
    root = desk.incidents.incident(incident.explained_by) if incident.explained_by else None
    window = window_around(incident, now_ns)
    return Whole(
        incident=incident,
        alerts=desk.incidents.alerts_of(incident.id),
        record=desk.incidents.transitions(incident.id),
        told=desk.outbox.told(incident.id),
        runs=deps.reactions.runs.runs(RunQuery(incident_id=incident.id, limit=_RUNS)) if deps.reactions else (),
        root=root,
        explains=[each for each in desk.incidents.unresolved() if each.explained_by == incident.id],
        window=window,
        counts=_counts(deps, window, incident.labels.get("service", "")),
        name=request.cookies.get(NAME_COOKIE, ""),
        zone=viewer_zone(request),
    )


def _counts(deps: ApiDeps, window: Window, service: str) -> list[dict[Work, Counts]]:
    return read_counts(deps.store, window, service) if service else []
