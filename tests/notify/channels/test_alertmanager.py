"""A real Alertmanager takes what Clew sends, and ends what Clew ends or stops telling."""

import dataclasses
import json
import time
import urllib.request

import pytest

from clew.model.incident import NoticeKind
from clew.model.rule import Severity
from tests.notify.channels.notices import INCIDENT, MINUTE, NOTICE, notice, open_channel
from tests.services.alertmanager import start_alertmanager
from tests.services.packages import Unavailable


@pytest.fixture(scope="module")
def alertmanager():
    try:
        running = start_alertmanager()
    except Unavailable as missing:
        pytest.skip(str(missing))
    yield running
    running.server.stop()


def firing(alertmanager, incident_id):
    query = f"{alertmanager.url}/api/v2/alerts?filter=clew_incident%3D%22{incident_id}%22"
    with urllib.request.urlopen(query, timeout=60) as answer:
        return json.load(answer)


def test_an_incident_fires_changes_and_ends_in_a_real_alertmanager(alertmanager):
    now_ns = time.time_ns()
    about = dataclasses.replace(
        INCIDENT, id=77, since_ns=now_ns - MINUTE, opened_ns=now_ns, title="Stuck \U0001f48d & <late>",
        labels={"stage": "SUBMITTED", "order.path": "b2c", "1st": "x", "empty": ""},
    )  # fmt: skip
    channel = open_channel(f"{{kind: alertmanager, urls: ['{alertmanager.url}'], allow_private: [127.0.0.1]}}")
    refs = channel.sender.send(notice(incident=about), now_ns)
    (alert,) = firing(alertmanager, 77)
    assert alert["status"]["state"] in ("active", "unprocessed")
    assert alert["labels"] == {
        "alertname": "stuck orders", "severity": "error", "clew_incident": "77", "stage": "SUBMITTED",
        "order_path": "b2c", "_1st": "x",
    }  # fmt: skip
    assert alert["annotations"]["summary"] == "Stuck \U0001f48d & <late>"
    assert alert["generatorURL"] == NOTICE.url
    worse = dataclasses.replace(about, severity=Severity.CRITICAL)
    refs = channel.sender.send(notice(NoticeKind.UPDATED, 2, incident=worse, refs=refs), now_ns)
    assert [each["labels"]["severity"] for each in firing(alertmanager, 77)] == ["critical"]
    channel.sender.remind([notice(incident=worse, refs=refs)], time.time_ns())
    channel.sender.send(notice(NoticeKind.RESOLVED, 3, incident=worse, refs=refs), time.time_ns())
    assert firing(alertmanager, 77) == []
