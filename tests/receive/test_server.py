import asyncio
import socket

import pytest

from clew.receive.server import Receiver, ReceiveSettings
from tests.receive.serving import FakeStore


@pytest.fixture
def taken():
    """A port that somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("port", ["http_port", "grpc_port"])
async def test_a_taken_port_stops_the_start_and_leaves_nothing_open(taken, port):
    receiver = Receiver(FakeStore(), ReceiveSettings(**{"http_port": 0, "grpc_port": 0, port: taken}))
    with pytest.raises(OSError, match=f"{taken}|in use"):
        await receiver.start()
    await asyncio.wait_for(receiver.close(), 10)
    assert receiver.committer.waiting == 0


async def test_closing_twice_is_as_good_as_once():
    receiver = Receiver(FakeStore(), ReceiveSettings(http_port=0, grpc_port=0))
    await receiver.start()
    await receiver.close()
    await receiver.close()
    for port in (receiver.http_port, receiver.grpc_port):
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", port))
