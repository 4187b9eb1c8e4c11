"""A stand-in for RabbitMQ: enough of AMQP 0-9-1 for the demo, in memory, so that nothing has to be installed.

The services speak AMQP with pika either way; only the URL tells the stand-in from the real broker.
"""
