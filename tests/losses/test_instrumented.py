"""What Clew says of messages that real instrumentations tell of, over a real RabbitMQ.

Two processes a flavour, shop and mes, play every case of cases.py while their telemetry goes to a receiver; then the
detector looks at what arrived, with a clock that is beyond every transit limit.
"""

import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pika
import pytest

from clew.flow import parse_flow
from clew.journey.judge import judge, loss_sentence, verdict_kind
from clew.journey.losses import LossDetector
from clew.journey.rebuild import rebuild
from clew.model.event import StageEvent
from clew.model.journey import VerdictKind
from clew.store.embedded import open_store
from clew.store.facts import read_losses
from clew.store.hops import order_messages
from clew.store.order_spans import order_scope
from tests.losses import cases
from tests.receive.serving import fake_server

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
MINUTE = 60 * 10**9
FLOW = parse_flow(
    """
flow: rings
version: 1
paths: {b2c: [ORDERED]}
stages:
  ORDERED: {service: shop, limit: 30m, next: [MADE]}
  MADE: {service: mes, terminal: closed}
transit: {"*": 5m}
"""
)
PYTHON = {
    "sdk-pika": ("with_pika.py", "sdk"),
    "sdk-aio-pika": ("with_aio_pika.py", "sdk"),
    "pika": ("with_pika.py", "auto"),
    "aio-pika": ("with_aio_pika.py", "auto"),
}
NODE = {"node": "child", "node-links": "links"}
FLAVOURS = (*PYTHON, *NODE)


SAID = {
    # well in the end, whatever happened on the way
    **{case: dict.fromkeys(FLAVOURS) for case in ("well", "redelivered", "revived", "retried", "delayed")},
    # nobody but clew-sdk tells of pull consumers
    "pulled": dict.fromkeys(FLAVOURS, "unknown") | {"sdk-pika": None, "sdk-aio-pika": None},
    # no consumer was ever seen there: perhaps one pulls
    "never": dict.fromkeys(FLAVOURS, "unknown"),
    "stopped": dict.fromkeys(FLAVOURS, "in_queue"),
    "unroutable": dict.fromkeys(FLAVOURS, "unknown")
    | {"sdk-pika": "unroutable", "sdk-aio-pika": "unroutable", "pika": "unroutable"},
    "rejected": dict.fromkeys(FLAVOURS, "rejected") | {"pika": None, "aio-pika": None},
    "dead": dict.fromkeys(FLAVOURS, "rejected") | {"pika": None, "aio-pika": None},
    "buried": dict.fromkeys(FLAVOURS) | {"sdk-pika": "dead_lettered", "sdk-aio-pika": "dead_lettered"},
    "crashed": dict.fromkeys(FLAVOURS, "in_queue") | {"pika": None, "aio-pika": None},
    "expired": dict.fromkeys(FLAVOURS) | {"sdk-pika": "expired", "sdk-aio-pika": "expired"},
}
SENTENCES = {
    "never": "published to never:order.created 10 min ago by shop, and no trace of it since",
    "stopped": "published to stopped:order.created 10 min ago by shop, nobody consumed it",
    "unroutable": "published to unroutable:order.created 10 min ago by shop, but no queue is bound there, so the broker returned it",
    "rejected": "published to rejected:order.created 10 min ago by shop, rejected from rejected and not seen since (by mes)",
    "dead": "published to dead:order.created 10 min ago by shop, rejected from dead and not seen since (by mes)",
    "buried": "published to buried:order.created 10 min ago by shop, dead-lettered from buried (rejected there; taken from the dead-letter queue by mes)",
    "crashed": "published to crashed:order.created 10 min ago by shop, waits in crashed, nobody consumed it (mes broke off while it had it)",
    "expired": "published to expired:order.created 10 min ago by shop, expired in expired before anybody took it (taken from the dead-letter queue by mes)",
}
TOLD_AT_ONCE = {"unroutable", "rejected", "dead_lettered", "expired"}


class Played:
    """All flavours, played to the end; what was said then, and what was said ten minutes later."""

    def __init__(self, store):
        self.store = store
        self.ahead_ns = 0
        self.detector = self.new_detector()

    def new_detector(self):
        return LossDetector(self.store, lambda: [FLOW], lambda: time.time_ns() + self.ahead_ns)

    def losses(self):
        ids = [order_of(flavour, case) for flavour in FLAVOURS for case in cases.CASES]
        return {key: [each.loss for each in said if each.loss] for key, said in read_losses(self.store, ids).items()}

    def reasons(self):
        found = defaultdict(dict)
        losses = self.losses()
        for case in cases.CASES:
            for flavour in FLAVOURS:
                reasons = [each.reason.value for each in losses.get(order_of(flavour, case), ())]
                assert len(reasons) <= 1, (case, flavour, reasons)
                found[case][flavour] = reasons[0] if reasons else None
        return found


def order_of(flavour, case):
    return f"{flavour}-{case}-{2 if case in cases.AGAIN else 1}"


