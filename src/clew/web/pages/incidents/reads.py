"""What the pages of incidents read: the control database, and the store around an incident's time."""

from __future__ import annotations

from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import Response

from clew.api.deps import ApiDeps
from clew.api.incidents import desk_of
from clew.control.contract import IncidentQuery
from clew.control.reactions import RunQuery
from clew.model.incident import Incident
from clew.store.minutes import Counts, Window, Work, read_counts
from clew.watch.health import unseen
from clew.web.frame import viewer_zone
from clew.web.pages.incidents.list_context import SHOWN, IncidentsPage, Read, incidents_page
from clew.web.pages.incidents.one_context import IncidentPage, Whole, incident_page, window_around

_NAME_COOKIE = "clew_name"
_YEAR_S = 365 * 86_400
_ROWS = 100
_RUNS = 20
_FIGURES_OVER_NS = 30 * 86_400 * 10**9


def viewer_name(request: Request) -> str:
    """What the viewer called himself last."""
    return unquote(request.cookies.get(_NAME_COOKIE, ""))


def remember_name(answer: Response, name: str) -> None:
    """Let the browser remember what the viewer calls himself; a cookie has no other letters than those of Latin."""
    answer.set_cookie(_NAME_COOKIE, quote(name), max_age=_YEAR_S, samesite="lax", httponly=True)


def list_page(deps: ApiDeps, show: str, rule: str, after: int | None, name: str, now_ns: int) -> IncidentsPage:
    """The page of a part of the list."""
    desk = desk_of(deps)
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
        unseen=unseen(deps.watched().health(), desk.waits()),
        now_ns=now_ns,
    )
    return incidents_page(show, rule, len(found) > _ROWS, read)


def one_page(deps: ApiDeps, incident: Incident, request: Request, now_ns: int) -> IncidentPage:
    """The page of an incident."""
    return incident_page(_whole(deps, incident, request, now_ns))


def _whole(deps: ApiDeps, incident: Incident, request: Request, now_ns: int) -> Whole:
    desk = desk_of(deps)
    root = desk.incidents.incident(incident.explained_by) if incident.explained_by else None
    window = window_around(incident, now_ns)
    return Whole(
        incident=incident,
        alerts=desk.incidents.alerts_of(incident.id),
        record=desk.incidents.transitions(incident.id),
        told=desk.outbox.told(incident.id),
        escalation=desk.outlook(incident),
        runs=deps.reactions.runs.runs(RunQuery(incident_id=incident.id, limit=_RUNS)) if deps.reactions else (),
        root=root,
        explains=[each for each in desk.incidents.unresolved() if each.explained_by == incident.id],
        window=window,
        counts=_counts(deps, window, incident.labels.get("service", "")),
        name=viewer_name(request),
        zone=viewer_zone(request),
    )


def _counts(deps: ApiDeps, window: Window, service: str) -> list[dict[Work, Counts]]:
    return read_counts(deps.store, window, service) if service else []
