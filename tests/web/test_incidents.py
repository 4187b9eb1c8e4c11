"""The pages of incidents: what a support person sees and does there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from clew.api import ApiDeps, create_api
from clew.api.deps import Watched
from clew.control.incidents import SqlIncidents
from clew.control.reactions import RunQuery
from clew.model.errors import ControlError
from clew.model.incident import IncidentState
from clew.model.reaction import ReactionRun, RunState
from clew.notify.figures import Figure
from clew.store.embedded import open_store
from clew.web import create_web, site
from clew.web.pages.incidents.asked import read_act, read_silence
from clew.web.pages.incidents.list_context import Read, incidents_page
from clew.web.pages.incidents.one_context import run_lines
from tests.serving import serving
from tests.story import tell
from tests.watching import with_incidents
from tests.web.pages import rendered

NOON = 1_795_348_800 * 10**9


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiDeps]:
    """The day of tests.story."""
    store = open_store(tmp_path_factory.mktemp("incidents"))
    yield tell(store)
    store.close()


@pytest.fixture
def told(day: ApiDeps, tmp_path: Path) -> Iterator[ApiDeps]:
    """That day watched, with incidents of each test's own."""
    deps, database = with_incidents(day, tmp_path)
    yield deps
    database.close()


@pytest.fixture
def url(told: ApiDeps) -> Iterator[str]:
    """The address of pages and API over it."""
    with serving(site(create_api(told), create_web(told))) as address:
        yield address


def incident_of(told, rule):
    return next(each for each in told.desk.incidents.unresolved() if each.rule == rule)


def test_the_list_shows_what_waits_worst_first(viewer):
    page = viewer.open("/incidents")
    assert "waits for somebody" in page.locator("#lead").inner_text()
    titles = page.locator("#rows tr a.case").all_inner_texts()
    assert [title.lower() for title in titles] == [
        "orders lost, unroutable: prices",
        "orders stuck in submitted, waiting for crm-api",
    ]
    first = page.locator("#rows tr").first.inner_text()
    assert "critical" in first
    assert "acknowledged by anna" in first


@pytest.mark.parametrize("path", ["/incidents", "/incidents/1", "/incidents?show=all", "/rules"])
def test_its_pages_are_accessible_in_both_themes_and_narrow(viewer_of, path):
    viewer = viewer_of(width=390)
    page = viewer.open(path)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert viewer.complaints() == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_every_page_counts_those_that_wait_and_a_page_renews_itself_when_somebody_else_acts(viewer, told):
    page = viewer.open("/status")
    assert page.get_by_role("link", name="Incidents 1 open").count() == 1
    incident = incident_of(told, "stuck")
    page = viewer.open(f"/incidents/{incident.id}")
    told.desk.acknowledge(incident.id, "dora")
    page.locator(".badges", has_text="acknowledged by dora").wait_for()
    page.locator(".waiting:empty").wait_for(state="hidden")
    assert page.get_by_role("link", name="Incidents", exact=True).count() == 1


def test_nothing_of_the_list_is_cut_off_on_a_phone(viewer_of):
    page = viewer_of(width=390).open("/incidents")
    cut = "(() => { const table = document.querySelector('.cases'); return table.scrollWidth - innerWidth })()"
    assert page.evaluate(cut) < 0


def test_resolved_ones_are_a_part_of_the_list(viewer):
    page = viewer.open("/incidents")
    page.get_by_role("link", name="Resolved", exact=True).click()
    assert "resolved by bob" in page.locator("#rows").inner_text()


def test_one_incident_tells_what_why_since_when_and_who_was_told(viewer, told):
    incident = incident_of(told, "lost")
    page = viewer.open(f"/incidents/{incident.id}")
    assert "unroutable" in page.locator("h1").inner_text()
    assert page.get_by_role("link", name="4712").get_attribute("href") == "/orders/4712"
    record = page.locator("#record").inner_text()
    for words in ("opened", "acknowledged by anna", "the broker's people know", "slack waits (opened)"):
        assert words in record
    page.get_by_role("link", name="4712").click()
    assert page.url.endswith("/orders/4712")


def test_an_incident_is_acknowledged_without_javascript_and_remembers_who(viewer_of, told):
    incident = incident_of(told, "stuck")
    page = viewer_of(java_script_enabled=False).open(f"/incidents/{incident.id}")
    page.get_by_label("Your name").fill("Клара Łuk")
    page.get_by_label("Note").fill("on it")
    page.get_by_role("button", name="Acknowledge").click()
    assert "acknowledged by Клара Łuk" in page.locator(".badges").inner_text()
    assert page.get_by_label("Your name").input_value() == "Клара Łuk"
    assert page.get_by_role("button", name="Acknowledge").count() == 0
    kept = told.desk.incidents.incident(incident.id)
    assert (kept.state, kept.acknowledged_by) == (IncidentState.ACKNOWLEDGED, "Клара Łuk")
    assert [each.text for each in told.desk.incidents.transitions(incident.id)][-1] == "on it"


