"""Publishes or works the cases with aio-pika; see with_pika.py for how it is run."""

import asyncio
import sys
from collections import Counter

from tests.losses import cases, telemetry

flavour, role, broker, endpoint, prefix = sys.argv[1:]
order, end = telemetry.start(flavour == "sdk", "aio_pika", role, endpoint)

import aio_pika  # noqa: E402 - after its instrumentation


async def said():
    await asyncio.to_thread(sys.stdin.readline)


async def publish(channel, case, number):
    exchange = await channel.get_exchange(case, ensure=False)
    with order(f"{prefix}-{case}-{number}"):
        await exchange.publish(aio_pika.Message(b"{}"), cases.KEY, mandatory=case == "unroutable")


async def shop(connection):
    channel = await connection.channel()
    for case in cases.CASES:
        await publish(channel, case, 1)
    print("published", flush=True)
    await said()
    for case in cases.AGAIN:
        await publish(channel, case, 2)
    print("published", flush=True)
    await said()


class Worker:
    def __init__(self, channel, met):
        self.channel = channel
        self.met = met

    async def consume(self, name, leave_open=False):
        queue = await self.channel.get_queue(name, ensure=False)

        async def on_message(message):
            self.met[name] += 1
            if not leave_open:
                await self.settle(queue, name, message)

        await queue.consume(on_message, consumer_tag=name)

    async def settle(self, queue, name, message):
        if name in cases.STOPPED:
            await queue.cancel(name)
        match cases.settlement(name, message.redelivered, message.headers):
            case "ack":
                await message.ack()
            case "reject":
                await message.reject(requeue=False)
            case "requeue":
                await message.nack(requeue=True)

    async def pull(self):
        queue = await self.channel.get_queue(cases.PULLED, ensure=False)
        while not self.met[cases.PULLED]:
            message = await queue.get(fail=False)
            if message is None:
                await asyncio.sleep(0.05)
            else:
                await message.ack()
                self.met[cases.PULLED] += 1

    async def until(self, wanted):
        while not wanted <= self.met:  # noqa: ASYNC110 - waits for numbers, not for one moment
            await asyncio.sleep(0.05)


async def mes(connection):
    met = Counter()
    doomed = await aio_pika.connect(broker)
    fragile = Worker(await doomed.channel(), met)
    for queue in cases.DROPPED:
        await fragile.consume(queue, leave_open=True)
    worker = Worker(await connection.channel(), met)
    for queue in cases.WORKED:
        await worker.consume(queue)
    print("ready", flush=True)
    await fragile.until(Counter(cases.DROPPED))
    await doomed.close()
    await worker.consume("revived")
    await worker.pull()
    await worker.until(cases.MET)
    print("met", flush=True)
    await worker.until(cases.MET_AGAIN)
    print("met", flush=True)
    await said()


async def main():
    connection = await aio_pika.connect(broker)
    async with connection:
        await (shop if role == "shop" else mes)(connection)


asyncio.run(main())
end()
