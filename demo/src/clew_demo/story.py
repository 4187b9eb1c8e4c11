"""The story: a shop that runs well, troubles one after the other, and Clew's answer."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from clew_demo.answer import COMMAND, Answer
from clew_demo.faults import FAULTS
from clew_demo.ledger import Said, differences
from clew_demo.scene import Scene

# Faults in one group happen at the same time. The last one leaves the workshop closed, so it must be the last.
STORY: tuple[tuple[str, ...], ...] = (
    ("backend-down",),
    ("http-500", "mes-rejects", "dead-letter", "slow-db"),
    ("lock-wait", "cancellation-surge"),
    ("silence",),
    ("unbound-queue",),
    ("worker-stops",),
    ("consumer-stops",),
)
WARM_UP_S = 4.0
BREATH_S = 1.0
ANSWER_S = 60.0


async def play(scene: Scene, groups: Sequence[Sequence[str]]) -> None:
    """Let the load run, then the groups of faults in turn, then let every other order come to its end."""
    await asyncio.sleep(WARM_UP_S)
    for group in groups:
        for name in group:
            scene.screen.title(f"{name}: {FAULTS[name].meaning}")
        if "consumer-stops" in group:
            await close_shop(scene)
        await asyncio.gather(*(FAULTS[name].play(scene) for name in group))
        await asyncio.sleep(BREATH_S)
    await close_shop(scene)


async def close_shop(scene: Scene) -> None:
    """No new orders; return when those that were begun have ended, the planted ones aside. Raises TimeoutError."""
    if scene.load.open.is_set():
        scene.load.open.clear()
        scene.screen.say("demo", "the shop is closed until Clew has answered; open orders come to their end")
    try:
        await asyncio.wait_for(scene.load.settled(scene.ledger.order_ids), ANSWER_S)
    except TimeoutError:
        raise TimeoutError(f"open orders did not come to their end within {ANSWER_S:.0f} s") from None


async def hear_answer(scene: Scene, answer: Answer) -> bool:
    """Wait until Clew says of every order what was planted, and show its own words; False when it doesn't."""
    scene.screen.title("Now Clew must name the stuck and the lost orders, and no other")
    said: dict[str, Said] = {}
    wrong = ["Clew was not asked yet"]
    with suppress(TimeoutError):
        async with asyncio.timeout(ANSWER_S):
            while wrong:
                await asyncio.sleep(BREATH_S)
                said = await answer.all_orders()
                wrong = differences(scene.ledger.planted, said)
    for planted in scene.ledger.planted:
        told = said.get(planted.order_id, Said("unknown"))
        scene.screen.say("clew", f"{planted.order_id} ({planted.fault}) {told.verdict}: {told.why}")
    scene.screen.title("$ clew " + " ".join(COMMAND))
    await answer.run(*COMMAND)
    for difference in wrong:
        scene.screen.say("fault", difference)
    verdict = "Clew is not right yet" if wrong else "Clew named the planted stuck and lost orders, and only those"
    scene.screen.title(verdict)
    return not wrong


async def mend(scene: Scene) -> None:
    """Undo what the faults left broken."""
    for undo in scene.mends:
        await undo()
    scene.mends.clear()
