"""One PRODUCER span per publish and one CONSUMER span per delivery, for pika and aio-pika.

setup(rabbitmq=True) does this for the clients that are installed.
"""

from __future__ import annotations

from importlib.util import find_spec

from clew_sdk.rabbitmq.deliveries import abandon_all
from clew_sdk.rabbitmq.publications import returns


def instrument_pika() -> None:
    """Wrap pika's channels from now on; a second call changes nothing. Raises ImportError when pika isn't installed."""
    from clew_sdk.rabbitmq import for_pika

    for_pika.instrument()


def instrument_aio_pika() -> None:
    """Wrap aio-pika from now on; a second call changes nothing. Raises ImportError when it isn't installed."""
    from clew_sdk.rabbitmq import for_aio_pika

    for_aio_pika.instrument()


def instrument_installed() -> None:
    """Wrap the clients that are installed."""
    if find_spec("pika"):
        instrument_pika()
    if find_spec("aio_pika"):
        instrument_aio_pika()


def end_open_spans() -> None:
    """End the spans that wait for something that will not come any more, because the process ends."""
    abandon_all()
    returns.end_all()


__all__ = ["end_open_spans", "instrument_aio_pika", "instrument_installed", "instrument_pika"]
