"""From an order whose limit passes to the message that people get, and what watching costs.

orders --stage events--> Clew --rules, incidents, outbox--> a Slack on loopback, which checks messages by Slack's rules
"""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from os import getloadavg
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from bench.figures import Figure, percentile
from bench.process import Clew, Memory, running
from bench.sender import HttpConnection
from bench.stages import stage_request
from tests.fakes.server import Reply, Request
from tests.fakes.server import running as serving
from tests.fakes.slack import FakeSlack

_LIMIT_S = 5
_STORM_LIMIT_S = 45
_TOLD_WITHIN_S = 60.0
_A_REQUEST = 1_000
_BEGIN_S = 60.0
_STORM = "DEAD_WORKER"

_NOTIFY = """
notify: bench
version: 1
channels:
  slack: {kind: slack, webhook: env:BENCH_SLACK, allow_private: [127.0.0.1]}
policies:
  all: {steps: [{notify: [slack]}]}
routes: [{policy: all}]
limits: {per_minute: 600}
"""
_ONE_RULE = """
rules: bench
version: 1
alerts:
  clew-in-trouble:
    clew: {behind: 1m}
    title: Clew is in trouble
"""


class TimedSlack(FakeSlack):
    """Keeps when each message came (Unix ns)."""

    def __init__(self) -> None:
        """No message came yet."""
        super().__init__()
        self.came: list[tuple[int, dict[str, Any]]] = []

    def handle(self, request: Request) -> Reply:
        """Note the moment before anything else."""
        at_ns = time.time_ns()
        self.came.append((at_ns, request.json()))
        return super().handle(request)

    def of_stage(self, stage: str) -> list[int]:
        """When messages about orders that are stuck in a stage came."""
        return [at_ns for at_ns, message in list(self.came) if f"stuck in {stage}," in json.dumps(message)]


def _flow(stages: Mapping[str, int]) -> str:
    """A flow in which each of these stages has a limit, in seconds."""
    lines = ["flow: bench", "version: 1", "paths:", f"  b2c: [{', '.join(stages)}]", "stages:"]
    for name, limit_s in stages.items():
        lines.append(f"  {name}: {{meaning: a step, service: worker, limit: {limit_s}s, next: [CLOSED]}}")
    return "\n".join([*lines, "  CLOSED: {meaning: done, terminal: closed}", ""])


@contextmanager
def _watched(folder: Path, stages: Mapping[str, int]) -> Iterator[tuple[Clew, TimedSlack]]:
    """Clew with the shipped rules and that flow, which tells a Slack of everything."""
    folder.mkdir(parents=True, exist_ok=True)
    flow, notify = folder / "flow.yaml", folder / "notify.yaml"
    flow.write_text(_flow(stages), encoding="utf-8")
    notify.write_text(_NOTIFY, encoding="utf-8")
    with serving(TimedSlack) as slack:
        environ = {"CLEW_FLOW": str(flow), "CLEW_NOTIFY": str(notify), "BENCH_SLACK": f"{slack.url}{slack.hook}"}
        with running(folder / "data", environ) as clew:
            yield clew, slack
        if slack.wrong:
            raise RuntimeError(f"Slack would refuse: {slack.wrong[0]}")


def measure_delay(folder: Path, orders: int) -> Iterator[Figure]:
    """So many orders, one every few seconds, each in a stage of its own: so each is an incident of its own."""
    chance = random.Random(8)
    stages = [f"STEP_{number:03d}" for number in range(orders)]
    passed_ns: dict[str, int] = {}
    with _watched(folder, dict.fromkeys(stages, _LIMIT_S)) as (clew, slack):
        connection = HttpConnection(clew.http, "/v1/logs")
        for stage in stages:
            now_ns = time.time_ns()
            if connection.post(stage_request([(f"slow-{stage}", stage, now_ns)])) != 200:
                raise RuntimeError("a stage event was refused")
            passed_ns[stage] = now_ns + _LIMIT_S * 10**9
            time.sleep(chance.uniform(1.0, 7.0))
        connection.close()
        _wait(lambda: all(slack.of_stage(stage) for stage in stages))
        delays_s = [(min(slack.of_stage(stage)) - at_ns) / 1e9 for stage, at_ns in passed_ns.items()]
        messages = max(len(slack.of_stage(stage)) for stage in stages)
    yield Figure("load of the machine while it was measured", getloadavg()[1], "")
    yield Figure("orders that turned stuck, each an incident of its own", orders, "orders")
    yield Figure("limit passed to Slack's request, p50", percentile(delays_s, 50), "s")
    yield Figure("limit passed to Slack's request, p95", percentile(delays_s, 95), "s", at_most=15)
    yield Figure("limit passed to Slack's request, max", max(delays_s), "s")
    yield Figure("messages of one incident, most", messages, "messages", at_most=1)


