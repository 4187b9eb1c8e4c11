"""The end of the story: who was told of what, somebody takes an incident, and it is over when the trouble is mended."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

from clew_demo.alarms import VENDORS, wrong_alarms
from clew_demo.answer import Answer
from clew_demo.scene import Scene
from clew_demo.vendors.server import Told, read_book

TOLD_S = 60.0
LOOK_S = 0.5
TAKEN = "lost-in-queue"
"""The rule whose incident somebody takes and resolves: its trouble is the one that is mended."""


def book_of(data: Path, vendor: str) -> Path:
    """The file in which a vendor notes what it was told."""
    return data / f"{vendor}.jsonl"


def books_in(data: Path) -> dict[str, list[Told]]:
    """What each vendor was told so far."""
    return {name: read_book(book_of(data, name)) for name in VENDORS}


async def hear_incidents(scene: Scene, answer: Answer) -> bool:
    """Wait until every fault that must alert did, each by one incident and told once; False when it didn't."""
    scene.screen.title("Clew must have told Slack and PagerDuty of each trouble, once, and of nothing else")
    faults = list(dict.fromkeys(each.fault for each in scene.ledger.planted))
    wrong = ["Clew was not asked yet"]
    with suppress(TimeoutError):
        async with asyncio.timeout(TOLD_S):
            while wrong:
                await asyncio.sleep(LOOK_S)
                wrong = wrong_alarms(faults, await answer.incidents(), books_in(scene.data))
    for difference in wrong:
        scene.screen.say("fault", difference)
    for name, book in books_in(scene.data).items():
        told = [each.words for each in book if each.act == "opened"]
        scene.screen.say("demo", f"{name} was told of {len(told)} incidents")
    return not wrong


async def take(scene: Scene, answer: Answer) -> int | None:
    """Somebody acknowledges the incident of the queue that nobody reads; its number, or None when there is none."""
    taken = [each for each in await answer.incidents() if each["rule"] == TAKEN and each["state"] == "open"]
    if not taken:
        return None
    number = int(taken[0]["incident_id"])
    await _run(scene, answer, number, "--acknowledge")
    return number


async def end(scene: Scene, answer: Answer, number: int) -> bool:
    """Wait until nothing of it is found any more, resolve it, and wait until both vendors heard all of it."""
    try:
        await scene.until(lambda: _is_quiet(answer, number), f"incident {number} is quiet")
        await _run(scene, answer, number, "--resolve")
        await scene.until(lambda: _heard(scene.data, number), f"both vendors heard that incident {number} is over")
    except TimeoutError as error:
        scene.screen.say("fault", str(error))
        return False
    return True


async def show_all(scene: Scene, answer: Answer) -> None:
    """``clew incidents --all`` as people see it."""
    scene.screen.title("$ clew incidents --all")
    await answer.run("incidents", "--all")


async def _run(scene: Scene, answer: Answer, number: int, act: str) -> None:
    scene.screen.title(f"$ clew incident {number} {act}")
    await answer.run("incident", str(number), act)


async def _is_quiet(answer: Answer, number: int) -> bool:
    found = [each for each in await answer.incidents() if each["incident_id"] == number]
    return bool(found) and found[0]["firing"] == 0


async def _heard(data: Path, number: int) -> bool:
    return all(_ended(name, book, number) for name, book in books_in(data).items())


def _ended(name: str, book: list[Told], number: int) -> bool:
    if name == "pagerduty":
        acts = {each.act for each in book if each.key.startswith(f"clew-{number}-")}
        return {"acknowledged", "resolved"} <= acts
    threads = {each.key for each in book if f"(incident {number} of rule" in each.words}
    return any(each.act == "replied" and each.key in threads and "esolved" in each.words for each in book)