def test_the_rules_lead_to_their_incidents_and_an_incident_to_its_rule(viewer_of):
    page = viewer_of(java_script_enabled=False).open("/incidents")
    page.get_by_role("link", name="rules that watch").click()
    page.get_by_label("Word").fill("stuck in submitted")
    page.locator("tr#rule-stuck").get_by_role("link", name="1 incident").click()
    assert page.url.endswith("/incidents?rule=stuck")
    page.locator("#rows a.case").click()
    page.locator("#head").get_by_role("link", name="stuck", exact=True).click()
    assert page.url.endswith("/rules#rule-stuck")


def test_the_api_tells_how_each_rule_stands(url, told):
    told.desk.silence({"rule": "lost"}, 3600 * 10**9, "anna", "known")
    rules = {each["name"]: each for each in httpx.get(f"{url}/api/v1/rules").json()["rules"]}
    stuck, lost = rules["stuck"], rules["lost"]
    assert (stuck["incidents"], stuck["told_by"], stuck["trouble"], stuck["looked_at"]) == (1, ["default"], "", None)
    assert (stuck["silenced_until"], bool(lost["silenced_until"])) == (None, True)
    assert rules["approved-too-fast"]["told_by"] == []


def test_the_api_tells_rules_also_while_the_control_database_is_away(url, monkeypatch):
    def away(*_):
        raise ControlError("PostgreSQL is away")

    monkeypatch.setattr(SqlIncidents, "unresolved", away)
    found = httpx.get(f"{url}/api/v1/rules").json()
    assert (len(found["rules"]), found["unread"]) == (25, "PostgreSQL is away")
    assert {each["incidents"] for each in found["rules"]} == {None}
    assert httpx.get(f"{url}/rules").status_code == 200


@pytest.mark.parametrize(("button", "state"), [("Allow restart-crm", "approved"), ("Refuse restart-crm", "refused")])
def test_an_automated_action_that_waits_is_allowed_or_refused_once(viewer, told, button, state):
    incident = incident_of(told, "stuck")
    page = viewer.open(f"/incidents/{incident.id}")
    runs = page.locator("#runs")
    assert "scale-crm (deployment shop/crm-api): failed: Kubernetes answered 403" in runs.inner_text()
    runs.get_by_label("Decided by").fill("erik")
    runs.get_by_role("button", name=button).click()
    assert f"restart-crm (deployment shop/crm-api): {state}" in runs.inner_text()
    assert "by erik" in runs.inner_text()
    assert runs.get_by_role("button").count() == 0
    run = next(each for each in told.reactions.runs.runs(RunQuery()) if each.reaction == "restart-crm")
    again = viewer.page.request.post(page.url, form={"what": "allow", "run": str(run.id), "by": "eve"})
    assert (again.status, run.state.value) == (409, state)
    assert "restart-crm no longer waits" in again.text()
    other = f"{viewer.url}/incidents/{incident_of(told, 'lost').id}"
    assert viewer.page.request.post(other, form={"what": "allow", "run": str(run.id), "by": "eve"}).status == 404


def test_an_orders_page_leads_to_the_incidents_about_it(viewer, told):
    page = viewer.open("/orders/4712")
    told_of = page.locator(".order-incident", has_text="lost")
    assert "acknowledged by anna" in told_of.inner_text()
    told_of.get_by_role("link").click()
    assert page.url.endswith(f"/incidents/{incident_of(told, 'lost').id}")


def test_a_silence_from_an_incident_covers_its_labels_and_is_ended_from_the_list(viewer, told):
    incident = incident_of(told, "lost")
    page = viewer.open(f"/incidents/{incident.id}")
    page.get_by_label("Your name").fill("clara")
    page.get_by_label("Silence for").fill("30m")
    page.get_by_role("button", name="Silence", exact=True).click()
    held = {each.reason: each for each in told.desk.incidents.silences(told.now_ns())}
    labels = held[f"from incident {incident.id}"].labels
    assert labels == {"rule": "lost", **incident.labels}
    page.get_by_role("link", name="All incidents").click()
    page.locator("tr", has_text="rule lost").get_by_role("button", name="End").click()
    assert f"from incident {incident.id}" not in page.locator("main").inner_text()


