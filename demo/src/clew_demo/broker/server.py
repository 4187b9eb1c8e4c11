"""AMQP 0-9-1 over TCP for the stand-in: pika's own codec, read from the other side.

Served: connections without checking the password, channels, direct exchanges, queues, bindings, publishing with
``mandatory`` and confirms, consuming with prefetch, ack, nack, reject, dead-lettering. Anything else closes the
connection with 540 NOT_IMPLEMENTED, as the protocol says.
"""

from __future__ import annotations

import asyncio
import copy
import signal
import sys
from typing import Any

from pika import frame, spec  # type: ignore[import-untyped]

from clew_demo.broker.channel import Channel, Consumer
from clew_demo.broker.routing import Message, Queue, Router

FRAME_MAX = 131_072
BODY_MAX = FRAME_MAX - 8


class Broker:
    """All connections over one router."""

    def __init__(self) -> None:
        self.router = Router()
        self._clients: list[Client] = []

    async def listen(self, port: int) -> asyncio.Server:
        """Serve on loopback; port 0 takes a free one."""
        return await asyncio.start_server(self._serve, "127.0.0.1", port)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = Client(self, writer)
        self._clients.append(client)
        try:
            await client.converse(reader)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away; what it had not settled goes back to the queues
        finally:
            self._clients.remove(client)
            self.pump(client.close())
            writer.close()

    def pump(self, queues: list[Queue]) -> None:
        """Deliver what waits in these queues to consumers with room, in turn."""
        for queue in {queue.name: queue for queue in queues}.values():
            while queue.ready and (place := self._next_consumer(queue)) is not None:
                place[0].deliver(place[1], queue.ready.popleft())

    def _next_consumer(self, queue: Queue) -> tuple[Channel, Consumer] | None:
        for client in self._clients:
            for channel in client.channels.values():
                for consumer in channel.consumers.values():
                    if consumer.queue is queue and channel.free:
                        self._clients.append(self._clients.pop(self._clients.index(client)))  # the next one's turn
                        return channel, consumer
        return None


