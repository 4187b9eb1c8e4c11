"""Publishes or works the cases with pika.

    with_pika.py sdk|auto shop|mes BROKER ENDPOINT PREFIX

Prints a line when a part is done; waits for a line before the second part and before its end.
"""

import sys
from collections import Counter
from contextlib import suppress

from tests.losses import cases, telemetry

flavour, role, broker, endpoint, prefix = sys.argv[1:]
order, end = telemetry.start(flavour == "sdk", "pika", role, endpoint)

import pika  # noqa: E402 - after its instrumentation
from pika.exceptions import UnroutableError  # noqa: E402


def publish(channel, case, number):
    with order(f"{prefix}-{case}-{number}"), suppress(UnroutableError):
        channel.basic_publish(case, cases.KEY, b"{}", mandatory=case == "unroutable")


def shop(channel):
    channel.confirm_delivery()
    for case in cases.CASES:
        publish(channel, case, 1)
    print("published", flush=True)
    sys.stdin.readline()
    for case in cases.AGAIN:
        publish(channel, case, 2)
    print("published", flush=True)
    sys.stdin.readline()


class Worker:
    def __init__(self, connection, met):
        self.met = met
        self.connection = connection
        self.channel = connection.channel()

    def consume(self, queue, leave_open=False):
        def on_message(channel, method, properties, body):
            self.met[queue] += 1
            if not leave_open:
                self.settle(queue, method, properties)

        self.channel.basic_consume(queue, on_message, consumer_tag=queue)

    def settle(self, queue, method, properties):
        if queue in cases.STOPPED:
            self.channel.basic_cancel(queue)
        match cases.settlement(queue, method.redelivered, properties.headers):
            case "ack":
                self.channel.basic_ack(method.delivery_tag)
            case "reject":
                self.channel.basic_reject(method.delivery_tag, requeue=False)
            case "requeue":
                self.channel.basic_nack(method.delivery_tag, requeue=True)

    def pull(self):
        method, _, _ = self.channel.basic_get(cases.PULLED)
        if method:
            self.met[cases.PULLED] += 1
            self.channel.basic_ack(method.delivery_tag)

    def until(self, wanted):
        while not wanted <= self.met:
            self.connection.process_data_events(0.05)


def mes(connection):
    met = Counter()
    fragile = Worker(pika.BlockingConnection(pika.URLParameters(broker)), met)
    for queue in cases.DROPPED:
        fragile.consume(queue, leave_open=True)
    worker = Worker(connection, met)
    for queue in cases.WORKED:
        worker.consume(queue)
    print("ready", flush=True)
    fragile.until(Counter(cases.DROPPED))
    fragile.connection.close()
    worker.consume("revived")
    while not met[cases.PULLED]:
        worker.pull()
    worker.until(cases.MET)
    print("met", flush=True)
    worker.until(cases.MET_AGAIN)
    print("met", flush=True)
    sys.stdin.readline()


with suppress(BrokenPipeError):
    connection = pika.BlockingConnection(pika.URLParameters(broker))
    if role == "shop":
        shop(connection.channel())
    else:
        mes(connection)
    connection.close()
end()
