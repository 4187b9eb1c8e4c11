"""The command line of the demo."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

import httpx
from pika.exceptions import AMQPError  # type: ignore[import-untyped]

from clew_demo.faults import FAULTS
from clew_demo.household import CantStart
from clew_demo.running import Wishes, run
from clew_demo.screen import Screen
from clew_demo.story import STORY


def parser() -> argparse.ArgumentParser:
    """The options, with a help that says what each fault does."""
    faults = "\n".join(f"  {name:<19} {fault.meaning}" for name, fault in FAULTS.items())
    made = argparse.ArgumentParser(
        prog="clew demo",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description="Starts Clew and a jeweller's shop of four services, sends orders through it, makes trouble, and\n"
        "lets Clew name the stuck and the lost orders, and tell stand-ins of Slack and PagerDuty.\n"
        "Then the shop goes on until Ctrl-C.",
        epilog=f"faults:\n{faults}\n\nWhile it runs, watch it at http://127.0.0.1:4380 in a browser,\n"
        "or ask Clew yourself in another terminal: clew orders, clew incidents",
    )
    add = made.add_argument
    add("--fault", action="append", choices=list(FAULTS), metavar="NAME", help="this fault only; may be repeated")
    add(
        "--once",
        action="store_true",
        help="end after Clew's answer; 0 only if Clew names exactly the planted orders, and told of them",
    )
    add("--seed", type=int, default=1, help="the same seed sends the same orders (default: 1)")
    add("--rabbitmq", metavar="URL", default="", help="a real RabbitMQ (default: a small stand-in that speaks AMQP)")
    add("--postgres", metavar="URL", default="", help="a real database, a schema for each service (default: SQLite)")
    add("--data", type=Path, metavar="DIR", help="new directory for data, databases and ledger (default: temporary)")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo; 0 when all is well, 1 when Clew's answer isn't what was planted or something didn't work."""
    options = parser().parse_args(argv)
    screen = Screen()
    with tempfile.TemporaryDirectory(prefix="clew-demo-") as temporary:
        data: Path = options.data or Path(temporary)
        data.mkdir(parents=True, exist_ok=True)
        if any(data.iterdir()):
            screen.say("demo", f"{data} is not empty; give --data a new directory")
            return 1
        groups = [(name,) for name in _last_last(options.fault)] if options.fault else STORY
        wishes = Wishes(data.resolve(), options.rabbitmq, options.postgres, options.seed, options.once, groups)
        try:
            return asyncio.run(run(wishes, screen))
        except (CantStart, TimeoutError) as error:
            screen.say("demo", f"the demo can't go on: {error}")
            return 1
        except (httpx.HTTPError, AMQPError) as error:
            screen.say("demo", f"the demo can't go on, a service or the broker is gone: {error!r}")
            return 1
        except asyncio.CancelledError:
            screen.say("demo", "stopped")
            return 0


def _last_last(names: Sequence[str]) -> list[str]:
    """The faults in the order of the story, since one of them must be the last."""
    order = list(FAULTS)
    return sorted(dict.fromkeys(names), key=lambda name: (name == "consumer-stops", order.index(name)))