@pytest.mark.parametrize(
    ("what", "values", "wrong"),
    [
        ("acknowledge", {"by": " Anna  B. "}, {}),
        ("acknowledge", {"by": " ", "for": "soon"}, {"by": "say who you are"}),
        ("acknowledge", {"by": "an\x1bna"}, {"by": "say who you are"}),
        ("resolve", {"by": "a" * 101, "text": "x" * 4001}, {"by": "it has 101", "text": "shorten it to 4,000"}),
        ("note", {"by": "anna", "text": " "}, {"text": "write what others should know"}),
        ("silence", {"by": "anna", "for": "soon"}, {"for": "'soon' is not a length of time: write 30m, 4h or 2d"}),
        ("silence", {"by": "anna", "for": "401d"}, {"for": "at most 400 days"}),
        ("silence", {"by": "anna", "for": "1h"}, {}),
    ],
)
def test_every_mistake_in_what_is_done_is_told_by_its_field(what, values, wrong):
    _, mistakes = read_act(what, values)
    assert mistakes.keys() == wrong.keys()
    assert all(words in mistakes[name] for name, words in wrong.items())


@pytest.mark.parametrize(
    ("values", "wrong"),
    [
        ({"rule": " stuck "}, {}),
        ({}, {"rule": "name a rule"}),
        ({"rule": "stuck", "by": "", "for": "", "reason": ""}, {"by": "say who", "for": "write 30m", "reason": "say why"}),
        ({"queue": "q", "hours": "at night"}, {"hours": "write mon-fri 22:00-06:00"}),
        ({"queue": "q", "hours": "mon-fri 22:00-06:00 Europe/Nowhere"}, {"hours": "Europe/Nowhere"}),
    ],
)  # fmt: skip
def test_every_mistake_in_a_silence_is_told_by_its_field(values, wrong):
    wanted, mistakes = read_silence({"by": "anna", "for": "1h", "reason": "works", **values})
    assert mistakes.keys() == wrong.keys()
    assert all(words in mistakes[name] for name, words in wrong.items())
    assert wrong or wanted.labels == {"rule": "stuck"}


def test_a_form_with_a_mistake_comes_back_with_what_was_typed_and_the_mistake_at_its_field(viewer_of, told):
    viewer = viewer_of(width=390, java_script_enabled=False)
    page = viewer.open(f"/incidents/{incident_of(told, 'lost').id}")
    page.get_by_label("Your name").fill("clara")
    page.get_by_label("Note").fill('we <b>"move"</b> it')
    page.get_by_label("Silence for").fill("soon")
    with page.expect_response(lambda answer: answer.request.method == "POST") as posted:
        page.get_by_role("button", name="Silence", exact=True).click()
    assert posted.value.status == 422
    wrong = page.locator("[aria-invalid]")
    assert (wrong.count(), wrong.get_attribute("name"), wrong.input_value()) == (1, "for", "soon")
    assert "write 30m, 4h or 2d" in page.locator(f"#{wrong.get_attribute('aria-describedby')}").inner_text()
    assert page.get_by_label("Your name").input_value() == "clara"
    assert page.get_by_label("Note").input_value() == 'we <b>"move"</b> it'
    page.get_by_label("Silence for").fill("2h")
    page.get_by_role("button", name="Silence", exact=True).click()
    assert page.locator("[aria-invalid]").count() == 0
    assert 'we <b>"move"</b> it' in [each.reason for each in told.desk.incidents.silences(told.now_ns())]


def test_a_silence_with_a_mistake_comes_back_open_has_no_barriers_and_keeps_still(viewer_of):
    viewer = viewer_of(width=390)
    page = viewer.open("/incidents")
    page.get_by_text("Declare a silence").click()
    form = page.locator("form[action='/incidents']")
    for label, text in (("Your name", "clara"), ("Rule", "stuck"), ("For", "soon"), ("Why", "works")):
        form.get_by_label(label, exact=True).fill(text)
    form.get_by_role("button", name="Silence").click()
    assert form.get_by_label("For", exact=True).evaluate("each => each === document.activeElement")
    assert form.get_by_label("Why").input_value() == "works"
    assert page.locator("[data-topics]").count() == 0
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert viewer.complaints() == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_a_silence_says_what_it_would_cover_and_asks_again_when_nobody_knows_what_it_names(viewer_of, told):
    page = viewer_of(java_script_enabled=False).open("/incidents")
    page.get_by_text("Declare a silence").click()
    form = page.locator("form[action='/incidents']")
    form.get_by_label("Rule").fill("stuck")
    form.get_by_role("button", name="What would it cover?").click()
    stuck = incident_of(told, "stuck")
    assert f"{stuck.title} (incident {stuck.id})" in page.locator(".notice", has_text="It would cover").inner_text()
    for label, text in (("Your name", "clara"), ("Rule", "stuk"), ("Why", "works")):
        form.get_by_label(label).fill(text)
    form.get_by_role("button", name="Silence", exact=True).click()
    assert "did you mean 'stuck'?" in page.get_by_role("alert").first.inner_text()
    assert "works" not in [each.reason for each in told.desk.incidents.silences(told.now_ns())]
    form.get_by_role("button", name="Silence all the same").click()
    page.locator("tr", has_text="rule stuk").wait_for()