class Client:
    """One connection: reads frames, answers methods."""

    def __init__(self, broker: Broker, writer: asyncio.StreamWriter) -> None:
        self._broker = broker
        self._router = broker.router
        self._writer = writer
        self.channels: dict[int, Channel] = {}

    async def converse(self, reader: asyncio.StreamReader) -> None:
        """Everything from the protocol header to the end of the connection."""
        await reader.readexactly(8)
        self._send(0, spec.Connection.Start(server_properties=_OURSELVES, mechanisms=b"PLAIN", locales=b"en_US"))
        buffer = b""
        while data := await reader.read(FRAME_MAX):
            buffer += data
            while True:
                used, received = frame.decode_frame(buffer)
                if received is None:
                    break
                buffer = buffer[used:]
                if not self._take(received):
                    return
            await self._writer.drain()

    def close(self) -> list[Queue]:
        """The connection is gone: all unsettled messages go back."""
        channels, self.channels = self.channels, {}
        return [queue for channel in channels.values() for queue in channel.close()]

    def _take(self, received: Any) -> bool:  # noqa: ANN401 - pika has no types
        """Handle a frame; False ends the connection."""
        number = received.channel_number
        match received:
            case frame.Header():
                self._broker.pump(self.channels[number].header(received.body_size, received.properties))
            case frame.Body():
                self._broker.pump(self.channels[number].body(received.fragment))
            case frame.Method():
                return self._method(number, received.method)
        return True

    def _method(self, number: int, method: Any) -> bool:  # noqa: ANN401 - pika has no types
        match method:
            case spec.Connection.StartOk():
                self._send(0, spec.Connection.Tune(2047, FRAME_MAX, 0))
            case spec.Connection.TuneOk() | spec.Connection.CloseOk() | spec.Channel.CloseOk():
                pass
            case spec.Connection.Open():
                self._send(0, spec.Connection.OpenOk())
            case spec.Connection.Close():
                self._send(0, spec.Connection.CloseOk())
                return False
            case spec.Channel.Open():
                self.channels[number] = Channel(self._router, lambda *content: self._send(number, *content))
                self._send(number, spec.Channel.OpenOk())
            case spec.Channel.Close():
                self._broker.pump(self.channels.pop(number).close())
                self._send(number, spec.Channel.CloseOk())
            case _:
                return self._declaration(number, method) or self._exchange(number, method)
        return True

    def _declaration(self, number: int, method: Any) -> bool:  # noqa: ANN401 - pika has no types
        """Exchanges, queues, bindings; False when it is none of these."""
        match method:
            case spec.Exchange.Declare():
                self._send(number, spec.Exchange.DeclareOk())
            case spec.Queue.Declare():
                queue = self._router.declare(method.queue, method.arguments)
                self._send(number, spec.Queue.DeclareOk(queue.name, len(queue.ready), 0))
            case spec.Queue.Bind():
                self._router.bind(method.exchange, method.routing_key, method.queue)
                self._send(number, spec.Queue.BindOk())
            case spec.Queue.Unbind():
                self._router.unbind(method.exchange, method.routing_key, method.queue)
                self._send(number, spec.Queue.UnbindOk())
            case _:
                return False
        return True

    def _exchange(self, number: int, method: Any) -> bool:  # noqa: ANN401 - pika has no types
        """Publishing, consuming and settling; False after refusing what isn't served."""
        channel = self.channels[number]
        match method:
            case spec.Basic.Publish():
                channel.begin(method)
            case spec.Basic.Qos():
                channel.limit(method.prefetch_count)
                self._send(number, spec.Basic.QosOk())
            case spec.Confirm.Select():
                channel.confirm()
                self._send(number, spec.Confirm.SelectOk())
            case spec.Basic.Consume():
                queue = self._router.declare(method.queue)
                tag = method.consumer_tag or f"consumer-{number}-{len(channel.consumers)}"
                self._send(number, spec.Basic.ConsumeOk(tag))
                channel.consumers[tag] = Consumer(tag, queue, method.no_ack)
                self._broker.pump([queue])
            case spec.Basic.Cancel():
                channel.consumers.pop(method.consumer_tag, None)
                self._send(number, spec.Basic.CancelOk(method.consumer_tag))
            case spec.Basic.Ack() | spec.Basic.Nack() | spec.Basic.Reject():
                self._settle(channel, method)
            case _:
                self._send(
                    0, spec.Connection.Close(540, f"NOT_IMPLEMENTED - {method.NAME}", *divmod(method.INDEX, 65536))
                )
                return False
        return True

    def _settle(self, channel: Channel, method: Any) -> None:  # noqa: ANN401 - pika has no types
        news: list[Queue] = [consumer.queue for consumer in channel.consumers.values()]
        for queue, message in channel.settle(method.delivery_tag, getattr(method, "multiple", False)):
            if not isinstance(method, spec.Basic.Ack):
                news += (self._router.give_back if method.requeue else self._router.refuse)(queue, message)
        self._broker.pump(news)

    def _send(self, number: int, method: Any, message: Message | None = None) -> None:  # noqa: ANN401 - pika has no types
        parts = [frame.Method(number, method).marshal()]
        if message is not None:
            properties = copy.copy(message.properties)
            properties.headers = message.headers or None
            parts.append(frame.Header(number, len(message.body), properties).marshal())
            for start in range(0, len(message.body), BODY_MAX):
                parts.append(frame.Body(number, message.body[start : start + BODY_MAX]).marshal())
        self._writer.write(b"".join(parts))


_OURSELVES = {
    "product": "stand-in for RabbitMQ",
    "capabilities": {"publisher_confirms": True, "basic.nack": True, "consumer_cancel_notify": False},
}


async def serve(port: int) -> None:
    """Run until SIGTERM or SIGINT."""
    server = await Broker().listen(port)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    print("ready", flush=True)
    await stopped.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
