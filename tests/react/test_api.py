"""Reactions over the API and by the command line."""

from dataclasses import dataclass, replace

import httpx
import pytest
from click.testing import CliRunner
from fastapi import APIRouter, Depends, FastAPI

from clew.api.errors import install_errors
from clew.api.known import only_known_parameters
from clew.api.reactions import reaction_routes
from clew.cli.main import main
from clew.model.errors import ControlError
from clew.model.week import WeekHours
from clew.react.load import default_reactions_text
from clew.react.world import World
from tests.react.builders import EAGER, HOUR, SECOND, a_reaction
from tests.react.shop import HOOK, Shop
from tests.serving import serving


@dataclass(frozen=True)
class Deps:
    reactions: World | None


def api(world):
    app = FastAPI(strict_content_type=False)
    install_errors(app)
    v1 = APIRouter(prefix="/api/v1", dependencies=[Depends(only_known_parameters)])
    v1.include_router(reaction_routes(Deps(world)))
    app.include_router(v1)
    return app


@pytest.fixture
def shop(database):
    asks = a_reaction("ask", HOOK, replace(EAGER, needs_approval=True, hours=WeekHours("week", "UTC", ((0, 10080),))))
    dry = a_reaction("dry", replace(HOOK, name="dry"), replace(EAGER, dry_run=True, help_within_ns=HOUR))
    here = Shop(database, asks, dry)
    here.open()
    here.step(SECOND)
    return here


@pytest.fixture
def url(shop):
    with serving(api(shop.world)) as url:
        yield url


@pytest.fixture
def ask(url):
    def request(method, path, status=200, **parts):
        answer = httpx.request(method, f"{url}/api/v1/reactions{path}", **parts)
        assert answer.status_code == status, answer.text
        return answer.json()

    return request


@pytest.fixture
def clew(url):
    def run(*arguments, code=0):
        done = CliRunner().invoke(main, ["reactions", *arguments], env={"CLEW_URL": url})
        assert done.exit_code == code, done.output + repr(done.exception)
        return done.output

    return run


def test_reactions_are_told_with_guards_and_last_run(ask):
    told = ask("GET", "")
    assert (told["name"], told["stopped"]) == ("shop", None)
    first, second = told["items"]
    assert (first["name"], first["does"], first["needs_approval"], first["hours"]) == (
        "ask", "call webhook restart-shop", True, "week",
    )  # fmt: skip
    assert (first["last"]["state"], second["last"]["state"]) == ("waiting_approval", "dry_run")
    assert (second["help_within_s"], second["cooldown_s"], second["rules"]) == (3600, 300, ["shop-errors"])


def test_runs_come_by_pages_and_by_what_one_looks_for(ask):
    page = ask("GET", "/runs", params={"limit": 1})
    assert [run["run_id"] for run in page["items"]] == [2]
    rest = ask("GET", "/runs", params={"limit": 1, "after": page["next"]})
    assert ([run["run_id"] for run in rest["items"]], rest["next"]) == ([1], None)
    assert len(ask("GET", "/runs", params={"reaction": "dry"})["items"]) == 1
    assert len(ask("GET", "/runs", params={"state": "waiting_approval"})["items"]) == 1
    assert ask("GET", "/runs", params={"incident": 9})["items"] == []
    assert ask("GET", "/runs", 422, params={"incidnet": 9})["error"]["code"] == "invalid_request"


def test_a_run_is_allowed_once_and_then_runs(ask, shop):
    assert ask("POST", "/runs/1/approve", json={"by": "ann\x1b[2J"})["approved_by"] == "ann [2J"
    error = ask("POST", "/runs/1/approve", 409, json={"by": "bob"})["error"]
    assert (error["code"], error["message"]) == ("went_on", "run 1 can't be approved any more: it was approved already")
    shop.step(SECOND)
    assert shop.poster.done == [1]
    assert ask("POST", "/runs/1/refuse", 409, json={"by": "bob"})["error"]["message"].endswith("it is done")
    assert ask("POST", "/runs/9/approve", 404, json={"by": "ann"})["error"]["message"] == "there is no run 9"
    assert ask("POST", "/runs/1/approve", 422, json={"by": ""})["error"]["code"] == "invalid_request"