@pytest.fixture(scope="module")
def played(rabbitmq, rabbitmq_vhosts, node_modules, tmp_path_factory):
    work = tmp_path_factory.mktemp("losses")
    brokers = {flavour: rabbitmq.url(next(rabbitmq_vhosts)) for flavour in FLAVOURS}
    store = open_store(work / "data")
    with fake_server(store) as server, ThreadPoolExecutor(len(FLAVOURS)) as pool:
        endpoint = f"http://127.0.0.1:{server.http}"
        for flavour in FLAVOURS:
            (work / flavour).mkdir()
        list(pool.map(lambda flavour: play(flavour, brokers[flavour], endpoint, work / flavour), FLAVOURS))
        result = Played(store)
        result.detector.run()
        result.at_once = result.reasons()
        result.ahead_ns = 10 * MINUTE
        result.detector.run()
        result.later = result.reasons()
        yield result
    store.close()


def play(flavour, broker, endpoint, work):
    connection = pika.BlockingConnection(pika.URLParameters(broker))
    cases.declare(connection.channel())
    connection.close()
    with (work / "errors").open("w") as errors:
        mes = start(flavour, "mes", broker, endpoint, work, errors)
        expect(mes, "ready")
        shop = start(flavour, "shop", broker, endpoint, work, errors)
        expect(shop, "published")
        expect(mes, "met")
        go_on(shop)
        expect(shop, "published")
        expect(mes, "met")
        for process in (shop, mes):
            go_on(process)
            assert process.wait(60) == 0, (work / "errors").read_text()
            process.stdin.close()
            process.stdout.close()


def start(flavour, role, broker, endpoint, work, errors):
    if flavour in NODE:
        named = {key: value for key, value in vars(cases).items() if key.isupper()}
        command = ["node", "losses.mjs", NODE[flavour], role, broker, endpoint, flavour, json.dumps(named)]
    else:
        script, telemetry = PYTHON[flavour]
        command = [sys.executable, str(HERE / script), telemetry, role, broker, endpoint, flavour]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "WORK": str(work), "OTEL_BSP_SCHEDULE_DELAY": "200"}
    where = ROOT / "tests/node" if flavour in NODE else ROOT
    return subprocess.Popen(
        command, cwd=where, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
    )


def expect(process, word):
    line = process.stdout.readline().strip()
    assert line == word, f"{process.args}: {line!r} instead of {word!r}; exit code {process.poll()}"


def go_on(process):
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.mark.parametrize("case", cases.CASES)
def test_what_is_said_is_what_can_be_known(played, case):
    assert played.later[case] == SAID[case]


def test_what_the_broker_says_outright_needs_no_waiting_and_nothing_else_is_said_early(played):
    for case, said in SAID.items():
        assert played.at_once[case] == {
            flavour: reason if reason in TOLD_AT_ONCE else None for flavour, reason in said.items()
        }, case


def test_messages_that_were_taken_were_never_said_to_be_lost(played):
    rows = played.store.rows("SELECT order_ids FROM hop_losses WHERE state = 'lost'")
    named = {order_id for row in rows for order_id in row["order_ids"]}
    first = {f"{flavour}-{case}-1" for flavour in FLAVOURS for case in cases.AGAIN}
    well = {order_of(flavour, case) for case in ("well", "delayed", "redelivered", "revived") for flavour in FLAVOURS}
    assert not named & (first | well)


@pytest.mark.parametrize("flavour", ["sdk-pika", "sdk-aio-pika"])
@pytest.mark.parametrize("case", SENTENCES)
def test_the_sentence_tells_what_happened(played, flavour, case):
    (loss,) = played.losses()[order_of(flavour, case)]
    assert loss_sentence(loss, loss.published_ns + 10 * MINUTE) == SENTENCES[case]


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_silence_alone_makes_an_order_lost_only_when_it_is_late(played, flavour):
    order_id = order_of(flavour, "never")
    (loss,) = played.losses()[order_id]
    begun_ns = loss.published_ns - 10**6
    journey = rebuild(order_id, [StageEvent(order_id, "ORDERED", begun_ns, service="shop")], FLOW, [loss])
    assert verdict_kind(journey, begun_ns + 29 * MINUTE) is not VerdictKind.LOST
    assert verdict_kind(journey, begun_ns + 31 * MINUTE) is VerdictKind.LOST
    assert judge(journey, FLOW, begun_ns + 31 * MINUTE).reason.endswith("and no trace of it since")


@pytest.mark.parametrize("flavour", FLAVOURS)
@pytest.mark.parametrize(("case", "times"), [("well", 1), ("redelivered", 2), ("revived", 2), ("retried", 2)])
def test_every_delivery_is_known(played, flavour, case, times):
    scope = order_scope(played.store, order_of(flavour, case))
    messages = [each for each in order_messages(played.store, scope.ids, scope.traces) if not each.wrapped]
    assert [len(each.deliveries) for each in messages] == [times]


def test_another_detector_on_the_same_store_has_nothing_to_add(played):
    assert played.new_detector().run() == 0
