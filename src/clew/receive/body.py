"""Reading a request body: bounded while it arrives, and while it is decompressed."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from clew.model.errors import MalformedTelemetry, Overloaded, TelemetryTooLarge, UnsupportedEncoding
from clew.receive.admission import Lease

Receive = Callable[[], Awaitable[Any]]

PIECE_BYTES = 1 << 20
_WBITS = {b"gzip": 31, b"deflate": 15}


class SenderGone(Exception):
    """The sender closed the connection before its body was complete; there is nobody to answer."""


class Inflater:
    """Decompresses gzip or zlib data piece by piece; a piece is never larger than ``PIECE_BYTES``.

    Several gzip members in a row are one body (RFC 1952, section 2.2).
    """

    def __init__(self, encoding: bytes) -> None:
        self._wbits = _WBITS[encoding]
        self._stream = zlib.decompressobj(self._wbits)
        self._begun = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what the data expands to. Raises MalformedTelemetry when it is corrupt."""
        while data:
            if self._stream.eof:
                self._stream = zlib.decompressobj(self._wbits)
            self._begun = True
            try:
                piece = self._stream.decompress(data, PIECE_BYTES)
            except zlib.error as error:
                raise MalformedTelemetry(f"the body can't be decompressed: {error}") from None
            data = self._stream.unconsumed_tail or self._stream.unused_data
            if piece:
                yield piece

    def finish(self) -> None:
        """Raise MalformedTelemetry when the data ended too early."""
        if self._begun and not self._stream.eof:
            raise MalformedTelemetry("the compressed body is cut off")


def inflater(encodings: list[bytes]) -> Inflater | None:
    """The way to decompress a body with these ``Content-Encoding`` values; None for a plain one.

    Raises UnsupportedEncoding.
    """
    names = [name.strip().lower() for value in encodings for name in value.split(b",")]
    names = [name for name in names if name and name != b"identity"]
    if not names:
        return None
    if len(names) > 1 or names[0] not in _WBITS:
        unknown = b", ".join(names).decode("latin-1")
        raise UnsupportedEncoding(f"Content-Encoding {unknown!r} is not served: send gzip, deflate or none")
    return Inflater(names[0])


async def read_body(
    receive: Receive, lease: Lease, inflate: Inflater | None, declared: int | None, limit_bytes: int, timeout_s: float
) -> bytes:
    """Read a whole body, decompressed; the lease grows with it.

    ``declared`` is the Content-Length, None when chunked. Raises TelemetryTooLarge over the limit (before or after
    decompression), Overloaded when memory is short or the sender takes longer than the time-out,
    MalformedTelemetry when decompression fails, SenderGone.
    """
    if declared is not None:
        if declared > limit_bytes:
            raise _too_large(limit_bytes)
        lease.expect(declared)
    try:
        async with asyncio.timeout(timeout_s):
            return await _collect(receive, lease, inflate, limit_bytes)
    except TimeoutError:
        raise Overloaded(f"the body was not complete after {timeout_s:g} s") from None


async def _collect(receive: Receive, lease: Lease, inflate: Inflater | None, limit_bytes: int) -> bytes:
    pieces: list[bytes] = []
    size = arrived = 0
    async for chunk in _chunks(receive):
        arrived += len(chunk)
        if arrived > limit_bytes:
            raise _too_large(limit_bytes)
        for piece in [chunk] if inflate is None else inflate.feed(chunk):
            size += len(piece)
            if size > limit_bytes:
                raise _too_large(limit_bytes)
            lease.add(len(piece))
            pieces.append(piece)
            if len(piece) == PIECE_BYTES:
                await asyncio.sleep(0)
    if inflate is not None:
        inflate.finish()
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def _chunks(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise SenderGone
        more = message.get("more_body", False)
        if body := message.get("body", b""):
            yield body


def _too_large(limit_bytes: int) -> TelemetryTooLarge:
    return TelemetryTooLarge(f"the body is over the limit of {limit_bytes} bytes")
