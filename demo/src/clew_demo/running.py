"""Puts the demo together: ports, processes, people, the story; and takes it all down again."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from signal import SIGINT, SIGTERM
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
from pika.exceptions import AMQPError  # type: ignore[import-untyped]

from clew_demo import queues
from clew_demo.alarms import VENDORS
from clew_demo.answer import CLEW, Answer
from clew_demo.household import CantStart, Household, Ports
from clew_demo.ledger import Ledger
from clew_demo.load import plan
from clew_demo.people import Desk, Load, People
from clew_demo.place import Place, Troubles
from clew_demo.scene import Scene
from clew_demo.screen import Screen
from clew_demo.story import hear_answer, mend, play
from clew_demo.telling import book_of, end, hear_incidents, show_all, take
from clew_demo.vendors.pagerduty import ROUTING_KEY
from clew_demo.vendors.slack import TOKEN

FLOW = Path(__file__).parent / "flow.yaml"
NOTIFY = Path(__file__).parent / "notify.yaml"
# The preferred port of each listener, and its name for people.
PORTS = {
    "grpc": (4317, "OTLP/gRPC"),
    "otlp": (4318, "OTLP/HTTP"),
    "api": (4380, "Clew's pages and API"),
    "shop": (4401, "the shop"),
    "crm": (4402, "CRM"),
    "mes": (4403, "MES"),
    "broker": (4404, "the broker"),
    "slack": (4405, "the stand-in for Slack"),
    "pagerduty": (4406, "the stand-in for PagerDuty"),
}
# Service and module. The workshop is the last to start and the first to stop, as it needs the others.
SERVICES = {"shop-api": "shop_api", "crm-api": "crm_api", "mes-api": "mes_api", "mes": "workshop"}


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line asks for; empty URLs mean the stand-ins."""

    data: Path
    rabbitmq: str
    postgres: str
    seed: int
    once: bool
    groups: Sequence[Sequence[str]]


async def run(wishes: Wishes, screen: Screen) -> int:
    """The whole demo; the exit code. Ctrl-C and SIGTERM cancel it. Raises CantStart and TimeoutError."""
    _stop_on_signals(screen)
    await asyncio.to_thread(_check_servers, wishes)
    free = Ports()
    ports = {name: free.take(preferred) for name, (preferred, _) in PORTS.items()}
    _say_ports(ports, wishes, screen)
    place = _place(wishes, ports)
    household = Household(screen, _environ(place, ports))
    async with AsyncExitStack() as stack:
        stack.callback(free.close)
        stack.push_async_callback(household.stop_all)
        await _start(wishes, place, ports, household)
        people = People(place)
        stack.push_async_callback(people.close)
        desk = Desk(people, screen)
        load = Load(people, desk, plan(wishes.seed), screen)
        ledger = Ledger(wishes.data / "ledger.json")
        scene = Scene(wishes.data, place, people, desk, load, Troubles(place.troubles), ledger, household, screen)
        answer = Answer(_url(ports["api"]))
        return await _with_background([desk.work(), load.work()], _tell(wishes, scene, answer))


async def _tell(wishes: Wishes, scene: Scene, answer: Answer) -> int:
    await play(scene, wishes.groups)
    right = await hear_answer(scene, answer)
    right &= await hear_incidents(scene, answer)
    right &= await _end_trouble(scene, answer)
    if wishes.once:
        return 0 if right and not scene.household.fallen else 1
    scene.load.open.set()
    scene.screen.say(
        "demo", f"the shop goes on at {scene.place.shop} until Ctrl-C; in another terminal: {_hint(scene)}"
    )
    await asyncio.Event().wait()
    return 0


async def _end_trouble(scene: Scene, answer: Answer) -> bool:
    """Somebody takes an incident, what is broken is mended, and the incident is over; False when it isn't."""
    number = await take(scene, answer)
    await mend(scene)
    over = number is None or await end(scene, answer, number)
    await show_all(scene, answer)
    return over


def _hint(scene: Scene) -> str:
    harmed = next(iter(sorted(scene.ledger.order_ids)), "ORDER")
    return f"clew orders --watch, clew order {harmed}, clew incidents"


async def _with_background(background: Sequence[Coroutine[Any, Any, None]], work: Coroutine[Any, Any, int]) -> int:
    """The result of the work; an error in the background ends it, the work's end cancels the background."""
    main = asyncio.ensure_future(work)
    others = [asyncio.ensure_future(each) for each in background]
    try:
        await asyncio.wait([main, *others], return_when=asyncio.FIRST_COMPLETED)
        for other in others:
            if other.done():
                other.result()
        return await main
    finally:
        for task in (main, *others):
            task.cancel()
        await asyncio.gather(main, *others, return_exceptions=True)