def measure_storm(folder: Path, orders: int) -> Iterator[Figure]:
    """So many orders that wait for one worker, and whose limits pass at the same moment."""
    with _watched(folder, {_STORM: _STORM_LIMIT_S}) as (clew, slack):
        clew.settle()
        at_start_mb, begun_ns = clew.rss_mb(), time.time_ns()
        _send_all(clew, orders, begun_ns)
        passed_ns = begun_ns + _STORM_LIMIT_S * 10**9
        _wait(lambda: _journeys(clew) == orders)
        if time.time_ns() > passed_ns:
            raise RuntimeError("the limit passed before all journeys were known")
        before_mb, threads_before_s = clew.rss_mb(), clew.thread_s()
        with Memory(clew) as memory:
            _wait(lambda: bool(slack.of_stage(_STORM)))
            told_s = (slack.of_stage(_STORM)[0] - passed_ns) / 1e9
            opening_s = clew.thread_s().get("clew-rules", 0.0) - threads_before_s.get("clew-rules", 0.0)
            time.sleep(_TOLD_WITHIN_S)
        stuck = [each for each in _incidents(clew) if each["rule"] == "stuck"]
        notices = len(slack.of_stage(_STORM))
    yield Figure("load of the machine while it was measured", getloadavg()[1], "")
    yield Figure("orders that turned stuck at once", orders, "orders")
    yield Figure("… that the incident counts", sum(each["firing"] for each in stuck), "orders", at_least=orders)
    yield Figure("… their incidents", len(stuck), "incidents", at_most=1)
    yield Figure("… messages about them within a minute", notices, "messages", at_most=1)
    yield Figure("… limit passed to Slack's request", told_s, "s", at_most=10)
    yield Figure("… CPU of the thread clew-rules until then", opening_s, "s")
    yield Figure("memory at the start", at_start_mb, "MB")
    yield Figure("memory when all journeys were known", before_mb, "MB")
    yield Figure("memory at most", memory.most_mb, "MB", at_most=1_200)
    yield Figure("memory growth in the half minute after", memory.growth_mb_a_minute, "MB/min")


def measure_cost(folder: Path, filled: Path, seconds: float) -> Iterator[Figure]:
    """What the shipped rules cost: an idle server, and one with the open orders of a large store, which is copied."""
    yield Figure("load of the machine while it was measured", getloadavg()[1], "")
    yield from _spent(folder, folder / "empty", "idle", seconds, at_most=5)
    large = folder / "large"
    shutil.copytree(filled, large, symlinks=True, ignore=shutil.ignore_patterns("control*", "bench.*"))
    try:
        yield from _spent(folder, large, "many open orders", seconds, at_most=15)
    finally:
        shutil.rmtree(large)


def _spent(folder: Path, data: Path, name: str, seconds: float, at_most: float) -> Iterator[Figure]:
    rules = folder / "one-rule.yaml"
    rules.write_text(_ONE_RULE, encoding="utf-8")
    with running(data, {"CLEW_RULES": str(rules)}) as clew:
        clew.settle()
        without, _ = _share(clew, seconds)
    with running(data) as clew:
        time.sleep(_BEGIN_S)  # every rule has looked by then, and what stands was read and written
        began_s = clew.thread_s()["clew-rules"]
        whole, thread = _share(clew, seconds)
    yield Figure(f"{name}: CPU of the thread clew-rules in its first minute", began_s, "s")
    yield Figure(f"{name}: the thread clew-rules, share of a core", thread * 100, "%", at_most=at_most)
    yield Figure(f"{name}: the whole server, share of a core", whole * 100, "%")
    yield Figure(f"{name}: … with one rule only", without * 100, "%")
    yield Figure(f"{name}: so all rules take, the engine included", (whole - without) * 100, "%", at_most=at_most)


def _share(clew: Clew, seconds: float) -> tuple[float, float]:
    """The shares of a core that the whole process and the thread of the rules take."""
    began, before_s, thread_s = time.monotonic(), clew.cpu_s(), clew.thread_s()["clew-rules"]
    time.sleep(seconds)
    lasted_s = time.monotonic() - began
    return (clew.cpu_s() - before_s) / lasted_s, (clew.thread_s()["clew-rules"] - thread_s) / lasted_s


def _send_all(clew: Clew, orders: int, at_ns: int) -> None:
    connection = HttpConnection(clew.http, "/v1/logs")
    for first in range(0, orders, _A_REQUEST):
        numbers = range(first, min(orders, first + _A_REQUEST))
        if connection.post(stage_request([(f"storm-{each:05d}", _STORM, at_ns) for each in numbers])) != 200:
            raise RuntimeError("stage events were refused")
    connection.close()


def _journeys(clew: Clew) -> int:
    return int(clew.rows("SELECT count() AS n FROM orders FINAL")[0]["n"])


def _incidents(clew: Clew) -> list[dict[str, Any]]:
    with urlopen(f"http://127.0.0.1:{clew.api}/api/v1/incidents?limit=500", timeout=30) as answer:
        items: list[dict[str, Any]] = json.load(answer)["items"]
    return items


def _wait(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + _TOLD_WITHIN_S
    while not holds():
        if time.monotonic() > until:
            raise TimeoutError(f"it did not come within {_TOLD_WITHIN_S:g} s")
        time.sleep(0.1)
