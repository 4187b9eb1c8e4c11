"""Routes of incidents: answers with the page, and does what its forms ask for.

A form is sent to the page that it is on, which comes back with what was typed when it can't be done.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Form, Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import RedirectResponse, Response

from clew.api.deps import ApiDeps
from clew.api.errors import invalid, not_found
from clew.api.incidents import desk_of, refusals
from clew.flow.nodes import did_you_mean
from clew.notify.coverage import Coverage
from clew.notify.silences import labels_to_silence
from clew.watch.desk import Refused
from clew.web.pages.incidents.asked import LABELS, NOTHING_SENT, Act, Sent, read_act, read_silence
from clew.web.pages.incidents.list_context import SHOWN, incident_href
from clew.web.pages.incidents.reads import list_page, one_page, remember_name, viewer_name
from clew.web.rendering import Pages
from clew.web.tidy import TidyRoute

_Id = Annotated[int, Path(ge=1, le=2**62)]


class ActForm(BaseModel):
    """What the forms of an incident send; ``run`` is the automated action that is allowed or refused."""

    what: Literal["acknowledge", "resolve", "note", "silence", "allow", "refuse"]
    run: int = Field(default=0, ge=0, le=2**62)
    by: str = ""
    text: str = ""
    for_: str = Field(default="", alias="for")


class SilenceForm(BaseModel):
    """What the form of a silence sends: to declare it, also when nobody knows what it names (``sure``), or only to
    ``try`` what it would cover."""

    what: Literal["silence", "sure", "try"] = "silence"
    by: str = ""
    rule: str = ""
    service: str = ""
    stage: str = ""
    queue: str = ""
    for_: str = Field(default="", alias="for")
    hours: str = ""
    reason: str = ""


def incident_page_routes(deps: ApiDeps, pages: Pages) -> APIRouter:
    """/incidents and below, /silences."""
    routes = APIRouter(route_class=TidyRoute)
    _list_routes(routes, deps, pages)
    _one_routes(routes, deps, pages)
    return routes


def _list_routes(routes: APIRouter, deps: ApiDeps, pages: Pages) -> None:
    @routes.get("/incidents", include_in_schema=False)
    def show_incidents(
        request: Request,
        show: str = "unresolved",
        state: str = "",  # as the API calls it: not let be, as all states would be shown
        rule: str = "",
        after: Annotated[int | None, Query(ge=1, le=2**62)] = None,
    ) -> Response:
        if state or show not in SHOWN:
            what = f"state {state}" if state else f"part {show}"
            raise invalid(f"there is no {what} of the list", f"choose one of show={', show='.join(SHOWN)}")
        desk, now_ns = desk_of(deps), deps.now_ns()
        if rule and not desk.knows_rule(rule):
            raise not_found(f"no rule is called {rule}", did_you_mean(rule, [each.name for each in desk.rules]))
        page = list_page(deps, show, rule, after, viewer_name(request), now_ns)
        return pages.answer(request, "incidents/list.html", page, "Incidents", now_ns=now_ns)

    @routes.post("/incidents", include_in_schema=False)
    def silence(request: Request, form: Annotated[SilenceForm, Form()]) -> Response:
        desk, values = desk_of(deps), form.model_dump(by_alias=True, exclude={"what"})
        wanted, mistakes = read_silence(values)
        if form.what == "try":
            mistakes = {name: told for name, told in mistakes.items() if name in LABELS}
        covers = desk.coverage(wanted.labels) if wanted.labels else Coverage()
        if not mistakes and (form.what == "sure" or (form.what == "silence" and not covers.warnings)):
            desk.silence(wanted.labels, wanted.length_ns, wanted.by, wanted.reason, hours=wanted.hours)
            return _back("/incidents", wanted.by)
        now_ns = deps.now_ns()
        sent = Sent("silence", values, mistakes, covers=covers.told if wanted.labels else "", warnings=covers.warnings)
        page = replace(list_page(deps, "unresolved", "", None, "", now_ns), sent=sent)
        status = 200 if form.what == "try" and not mistakes else 422
        return pages.answer(request, "incidents/list.html", page, "Not silenced yet", now_ns=now_ns, status=status)

    @routes.post("/silences/{silence_id}/end", include_in_schema=False)
    def end(silence_id: _Id) -> RedirectResponse:
        if not desk_of(deps).incidents.end_silence(silence_id, deps.now_ns()):
            raise not_found("this silence holds no longer", "go back and reload")
        return RedirectResponse("/incidents", 303)


def _one_routes(routes: APIRouter, deps: ApiDeps, pages: Pages) -> None:
    def shown(request: Request, incident_id: int, sent: Sent, status: int) -> Response:
        now_ns = deps.now_ns()
        with refusals():
            incident = desk_of(deps).incident(incident_id)
        page = replace(one_page(deps, incident, request, now_ns), sent=sent)
        title = f"Not done: {incident.title}" if sent.form else incident.title
        return pages.answer(request, "incidents/one.html", page, title, now_ns=now_ns, status=status)

    @routes.get("/incidents/{incident_id}", include_in_schema=False)
    def show_incident(request: Request, incident_id: _Id) -> Response:
        return shown(request, incident_id, NOTHING_SENT, 200)

    @routes.post("/incidents/{incident_id}", include_in_schema=False)
    def act(request: Request, incident_id: _Id, form: Annotated[ActForm, Form()]) -> Response:
        values = form.model_dump(by_alias=True, include={"by", "text", "for_"})
        name = f"run-{form.run}" if form.run else "act"
        wanted, mistakes = read_act(form.what, values)
        if mistakes:
            return shown(request, incident_id, Sent(name, values, mistakes), 422)
        try:
            _do(deps, incident_id, form, wanted)
        except Refused as error:
            return shown(request, incident_id, Sent(name, values, problem=str(error)), 409)
        return _back(incident_href(incident_id), wanted.by)


def _do(deps: ApiDeps, incident_id: int, form: ActForm, act: Act) -> None:
    desk = desk_of(deps)
    match form.what:
        case "acknowledge":
            desk.acknowledge(incident_id, act.by)
            if act.text:
                desk.note(incident_id, act.by, act.text)
        case "resolve":
            desk.resolve(incident_id, act.by, act.text)
        case "note":
            desk.note(incident_id, act.by, act.text)
        case "silence":
            labels = labels_to_silence(desk.incident(incident_id))
            desk.silence(labels, act.length_ns, act.by, act.text or f"from incident {incident_id}")
        case _:
            _decide(deps, incident_id, form.run, form.what == "allow", act.by)


def _decide(deps: ApiDeps, incident_id: int, run_id: int, allowed: bool, by: str) -> None:
    """Allow or refuse an automated action. Raises Refused when it doesn't wait any more."""
    runs = deps.reactions.runs if deps.reactions else None
    run = runs.run(run_id) if runs else None
    if runs is None or run is None or run.incident_id != incident_id:
        raise not_found(f"there is no run {run_id} of this incident", "go back and reload")
    done = runs.approve(run_id, by) if allowed else runs.refuse(run_id, deps.now_ns(), f"refused by {by}")
    if done is None:
        raise Refused(f"{run.reaction} no longer waits: see below what became of it")


def _back(href: str, name: str) -> RedirectResponse:
    answer = RedirectResponse(href, 303)
    remember_name(answer, name)
    return answer