async def _start(wishes: Wishes, place: Place, ports: Mapping[str, int], household: Household) -> None:
    """Clew, the broker and who is told first, then the services, all at once."""
    serve = [CLEW, "serve", "--data", str(wishes.data / "clew")]
    starts = [household.start("clew", serve, ready="Clew listens")]
    for name in VENDORS:
        vendor = [sys.executable, "-m", "clew_demo.vendors", name, str(ports[name]), str(book_of(wishes.data, name))]
        starts.append(household.start(name, vendor))
    if not wishes.rabbitmq:
        broker = [sys.executable, "-m", "clew_demo.broker.server", str(ports["broker"])]
        starts.append(household.start("broker", broker))
    await asyncio.gather(*starts)
    await asyncio.to_thread(queues.declare, place.broker)
    modules = {name: f"clew_demo.services.{module}" for name, module in SERVICES.items()}
    await asyncio.gather(*(household.start(name, [sys.executable, "-m", module]) for name, module in modules.items()))


def _check_servers(wishes: Wishes) -> None:
    """Raises CantStart, before anything runs, when a server from the command line can't be used."""
    for option, url, schemes in (
        ("--rabbitmq", wishes.rabbitmq, ("amqp", "amqps")),
        ("--postgres", wishes.postgres, ("postgresql", "postgres")),
    ):
        if url and urlsplit(url).scheme not in schemes:
            raise CantStart(f"{option} {_without_password(url)} can't be used: it must begin with {schemes[0]}://")
    try:
        if wishes.rabbitmq:
            queues.declare(wishes.rabbitmq)
    except (AMQPError, OSError) as error:
        raise CantStart(f"--rabbitmq {_without_password(wishes.rabbitmq)} can't be used: {error!r}") from error
    try:
        if wishes.postgres:
            psycopg.connect(wishes.postgres, connect_timeout=5).close()
    except psycopg.Error as error:
        raise CantStart(f"--postgres {_without_password(wishes.postgres)} can't be used: {error}") from error


def _place(wishes: Wishes, ports: Mapping[str, int]) -> Place:
    databases = wishes.data / "databases"
    databases.mkdir()
    return Place(
        broker=wishes.rabbitmq or f"amqp://guest:guest@127.0.0.1:{ports['broker']}/",
        database=wishes.postgres or str(databases),
        shop=_url(ports["shop"]),
        crm=_url(ports["crm"]),
        mes=_url(ports["mes"]),
        troubles=str(wishes.data / "troubles.json"),
    )


def _environ(place: Place, ports: Mapping[str, int]) -> dict[str, str]:
    """What the children find in their environment: the shop's addresses, OpenTelemetry's and Clew's settings."""
    return {
        **place.environ(),
        "OTEL_EXPORTER_OTLP_ENDPOINT": _url(ports["otlp"]),
        "OTEL_BSP_SCHEDULE_DELAY": "1000",  # spans every second, as the screen is watched
        "CLEW_OTLP_GRPC": f"127.0.0.1:{ports['grpc']}",
        "CLEW_OTLP_HTTP": f"127.0.0.1:{ports['otlp']}",
        "CLEW_API_LISTEN": f"127.0.0.1:{ports['api']}",
        "CLEW_FLOW": str(FLOW),
        "CLEW_NOTIFY": str(NOTIFY),
        "DEMO_SLACK_URL": _url(ports["slack"]),
        "DEMO_SLACK_TOKEN": TOKEN,
        "DEMO_PAGERDUTY_URL": _url(ports["pagerduty"]),
        "DEMO_PAGERDUTY_KEY": ROUTING_KEY,
        "CLEW_LOG_LEVEL": "warning",
    }


def _say_ports(ports: Mapping[str, int], wishes: Wishes, screen: Screen) -> None:
    stand_in = f"a stand-in for RabbitMQ that speaks AMQP, on port {ports['broker']}"
    broker = f"RabbitMQ at {_without_password(wishes.rabbitmq)}" if wishes.rabbitmq else stand_in
    postgres = f"PostgreSQL at {_without_password(wishes.postgres)}, a schema for each service"
    database = postgres if wishes.postgres else "SQLite as a stand-in for PostgreSQL, a file for each service"
    screen.say("demo", f"queue: {broker}")
    screen.say("demo", f"databases: {database}")
    screen.say("demo", f"shop: {_url(ports['shop'])}   Clew: {_url(ports['api'])}   data: {wishes.data}")
    for name, port in ports.items():
        preferred, people_say = PORTS[name]
        if port != preferred:
            screen.say("demo", f"port {preferred} is taken, using {port} for {people_say}")
    if ports["api"] != PORTS["api"][0]:
        screen.say("demo", f"for other terminals: export CLEW_URL={_url(ports['api'])}")


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _url(port: int, page: str = "") -> str:
    return f"http://127.0.0.1:{port}{page}"


def _stop_on_signals(screen: Screen) -> None:
    """The first Ctrl-C cancels the task that runs us; later ones change nothing, as all is being stopped."""
    me = asyncio.current_task()
    assert me is not None, "asyncio.run made one"
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for number in (SIGINT, SIGTERM):
            loop.add_signal_handler(number, lambda: None)
        screen.say("demo", "stopping everything")
        me.cancel()

    for number in (SIGINT, SIGTERM):
        loop.add_signal_handler(number, stop)
