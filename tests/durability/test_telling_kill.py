"""SIGKILL while orders turn stuck and vendors come and go: every incident is told, by one key, and none is doubled."""

from __future__ import annotations

import contextlib
import json
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from bench.process import Clew
from bench.sender import HttpConnection
from bench.stages import stage_request
from tests.fakes.pagerduty import FakePagerDuty
from tests.fakes.server import GONE, FakeServer, running
from tests.fakes.slack import FakeSlack

STAGES = [f"STEP_{number}" for number in range(6)]
KILLS = 2
WITHIN_S = 60.0
FLOW = "\n".join(
    ["flow: steps", "version: 1", f"paths: {{b2c: [{', '.join(STAGES)}]}}", "stages:"]
    + [f"  {name}: {{meaning: a step, service: worker, limit: 1s, next: [CLOSED]}}" for name in STAGES]
    + ["  CLOSED: {meaning: done, terminal: closed}", ""]
)
NOTIFY = """
notify: steps
version: 1
channels:
  slack: {kind: slack, api: env:TEST_SLACK, token: env:TEST_TOKEN, channel: C024BE91L, allow_private: [127.0.0.1]}
  duty: {kind: pagerduty, api: env:TEST_DUTY, routing_key: env:TEST_KEY, allow_private: [127.0.0.1]}
policies: {all: {steps: [{notify: [slack, duty]}]}}
routes: [{policy: all}]
limits: {per_minute: 600}
"""


@contextlib.contextmanager
def watched(folder: Path) -> Iterator[tuple[Clew, FakeSlack, FakePagerDuty]]:
    flow, notify = folder / "flow.yaml", folder / "notify.yaml"
    flow.write_text(FLOW)
    notify.write_text(NOTIFY)
    with running(FakeSlack) as slack, running(FakePagerDuty) as duty:
        secrets = {"TEST_SLACK": slack.api, "TEST_TOKEN": slack.token}
        secrets |= {"TEST_DUTY": duty.url, "TEST_KEY": duty.routing_key}
        clew = Clew(folder / "data", {"CLEW_FLOW": str(flow), "CLEW_NOTIFY": str(notify), **secrets})
        clew.start()
        try:
            yield clew, slack, duty
        finally:
            clew.stop()


def enter(clew: Clew, stage: str) -> None:
    """An order enters a stage, and is never heard of again; sent until Clew takes it."""
    body = stage_request([(f"order-of-{stage}", stage, time.time_ns())])
    connection = HttpConnection(clew.http, "/v1/logs")
    eventually(lambda: _posted(connection, body))
    connection.close()


def _posted(connection: HttpConnection, body: bytes) -> bool:
    with contextlib.suppress(OSError):
        return connection.post(body) == 200
    return False


def eventually(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < until, "it did not come"
        time.sleep(0.05)


def told_of(slack: FakeSlack) -> Counter[str]:
    """How many messages stand for the incident of each stage."""
    texts = [json.dumps(message) for message in slack.messages.values()]
    return Counter(stage for text in texts for stage in set(re.findall(r"stuck in (STEP_\d)", text)))


@pytest.mark.long
def test_every_incident_is_told_across_kills_with_one_key_and_none_is_doubled(tmp_path):
    chance = random.Random(5)
    with watched(tmp_path) as (clew, slack, duty):
        vendors: tuple[FakeServer, ...] = (slack, duty)
        for turn, stage in enumerate(STAGES):
            enter(clew, stage)
            for vendor in vendors:
                vendor.always = GONE if chance.random() < 0.4 else None
            time.sleep(chance.uniform(0.1, 0.9))
            if turn % 3 == 2 or turn == len(STAGES) - 1:
                clew.kill()
                clew.start()
        for vendor in vendors:
            vendor.always = None
        eventually(lambda: told_of(slack).keys() == set(STAGES) and len(duty.alerts) == len(STAGES))
        found = httpx.get(f"http://127.0.0.1:{clew.api}/api/v1/incidents?limit=100").json()["items"]

    assert Counter(each["labels"]["stage"] for each in found) == Counter(STAGES)
    assert {int(key.split("-")[1]) for key in duty.alerts} == {each["incident_id"] for each in found}
    assert sorted(duty.opened) == sorted(duty.alerts), "an alert was opened twice"
    # Slack has no key: a message that it took in the moment of a kill is sent again.
    assert sum(told_of(slack).values()) <= len(STAGES) + KILLS
    assert slack.wrong == duty.wrong == []
