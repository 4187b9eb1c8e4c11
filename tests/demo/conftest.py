"""What tests of the demo share: a stand-in broker, and a database of each kind."""

import asyncio
import threading

import pytest
from clew_demo.broker.server import Broker
from clew_demo.database import open_database


@pytest.fixture
def broker_url():
    """A stand-in broker in a thread of its own."""
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(Broker().listen(0))
    port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield f"amqp://guest:guest@127.0.0.1:{port}/"
    asyncio.run_coroutine_threadsafe(_stop(server), loop).result(5)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


async def _stop(server):
    server.close()
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request, tmp_path):
    """A service's database, once as a file and once as a schema, with one table."""
    where = request.getfixturevalue("postgres_database") if request.param == "postgresql" else str(tmp_path)
    return open_database(where, "shop-api", "CREATE TABLE rings (id TEXT PRIMARY KEY, metal TEXT NOT NULL)")
