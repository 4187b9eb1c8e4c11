"""The faults: each does real harm to the running shop and writes down which orders it harmed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from signal import SIGCONT, SIGKILL, SIGSTOP

import httpx

from clew_demo.database import open_database
from clew_demo.queues import APPROVED, Route, connect
from clew_demo.scene import Scene

LOCK_S = 1.5
SILENCE_S = 3.0
DOWN_S = 4.0
SURGE = 5


async def worker_stops(scene: Scene) -> None:
    """The workshop dies while an order is on the bench and forgets it: stuck."""
    order_id = await scene.priced_order("ida.worker")
    async with scene.desk.door:
        await scene.idle_workshop()
        await scene.people.decide(order_id, "approve")
        await scene.until(lambda: _in_making(scene, order_id), f"{order_id} is on the bench")
        await scene.household.stop("mes", SIGKILL)
        scene.plant("worker-stops", order_id, "stuck", note="was on the bench when the workshop was killed")
        await scene.household.restart("mes")


async def unbound_queue(scene: Scene) -> None:
    """The queue mes.orders loses its binding; the broker has nowhere to put an approval: lost."""
    order_id = await scene.priced_order("uwe.unbound")
    async with scene.desk.door:
        await asyncio.to_thread(_bind, scene.place.broker, APPROVED, False)
        await scene.people.decide(order_id, "approve")
        scene.plant("unbound-queue", order_id, "lost", "unroutable", "was approved while no queue was bound")
        await asyncio.to_thread(_bind, scene.place.broker, APPROVED, True)


async def dead_letter(scene: Scene) -> None:
    """A customer orders a metal that CRM doesn't know; CRM rejects the message: lost among the dead letters."""
    order_id = await scene.people.order("dora.letter", "mithril")
    await scene.people.upload(order_id)
    await scene.people.submit(order_id)
    scene.plant("dead-letter", order_id, "lost", "dead_lettered", "is of a metal that CRM can't read")


async def consumer_stops(scene: Scene) -> None:
    """The workshop goes home and nobody takes approvals from mes.orders: lost in the queue, until it is back."""
    order_id = await scene.priced_order("conny.queue")
    await scene.desk.door.acquire()
    await scene.idle_workshop()
    await scene.household.stop("mes")
    await scene.people.decide(order_id, "approve")
    scene.plant("consumer-stops", order_id, "lost", "in_queue", "was approved while nobody consumed the queue")

    async def mend() -> None:
        scene.screen.say("demo", f"the workshop comes back: {order_id} will move on, and Clew will take its word back")
        await scene.household.restart("mes")
        scene.desk.door.release()

    scene.mends.append(mend)


async def http_500(scene: Scene) -> None:
    """CRM can't promise a delivery date, so the Shop API answers 500 to "place the order": failed."""
    order_id = await scene.designed_order("hugo.error")
    scene.troubles.plan("http-500", order_id)
    with suppress(httpx.HTTPStatusError):
        await scene.people.submit(order_id)
    scene.plant("http-500", order_id, "failed", note="could not be placed, the shop answered 500")


async def mes_rejects(scene: Scene) -> None:
    """An order without 3D data reaches MES, which can't compute a price: failed."""
    order_id = await scene.people.order("mia.nomodel", "silver")
    await scene.people.submit(order_id)
    scene.plant("mes-rejects", order_id, "failed", note="was submitted without 3D data")


async def slow_db(scene: Scene) -> None:
    """A query of the MES database takes over 1000 ms: the order comes through, its trace shows where the time went."""
    order_id = await scene.designed_order("sven.slow")
    scene.troubles.plan("slow-db", order_id)
    await scene.people.submit(order_id)
    scene.plant("slow-db", order_id, "closed", note="waits over 1 s for the MES database")


async def lock_wait(scene: Scene) -> None:
    """Somebody holds a lock on the shop's row: the upload waits for it, and then goes on."""
    order_id = await scene.people.order("lena.lock", "gold")
    locked = asyncio.Event()
    holding = asyncio.create_task(asyncio.to_thread(_hold_lock, scene, order_id, asyncio.get_running_loop(), locked))
    await locked.wait()
    await scene.people.upload(order_id)
    await holding
    await scene.people.submit(order_id)
    scene.plant("lock-wait", order_id, "closed", note=f"waited {LOCK_S} s for a lock in the shop's database")


async def cancellation_surge(scene: Scene) -> None:
    """Many customers cancel within a moment: cancelled, each of them rightly."""
    orders = [await scene.designed_order(f"carl.{number}") for number in range(SURGE)]
    await asyncio.gather(*(scene.people.cancel(order_id) for order_id in orders))
    for order_id in orders:
        scene.plant("cancellation-surge", order_id, "cancelled", note="was cancelled")


async def silence(scene: Scene) -> None:
    """The Shop API freezes and sends nothing for a while; its customers wait, nothing is lost."""
    order_id = await scene.designed_order("silva.silent")
    scene.household.signal("shop-api", SIGSTOP)
    scene.screen.say("fault", f"silence: the Shop API is frozen for {SILENCE_S:.0f} s")
    submitting = asyncio.create_task(scene.people.submit(order_id))
    await asyncio.sleep(SILENCE_S)
    scene.household.signal("shop-api", SIGCONT)
    await submitting
    scene.plant("silence", order_id, "closed", note="was submitted to the frozen shop")


async def backend_down(scene: Scene) -> None:
    """Clew itself is killed; what happens meanwhile waits in the services' outboxes and arrives later."""
    await scene.household.stop("clew", SIGKILL)
    order_id = await scene.designed_order("bea.backend")
    await scene.people.submit(order_id)
    scene.plant("backend-down", order_id, "closed", note="was ordered while Clew was down")
    await asyncio.sleep(DOWN_S)
    await scene.household.restart("clew")
    scene.screen.say("fault", "backend-down: Clew is back")


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault by its name on the command line."""

    name: str
    play: Callable[[Scene], Awaitable[None]]

    @property
    def meaning(self) -> str:
        """What happens, in one sentence."""
        return (self.play.__doc__ or "").strip()


FAULTS = {
    fault.name: fault
    for fault in (
        Fault("worker-stops", worker_stops),
        Fault("unbound-queue", unbound_queue),
        Fault("dead-letter", dead_letter),
        Fault("consumer-stops", consumer_stops),
        Fault("http-500", http_500),
        Fault("mes-rejects", mes_rejects),
        Fault("slow-db", slow_db),
        Fault("lock-wait", lock_wait),
        Fault("cancellation-surge", cancellation_surge),
        Fault("silence", silence),
        Fault("backend-down", backend_down),
    )
}


async def _in_making(scene: Scene, order_id: str) -> bool:
    return order_id in await scene.people.in_making("MANUFACTURING_STARTED")


def _bind(url: str, route: Route, bound: bool) -> None:
    with closing(connect(url)) as connection:
        channel = connection.channel()
        (channel.queue_bind if bound else channel.queue_unbind)(route.queue, route.exchange, route.key)


def _hold_lock(scene: Scene, order_id: str, loop: asyncio.AbstractEventLoop, locked: asyncio.Event) -> None:
    database = open_database(scene.place.database, "shop-api")
    with database.transaction() as db:
        db.run("UPDATE orders SET state = state WHERE id = ?", order_id)
        loop.call_soon_threadsafe(locked.set)
        time.sleep(LOCK_S)
