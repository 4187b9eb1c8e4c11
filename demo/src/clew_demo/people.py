"""What people do to the shop, over HTTP: customers and partners order, the manager approves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from clew_demo.load import PlannedOrder
from clew_demo.place import Place
from clew_demo.screen import Screen

TIMEOUT_S = 20.0
LOOK_S = 0.4


class People:
    """One method for each act; all raise httpx.HTTPStatusError when the shop answers with an error."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._client = httpx.AsyncClient(timeout=TIMEOUT_S)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def order(self, customer: str, metal: str) -> str:
        """A customer begins an order in the shop; its id."""
        answer = await self._post(f"{self._place.shop}/orders", form={"customer": customer, "metal": metal})
        return answer.headers["location"].rpartition("/")[2]

    async def upload(self, order_id: str) -> None:
        """The customer uploads the 3D model."""
        await self._post(f"{self._place.shop}/orders/{order_id}/model", form={"model": f"{order_id}.stl"})

    async def submit(self, order_id: str) -> None:
        """The customer presses "place the order"."""
        await self._post(f"{self._place.shop}/orders/{order_id}/submit")

    async def cancel(self, order_id: str) -> None:
        """The customer thinks better of it."""
        await self._post(f"{self._place.shop}/orders/{order_id}/cancel")

    async def partner_order(self, customer: str, metal: str) -> str:
        """A partner brings a model; the order's id."""
        message = {"customer": customer, "metal": metal, "model": "partner.stl"}
        answer = await self._post(f"{self._place.mes}/orders", json=message)
        return str(answer.json()["order_id"])

    async def partner_price(self, order_id: str) -> None:
        """The partner asks for the price, which makes it a deal."""
        await self._post(f"{self._place.mes}/orders/{order_id}/price")

    async def decide(self, order_id: str, word: str) -> None:
        """The manager's word on a deal: ``approve``, ``hold`` or ``resume``."""
        await self._post(f"{self._place.crm}/deals/{order_id}/{word}")

    async def deals(self, state: str) -> list[str]:
        """The orders whose deals are in that state."""
        answer = await self._client.get(f"{self._place.crm}/deals", params={"state": state})
        return [str(order_id) for order_id in answer.raise_for_status().json()]

    async def in_making(self, stage: str) -> list[str]:
        """The orders of which the workshop last reported that stage."""
        answer = await self._client.get(f"{self._place.mes}/orders", params={"state": stage})
        return [str(order_id) for order_id in answer.raise_for_status().json()]

    async def _post(
        self, url: str, form: dict[str, str] | None = None, json: dict[str, str] | None = None
    ) -> httpx.Response:
        answer = await self._client.post(url, data=form, json=json)
        if answer.is_error:
            answer.raise_for_status()
        return answer


class Desk:
    """The manager's desk: every priced deal is approved after a while, some are held first.

    Orders in ``reserved`` are left to the faults; with ``door`` locked nothing is approved.
    """

    def __init__(self, people: People, screen: Screen) -> None:
        self._people, self._screen = people, screen
        self._seen: set[str] = set()
        self._plans: dict[str, PlannedOrder] = {}
        self.reserved: set[str] = set()
        self.door = asyncio.Lock()

    def expect(self, order_id: str, planned: PlannedOrder) -> None:
        """How the manager will treat this order."""
        self._plans[order_id] = planned

    async def work(self) -> None:
        """Look for priced deals until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                with _told(self._screen, "the manager can't see the deals"):
                    for order_id in await self._people.deals("priced"):
                        if order_id not in self._seen and order_id not in self.reserved:
                            self._seen.add(order_id)
                            tasks.create_task(self._decide(order_id))
                await asyncio.sleep(LOOK_S)

    async def _decide(self, order_id: str) -> None:
        with _told(self._screen, f"the manager can't decide on {order_id}"):
            await self._approve(order_id)

    async def _approve(self, order_id: str) -> None:
        planned = self._plans.get(order_id)
        if planned is not None:
            await asyncio.sleep(planned.decide_s)
            if planned.held_s:
                await self._people.decide(order_id, "hold")
                await asyncio.sleep(planned.held_s)
                await self._people.decide(order_id, "resume")
        async with self.door:
            await self._people.decide(order_id, "approve")


class Load:
    """Sends the planned orders through the shop, each at its own pace."""

    def __init__(self, people: People, desk: Desk, plan: Iterator[PlannedOrder], screen: Screen) -> None:
        self._people, self._desk, self._plan, self._screen = people, desk, plan, screen
        self._running: set[asyncio.Task[None]] = set()
        self.open = asyncio.Event()
        self.open.set()

    async def work(self) -> None:
        """New orders while the shop is open, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for planned in self._plan:
                await asyncio.sleep(planned.pause_s)
                await self.open.wait()
                # One after the other up to here, so that the same seed gives the same ids to the same orders.
                with _told(self._screen, f"{planned.customer} can't order"):
                    order_id = await self._begin(planned)
                    task = tasks.create_task(self._go_on(order_id, planned))
                    self._running.add(task)
                    task.add_done_callback(self._running.discard)

    async def settled(self, but: set[str]) -> None:
        """Return when every order that was begun has ended, those in ``but`` aside."""
        while self._running:
            await asyncio.wait(self._running)
        while await self.unfinished() - but:  # noqa: ASYNC110 - what we wait for is in another process
            await asyncio.sleep(LOOK_S)

    async def unfinished(self) -> set[str]:
        """Orders that are on somebody's desk or bench."""
        states = ("new", "priced", "held", "resumed", "approved")
        return {order_id for state in states for order_id in await self._people.deals(state)}

    async def _begin(self, planned: PlannedOrder) -> str:
        begin = self._people.partner_order if planned.path == "b2b" else self._people.order
        order_id = await begin(planned.customer, planned.metal)
        self._desk.expect(order_id, planned)
        return order_id

    async def _go_on(self, order_id: str, planned: PlannedOrder) -> None:
        with _told(self._screen, f"{planned.customer} gives up on {order_id}"):
            await self._finish(order_id, planned)

    async def _finish(self, order_id: str, planned: PlannedOrder) -> None:
        await asyncio.sleep(planned.think_s)
        if planned.path == "b2b":
            await self._people.partner_price(order_id)
            return
        await self._people.upload(order_id)
        await asyncio.sleep(planned.think_s)
        await (self._people.cancel if planned.cancelled else self._people.submit)(order_id)


@contextmanager
def _told(screen: Screen, what: str) -> Iterator[None]:
    """An error of a service is told on the screen; people are used to it and go on."""
    try:
        yield
    except httpx.HTTPError as error:
        screen.say("demo", f"{what}: {error!r}")
