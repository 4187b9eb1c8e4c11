"""A receiver over the real embedded store in a process of its own, which answers queries on its standard input.

One JSON object a line: ``{"sql": ..., "bind": {...}}`` gives ``{"rows": [...]}``. The first line printed names the
ports. SIGTERM or the end of the input stop the receiver; the process ends with its input.
"""

import asyncio
import json
import signal
import sys
from pathlib import Path

import uvloop

from clew.receive.policy import MS, FlushPolicy
from clew.receive.server import Receiver, ReceiveSettings
from clew.store.contract import Store
from clew.store.embedded import open_store

# Tests send one small request after another: they should not wait for company.
HASTY = FlushPolicy(quiet_linger_ns=5 * MS, thrift_linger_ns=5 * MS)


async def main(store: Store, settings: ReceiveSettings) -> None:
    receiver = Receiver(store, settings)
    await receiver.start()
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    asker = loop.run_in_executor(None, _answer_queries, store, loop, stop)
    _say({"http": receiver.http_port, "grpc": receiver.grpc_port})
    await stop.wait()
    await receiver.close()
    _say({"stopped": receiver.committer.counts.requests})
    await asker
    await asyncio.to_thread(store.close)


def _answer_queries(store: Store, loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    for line in sys.stdin:
        question = json.loads(line)
        _say({"rows": store.rows(question["sql"], question["bind"])})
    loop.call_soon_threadsafe(stop.set)


def _say(value: object) -> None:
    print(json.dumps(value, default=str), flush=True)


if __name__ == "__main__":
    uvloop.run(main(open_store(Path(sys.argv[1])), ReceiveSettings(policy=HASTY, **json.loads(sys.argv[2]))))
