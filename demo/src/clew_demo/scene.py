"""All that a fault can lay hands on, and the few acts that several faults share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from clew_demo.household import Household
from clew_demo.ledger import Ledger, Planted
from clew_demo.people import Desk, Load, People
from clew_demo.place import Place, Troubles
from clew_demo.screen import Screen

LOOK_S = 0.1
PATIENCE_S = 40.0


@dataclass
class Scene:
    """The shop in full swing. ``mends`` undo what a fault left broken, once Clew has named its orders.

    ``data`` is the demo's folder.
    """

    data: Path
    place: Place
    people: People
    desk: Desk
    load: Load
    troubles: Troubles
    ledger: Ledger
    household: Household
    screen: Screen
    mends: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    def plant(self, fault: str, order_id: str, verdict: str, reason: str = "", note: str = "") -> None:
        """Write to the ledger and on the screen what was done to an order."""
        self.ledger.plant(Planted(fault, order_id, verdict, reason, note))
        self.screen.say("fault", f"{fault}: {order_id} {note}, so it must become {verdict} {reason}".rstrip())

    async def designed_order(self, customer: str) -> str:
        """A shop order with a model, not yet submitted."""
        order_id = await self.people.order(customer, "gold")
        await self.people.upload(order_id)
        return order_id

    async def priced_order(self, customer: str) -> str:
        """A shop order that waits for the manager, and that only the fault will approve."""
        order_id = await self.designed_order(customer)
        self.desk.reserved.add(order_id)
        await self.people.submit(order_id)
        await self.until(lambda: self._is_priced(order_id), f"{order_id} is priced")
        return order_id

    async def idle_workshop(self) -> None:
        """Return when nothing that was approved is still in the making; the desk's door must be locked."""
        await self.until(self._nothing_in_making, "the workshop has nothing to do")

    async def until(self, holds: Callable[[], Awaitable[bool]], what: str) -> None:
        """Wait for something. Raises TimeoutError that says what didn't come."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not await holds():  # noqa: ASYNC110 - what we wait for is in another process
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            raise TimeoutError(f"waited {PATIENCE_S:.0f} s in vain until {what}") from None

    async def _is_priced(self, order_id: str) -> bool:
        return order_id in await self.people.deals("priced")

    async def _nothing_in_making(self) -> bool:
        return not set(await self.people.deals("approved")) - self.ledger.order_ids