def test_the_stop_switch_is_set_and_told(ask, shop):
    assert ask("POST", "/stop", json={"by": "ann", "reason": "moving"})["by"] == "ann"
    stopped = ask("GET", "")["stopped"]
    assert (stopped["by"], stopped["reason"]) == ("ann", "moving")
    shop.step(SECOND)
    assert ask("GET", "/runs", params={"state": "refused"})["items"] != []
    assert ask("POST", "/go", json={"by": "ann"})["stopped"] is None
    assert ask("GET", "")["stopped"] is None


def test_trying_tells_what_would_be_done_and_does_nothing(ask, shop):
    told = ask("POST", "/dry/try", params={"incident": 1})
    assert (told["step"], told["works"], told["result"]) == ("wait", True, "would call webhook dry")
    assert told["reason"] == "it is not known yet whether run 2 helps"
    assert told["until"] == "2026-11-18T12:06:41.000000000Z"
    assert shop.poster.done == []
    assert (
        ask("POST", "/nothing/try", 404, params={"incident": 1})["error"]["mend"]
        == "name one that is declared: ask, dry"
    )
    assert ask("POST", "/dry/try", 404, params={"incident": 9})["error"]["message"] == "there is no incident 9"


def test_where_none_are_declared_that_is_said():
    with serving(api(None)) as url:
        answer = httpx.get(f"{url}/api/v1/reactions")
    assert (answer.status_code, answer.json()["error"]["message"]) == (404, "no reactions are declared here")


def test_the_commands_tell_the_same(clew, shop):
    told = clew("list")
    assert "waits for approval" in told
    assert "needs approval, at most 2 an hour, 5 min between runs, only in the hours week" in told
    assert "call webhook restart-shop" in clew("history")
    assert "no reaction has run here" in clew("history", "--incident", "9")
    assert clew("history", "--json").startswith("{")
    assert (
        clew("approve", "1", "--by", "ann")
        == "run 1 of ask was approved by ann; it begins as soon as its guards let it\n"
    )
    assert "run 1 can't be approved any more" in clew("approve", "1", "--by", "ann", code=1)
    assert clew("refuse", "1", "--why", "not now", "--by", "bob") == "run 1 of ask was refused by bob\n"
    assert "refused by bob: not now" in clew("history")
    assert clew("stop", "--why", "moving", "--by", "ann").startswith("all reactions are stopped by ann")
    assert "stopped by ann" in clew("list")
    assert clew("go") == "2 reactions may begin again\n"
    assert "now it would wait until " in clew("try", "dry", "--incident", "1")
    shop.poster.fails = "there is no way"
    assert "its action could not be done" in clew("try", "dry", "--incident", "1", code=1)
    assert "there is no reaction nothing" in clew("try", "nothing", "--incident", "1", code=3)


def test_a_file_is_checked_without_a_server(tmp_path):
    path, program = tmp_path / "reactions.yaml", tmp_path / "free-disk"

    def check(text, code):
        path.write_text(text)
        done = CliRunner().invoke(main, ["reactions", "check", str(path)], env={"FLOOR_SECRET": "hunter2"})
        assert done.exit_code == code, done.output
        return done.output

    assert CliRunner().invoke(main, ["reactions", "example"]).output == default_reactions_text()
    told = check(default_reactions_text(), 1)
    assert "has no mistakes, but names 3 things that can't be used here" in told
    assert "clusters.shop.token_file" in told
    assert "there is no program /usr/local/bin/free-disk\n  mend: install it, or correct its path" in told
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    here = default_reactions_text().replace("/usr/local/bin/free-disk", str(program))
    for name in ("clew-token", "clew-ca.crt"):
        (tmp_path / name).write_text("x")
        here = here.replace(f"/run/secrets/{name}", str(tmp_path / name))
    assert "is right: jeweller version 1, 5 reactions, all of them dry runs" in check(here, 0)
    acting = here.replace("      dry_run: true\n", "      dry_run: false\n", 1)
    assert "acting: restart-mes-worker" in check(acting, 0)
    assert "there is no rule 'dead-queues'\n  mend: did you mean 'dead-queue'?" in check(
        here.replace("[dead-queue]", "[dead-queues]"), 1
    )
    told = check(here.replace("most: 6", "most: 1"), 1)
    assert "'most' is below 'least'" in told
    assert "mend: let 'most' be the larger one" in told


def test_a_control_database_that_is_away_is_told_to_come_back(ask, shop, monkeypatch):
    def away():
        raise ControlError("the control database failed: the disk is full")

    monkeypatch.setattr(shop.runs, "stopped", away)
    error = ask("GET", "", 503)["error"]
    assert (error["code"], error["message"]) == ("unavailable", "the control database failed: the disk is full")
