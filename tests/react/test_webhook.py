import json
from dataclasses import replace

import pytest

from clew.model.reaction import Webhook
from clew.react.actions import perform as performing
from clew.react.actions.contract import Occasion
from clew.react.actions.failures import ActionFailed, ActionPassing
from clew.react.actions.perform import PAUSES_S, perform
from clew.react.actions.webhook import call_webhook
from clew.react.outside import outside_of
from tests.fakes.server import BROKEN, BUSY, GONE, FakeServer, Reply, running
from tests.fakes.webhook import genuine
from tests.react.builders import COMMAND, INCIDENT, NOW, SECOND

OCCASION = Occasion("tell", 7, INCIDENT, NOW, dry=False)


class Floor(FakeServer):
    """A program that takes what is signed."""

    def answer(self, request):
        right = genuine(request.body, request.headers.get("clew-signature", ""), "hunter2", NOW / 1e9)
        return Reply(204) if right else Reply(401, b"wrong signature, not hunter2")


@pytest.fixture
def floor():
    with running(Floor) as fake:
        yield fake


@pytest.fixture
def outside(tmp_path, floor):
    (tmp_path / "url").write_text(f"{floor.url}/hook/hunter4\n")
    return outside_of({"SECRET": "hunter2", "NOTHING": "floor"}, tmp_path, lambda: NOW)


@pytest.fixture
def hook(floor):
    return Webhook("tell", f"{floor.url}/clew", "env:SECRET", ("127.0.0.1",), 30 * SECOND)


def test_a_program_is_told_by_a_signed_post(floor, hook, outside):
    assert call_webhook(hook, OCCASION, outside) == "webhook tell answered 204"
    (request,) = floor.requests
    assert (request.method, request.path, request.headers["clew-run"]) == ("POST", "/clew", "7")
    assert json.loads(request.body) == {
        "reaction": "tell", "run": 7, "at_unix_s": NOW // SECOND,
        "incident": {
            "id": 1, "rule": "shop-errors", "title": "Shop API fails", "severity": "error", "state": "open",
            "reason": "", "labels": {"service": "shop-api"}, "firing": 1,
        },
    }  # fmt: skip


def test_an_address_may_be_a_secret(floor, hook, outside):
    secret = replace(hook, url="file:url")
    assert call_webhook(secret, OCCASION, outside) == "webhook tell answered 204"
    floor.always = Reply(404, b"/hook/hunter4 is not here")
    with pytest.raises(ActionFailed, match="answers 404") as caught:
        call_webhook(secret, OCCASION, outside)
    assert "hunter4" not in str(caught.value)


def test_a_dry_run_sends_nothing(floor, hook, outside):
    assert call_webhook(hook, replace(OCCASION, dry=True), outside) == "would call webhook tell"
    assert floor.requests == []


@pytest.mark.parametrize("dry", [True, False])
def test_an_address_that_is_not_public_is_refused_unless_allowed(floor, hook, outside, dry):
    with pytest.raises(ActionFailed, match="is not public; allow it with allow_private"):
        call_webhook(replace(hook, allow_private=()), replace(OCCASION, dry=dry), outside)
    assert floor.requests == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"secret": "env:NOWHERE"}, "webhook tell can't be called: the variable NOWHERE is not set; set it"),
        ({"url": "env:NOTHING"}, "env:NOTHING holds no address; write https://… there"),
        ({"url": "https://x:99999/"}, "this is no address that can be called"),
        ({"url": "http://169.254.169.254/latest", "allow_private": ("169.254.169.254",)}, "which no channel may call"),
    ],
)
def test_what_is_missing_or_may_not_be_called_is_told(hook, outside, change, told):
    with pytest.raises(ActionFailed) as caught:
        call_webhook(replace(hook, **change), OCCASION, outside)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [(BUSY, ActionPassing), (BROKEN, ActionPassing), (GONE, ActionPassing), (Reply(slow_s=30), ActionPassing),
     (Reply(400, b"no"), ActionFailed), (Reply(401, b"hunter2"), ActionFailed),
     (Reply(302, headers={"location": "http://127.0.0.1:1/"}), ActionFailed)],
)  # fmt: skip
def test_what_fails_is_told_apart_and_shows_no_secret(floor, hook, outside, fault, kind):
    floor.always = fault
    hook = replace(hook, timeout_ns=2 * SECOND if fault.slow_s else hook.timeout_ns)
    with pytest.raises(ActionFailed) as caught:
        call_webhook(hook, OCCASION, outside)
    assert type(caught.value) is kind
    assert "hunter" not in str(caught.value)
    assert len(floor.requests) == 1


def test_what_may_pass_is_tried_three_times_as_the_same_run(floor, hook, outside):
    rests = []
    floor.faults = [BROKEN, BUSY]
    assert perform(hook, OCCASION, outside, rests.append) == "webhook tell answered 204"
    assert rests == list(PAUSES_S)
    assert {request.headers["clew-run"] for request in floor.requests} == {"7"}
    floor.always = BROKEN
    with pytest.raises(ActionFailed, match=r"answers 500 .*\(tried 3 times\)") as caught:
        perform(hook, OCCASION, outside, rests.append)
    assert type(caught.value) is ActionFailed
    assert len(floor.requests) == 6


def test_what_will_not_pass_is_tried_once(floor, hook, outside):
    floor.always = Reply(400)
    with pytest.raises(ActionFailed):
        perform(hook, OCCASION, outside, lambda _: None)
    assert len(floor.requests) == 1


def test_a_command_is_performed_as_well(outside):
    assert (
        performing.perform(COMMAND, OCCASION, outside, lambda _: None) == "command /bin/true is done, and said nothing"
    )