def test_who_acts_on_what_somebody_else_resolved_meanwhile_is_told_and_loses_nothing(viewer, told):
    incident = incident_of(told, "stuck")
    page = viewer.open(f"/incidents/{incident.id}")
    told.desk.resolve(incident.id, "bob")
    page.get_by_label("Your name").fill("clara")
    page.get_by_label("Note").fill("the CRM was down")
    page.get_by_role("button", name="Acknowledge").click()
    assert "was resolved by bob already" in page.get_by_role("alert").first.inner_text()
    page.get_by_role("button", name="Add the note").click()
    assert "the CRM was down" in page.locator("#record").inner_text()


@pytest.mark.parametrize("path", ["/incidents/999", "/incidents?rule=stuk"])
def test_what_is_not_there_is_said_and_leads_on(viewer, path):
    page = viewer.open(path, status=404)
    assert re.search("there is no|no rule .*did you mean 'stuck'", page.locator("main").inner_text().lower(), re.DOTALL)


@pytest.mark.parametrize(
    ("path", "mend"),
    [
        ("/incidents?show=none", "choose one of show=unresolved, show=resolved, show=all"),
        ("/incidents?state=open", "choose one of show=unresolved"),
        ("/rules?severity=nope", "choose one of critical, error, warning, info"),
    ],
)
def test_a_filter_that_there_is_not_is_refused_with_those_that_there_are(url, path, mend):
    answer = httpx.get(f"{url}{path}")
    assert (answer.status_code, mend in answer.text.lower()) == (422, True)


def test_hostile_words_in_an_incident_are_shown_as_text(viewer, told):
    incident = incident_of(told, "lost")
    hostile = "<script>alert(1)</script>\u202e'\""
    told.desk.note(incident.id, "eve<img src=x>", hostile)
    page = viewer.open(f"/incidents/{incident.id}")
    assert "<script>alert(1)</script>" in page.locator("#record").inner_text()
    assert page.locator("#record img, #record script").count() == 0


def test_where_nobody_watches_the_page_says_so(told, running):
    alone = replace(told, watched=Watched)
    with serving(site(create_api(alone), create_web(alone))) as url:
        page = running.new_page()
        assert page.goto(f"{url}/incidents").status == 404
        assert "nobody watches here" in page.locator("main").inner_text().lower()
        page.close()


def test_a_silence_by_schedule_is_listed_with_its_hours(viewer, told):
    page = viewer.open("/incidents")
    page.get_by_text("Declare a silence").click()
    form = page.locator("form[action='/incidents']")
    for label, text in (("Your name", "clara"), ("Rule", "stuck"), ("For", "30d"), ("Why", "closed at night")):
        form.get_by_label(label, exact=True).fill(text)
    form.get_by_label("Only then").fill("mon-fri 22:00-06:00 Europe/Berlin")
    form.get_by_role("button", name="Silence").click()
    row = page.locator("tr", has_text="closed at night")
    assert "in mon-fri 22:00-06:00 Europe/Berlin only" in row.inner_text()
    made = next(each for each in told.desk.incidents.silences(told.now_ns()) if each.reason == "closed at night")
    assert made.hours is not None
    assert made.hours.zone == "Europe/Berlin"


@pytest.mark.parametrize(
    ("unseen", "lead"), [((), "Nothing is wrong that 2 rules"), (("rules wait",), "not all is looked")]
)
def test_no_incident_reassures_nobody_while_not_all_is_looked_at(unseen, lead):
    none = Figure(0, None, None)
    read = Read(
        incidents=[], unresolved=[], detect=none, acknowledge=none, resolve=none, silences=[], channels=1, rules=2,
        any=False, name="", unseen=unseen, now_ns=NOON,
    )  # fmt: skip
    html = rendered("incidents/list.html", incidents_page("unresolved", "", False, read), NOON)
    assert lead in html
    assert ("Rules wait." in html) == bool(unseen)


def test_automated_actions_are_told_the_latest_first():
    runs = [
        ReactionRun(1, "asked", 1, "pod", RunState.WAITING_APPROVAL, 10),
        ReactionRun(2, "ended", 1, "pod", RunState.HELPED, 11, began_ns=12, ended_ns=40),
        ReactionRun(3, "begun", 1, "pod", RunState.RUNNING, 13, began_ns=20),
    ]
    assert [each.reaction for each in run_lines(runs)] == ["ended", "begun", "asked"]
