"""Silences by schedule: declared over the API or by a command, they hold in their hours only and are listed with them."""

import json

import httpx
import pytest
from click.testing import CliRunner

from clew.api import create_api
from clew.api.times import moment
from clew.cli.main import main
from clew.notify.silences import holds
from clew.store.embedded import open_store
from tests.serving import serving
from tests.story import tell
from tests.watching import with_incidents

HOUR = 3_600 * 10**9
NIGHTS = {"zone": "Europe/Berlin", "on": "mon-fri", "from": "22:00", "to": "06:00"}
MONDAY = 1_795_388_400 * 10**9
"""2026-11-23 00:00 in Berlin."""


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    folder = tmp_path_factory.mktemp("silences")
    store = open_store(folder)
    deps, database = with_incidents(tell(store), folder)
    yield deps
    database.close()
    store.close()


@pytest.fixture(scope="module")
def url(told):
    with serving(create_api(told)) as url:
        yield url


def declare(url, **more):
    new = {"labels": {"rule": "stuck"}, "by": "anna", "reason": "nobody works at night", "for_s": 30 * 86_400}
    return httpx.post(f"{url}/api/v1/silences", json=new | more, timeout=60)


def kept(told, silence_id):
    return next(each for each in told.desk.incidents.silences(0) if each.id == silence_id)


def test_a_silence_with_hours_holds_in_these_only_from_its_begin_on(told, url):
    made = declare(url, hours=NIGHTS, from_at=moment(MONDAY)).json()
    assert made["hours"] == "mon-fri 22:00-06:00 Europe/Berlin"
    silence = kept(told, made["silence_id"])
    # Monday 21:59, 22:00, Tuesday 05:59 and 06:00, Saturday 05:59 (Friday's night) and 23:00, Sunday 23:00 before.
    moments = [21.99, 22, 29.98, 30, 5 * 24 + 5.98, 5 * 24 + 23, -1]
    assert [holds(silence, MONDAY + round(hours * HOUR)) for hours in moments] == [
        False, True, True, False, True, False, False,
    ]  # fmt: skip
    listed = httpx.get(f"{url}/api/v1/silences", timeout=60).json()["items"]
    assert [each["hours"] for each in listed if each["silence_id"] == silence.id] == [made["hours"]]


@pytest.mark.parametrize(
    ("hours", "cause"),
    [
        ({"on": "mon-fry"}, "'fry' is no day"),
        ({"from": "25:00"}, "'25:00' is no time of day"),
        ({"zone": "Berlin"}, "no time zone 'Berlin' is known"),
        ({"zone": "Berlin", "to": "6"}, "to: '6' is no time of day"),
        ({"at": "06:00"}, "at"),
    ],
)
def test_hours_that_are_none_are_refused_with_what_to_write(url, hours, cause):
    answer = declare(url, hours=hours)
    assert (answer.status_code, cause in answer.text) == (422, True), answer.text


def test_what_it_covers_is_answered_with_a_warning_of_labels_that_nobody_knows(url):
    made = declare(url, labels={"rule": "stuk"}, for_s=60).json()
    assert (made["covers"], made["incidents"], made["alerts"]) == ("nothing now", [], 0)
    assert made["warnings"] == ["no rule is called 'stuk': did you mean 'stuck'?"]
    asked = {"label": ["rule=stuck"]}
    covers = httpx.get(f"{url}/api/v1/silences/coverage", params=asked, timeout=60).json()
    assert (covers["warnings"], len(covers["incidents"])) == ([], 1)
    assert covers["covers"].startswith("1 unresolved incident with ")
    assert httpx.get(f"{url}/api/v1/silences/coverage", params={"label": "stuck"}, timeout=60).status_code == 422


def test_the_command_says_what_labels_cover_before_and_when_it_declares(url):
    tried = run(url, "--try", "--label", "rule=stuk")
    assert tried.output == "it covers nothing now\nno rule is called 'stuk': did you mean 'stuck'?\n"
    done = run(url, "--for", "1m", "--label", "rule=stuck", "--why", "n").output
    assert done.startswith("it covers 1 unresolved incident with ")
    assert "rule=stuck" in done


def test_incidents_of_a_rule_that_there_is_not_are_a_mistake_with_the_known_ones(url):
    answer = httpx.get(f"{url}/api/v1/incidents", params={"rule": "stuk"}, timeout=60)
    assert (answer.status_code, "did you mean 'stuck'?" in answer.text) == (422, True), answer.text
    done = CliRunner().invoke(main, ["incidents", "--rule", "stuk"], env={"CLEW_URL": url})
    assert (done.exit_code, "did you mean 'stuck'?" in done.output) == (2, True), done.output


def run(url, *arguments):
    return CliRunner().invoke(main, ["silence", *arguments], env={"CLEW_URL": url, "COLUMNS": "200"})


def test_a_command_declares_hours_and_lists_them(told, url):
    hours = "mon,wed-fri 22:00-06:00 Europe/Berlin"
    done = run(
        url,
        "--for",
        "30d",
        "--from",
        moment(MONDAY),
        "--hours",
        hours,
        "--label",
        "service=mes",
        "--why",
        "n",
        "--json",
    )
    assert done.exit_code == 0, done.output
    made = max(json.loads(done.output)["items"], key=lambda each: each["silence_id"])
    assert (made["hours"], made["from_at"]) == (hours, moment(MONDAY))
    silence = kept(told, made["silence_id"])
    assert [holds(silence, MONDAY + (day * 24 + 23) * HOUR) for day in range(4)] == [True, False, True, True]
    assert "mon,wed-fri" in run(url).output


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (["--for", "1d", "--label", "a=b", "--why", "n", "--hours", "at night"], "is no time of the week"),
        (["--for", "1d", "--label", "a=b", "--why", "n", "--hours", "mon 22-06"], "'22' is no time of day"),
        (
            ["--for", "1d", "--label", "a=b", "--why", "n", "--hours", "mon 22-06"],
            'write --hours "mon-fri 22:00-06:00 ',
        ),
        (["--end", "99"], "`clew silence` lists those that do"),
        (["--hours", "22:00-06:00"], "add --for and --label"),
        (["--try"], "give at least one --label"),
    ],
)
def test_the_command_says_what_is_wrong_with_hours(url, arguments, cause):
    done = run(url, *arguments)
    assert (done.exit_code != 0, cause in done.output) == (True, True), done.output
