"""A receiver over the real embedded store in a process of its own, which answers queries on its standard input.

One JSON object a line: ``{"sql": ..., "bind": {...}}`` gives ``{"rows": [...]}``, ``{"trace": ..., "order": ...}`` counts
what a reader of that trace and order sees. The first line printed names the ports. SIGTERM or the end of the input stop the receiver; the process ends with its input.
"""

import asyncio
import json
import signal
import sys
from pathlib import Path
from typing import Any

import uvloop

from clew.receive.policy import MS, FlushPolicy
from clew.receive.server import Receiver, ReceiveSettings
from clew.store.contract import Store
from clew.store.embedded import open_store
from clew.store.facts import read_events
from clew.store.spans import read_trace


async def main(store: Store, settings: ReceiveSettings) -> None:
    """Serve until told to stop."""
    receiver = Receiver(store, settings)
    await receiver.start()
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    asker = loop.run_in_executor(None, _answer_queries, store, loop, stop, receiver)
    _say({"http": receiver.http_port, "grpc": receiver.grpc_port})
    await stop.wait()
    await receiver.close()
    _say({"stopped": receiver.committer.counts.requests})
    await asker
    await asyncio.to_thread(store.close)


def _answer_queries(store: Store, loop: asyncio.AbstractEventLoop, stop: asyncio.Event, receiver: Receiver) -> None:
    for line in sys.stdin:
        question = json.loads(line)
        if "waiting" in question:
            _say({"waiting": receiver.committer.waiting})
        elif "trace" in question:
            trace = read_trace(store, question["trace"])
            events = read_events(store, [question["order"]])
            _say({"spans": len(trace.spans), "logs": len(trace.logs), "events": sum(map(len, events.values()))})
        else:
            _say({"rows": store.rows(question["sql"], question["bind"])})
    loop.call_soon_threadsafe(stop.set)


def _say(value: object) -> None:
    print(json.dumps(value, default=str), flush=True)


def _settings(given: dict[str, Any]) -> ReceiveSettings:
    """Tests send one small request after another: by default these don't wait for company."""
    linger_ns = given.pop("linger_ms", 5) * MS
    return ReceiveSettings(policy=FlushPolicy(quiet_linger_ns=linger_ns, thrift_linger_ns=linger_ns), **given)


if __name__ == "__main__":
    uvloop.run(main(open_store(Path(sys.argv[1])), _settings(json.loads(sys.argv[2]))))
