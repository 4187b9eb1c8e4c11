"""The one HTTP client of all channels: guarded, bounded, and silent about secrets.

resolve the name -> refuse what the channel may not reach -> connect to exactly the address that was checked

So a name that leads elsewhere a moment later (DNS rebinding) gains nothing. Redirects aren't followed. Proxies and
credentials of the environment (``HTTPS_PROXY``, ``.netrc``) aren't used: what leaves Clew is what its files say.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import httpx

from clew.model.errors import ChannelBusy, ChannelRefused
from clew.model.secret import Secret
from clew.notify.channels.addresses import Reach, why_refused

LARGEST_ANSWER = 64 << 10
LONGEST_RETRY_AFTER_S = 3_600.0
_CONNECT_S = 5.0
_PASSING = frozenset({408, 425, 429})
_ADDRESSES_TRIED = 3

Resolve = Callable[[str, int], list[str]]


@dataclass(frozen=True, slots=True)
class Call:
    """A request to make. ``secrets`` are hidden wherever words of the answer are shown."""

    method: str
    url: Secret
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[Secret, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: at most `LARGEST_ANSWER` bytes of it."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text, whatever it is."""
        return self.body.decode("utf-8", "replace")


def resolve(host: str, port: int) -> list[str]:
    """Addresses of a host. Raises OSError when there are none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class Http:
    """Makes requests for one channel or for all; any thread may."""

    def __init__(
        self,
        reach: Reach | None = None,
        timeout_s: float = 10.0,
        resolve: Resolve = resolve,
        proxy: str = "",
        trusted: ssl.SSLContext | None = None,
    ) -> None:
        """``timeout_s`` bounds a whole request. ``proxy`` resolves names itself: only literal addresses are judged.
        ``trusted`` are certificates (None: those of this machine)."""
        self._reach = reach or Reach()
        self._timeout_s = timeout_s
        self._resolve = resolve
        self._proxy = proxy
        self.trusted = trusted or _trusted()
        # httpx logs every address that it calls, and httpcore every header: both hold secrets.
        for name in ("httpx", "httpcore"):
            logging.getLogger(name).setLevel(logging.WARNING)

    def reaching(self, reach: Reach, proxy: str = "") -> Http:
        """The same for a channel that may reach something else."""
        return Http(reach, self._timeout_s, self._resolve, proxy, self.trusted)

    def call(self, call: Call) -> Answer:
        """The answer, whatever its status. Raises ChannelBusy when there is none, ChannelRefused when it may not be
        asked for."""
        try:
            url = httpx.URL(call.url.reveal())
        except httpx.InvalidURL:
            raise ChannelRefused("its address can't be read; write it as a browser asks for it") from None
        host, port = url.host, url.port or (443 if url.scheme == "https" else 80)
        if self._proxy:
            _refuse_literal(host, self._reach)
            return self._ask(call, url, host, "")
        problem = ""
        for address in self.addresses(host, port)[:_ADDRESSES_TRIED]:
            try:
                return self._ask(call, url, host, address)
            except httpx.ConnectError as error:
                problem = _cause(error)
        raise ChannelBusy(f"{host} can't be reached: {problem}")

    def addresses(self, host: str, port: int) -> list[str]:
        """Addresses of a host, all of which may be called.

        Raises ChannelRefused for a literal address that may not be. A name may lead elsewhere later, so it is only
        ChannelBusy then, as when it can't be resolved.
        """
        _refuse_literal(host, self._reach)
        try:
            found = self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise ChannelBusy(f"the name {host} can't be resolved: {_cause(error)}") from None
        for address in found:
            if why := why_refused(address, host, self._reach):
                raise ChannelBusy(f"{host} leads to {address}, which {why}")
        return found

    def _ask(self, call: Call, url: httpx.URL, host: str, address: str) -> Answer:
        limits = httpx.Timeout(self._timeout_s, connect=min(_CONNECT_S, self._timeout_s))
        target = url.copy_with(host=address) if address else url
        headers = {"user-agent": "clew", "accept-encoding": "identity", **call.headers}
        headers |= {"host": url.netloc.decode("ascii"), "connection": "close"}
        deadline = _Deadline(self._timeout_s)
        extensions = {"trace": deadline.watch} | ({"sni_hostname": host} if address else {})
        try:
            with (
                deadline,
                httpx.Client(verify=self.trusted, timeout=limits, trust_env=False, proxy=self._proxy or None) as client,
                client.stream(call.method, target, content=call.body, headers=headers, extensions=extensions) as answer,
            ):
                return Answer(answer.status_code, answer.headers, _bounded(answer))
        except httpx.ConnectError:
            raise
        except (httpx.LocalProtocolError, UnicodeEncodeError):  # their words hold the header, and so the secret
            raise ChannelRefused("its secret can't stand in a header; write it alone, in ASCII") from None
        except httpx.HTTPError as error:
            if isinstance(error, httpx.TimeoutException) or deadline.passed:
                raise ChannelBusy(f"{host} didn't answer within {self._timeout_s:g} s") from None
            raise ChannelBusy(f"the connection to {host} broke: {_cause(error)}") from None


class _Deadline:
    """Breaks a connection that takes too long as a whole: time-outs of sockets begin anew with every byte."""

    def __init__(self, seconds: float) -> None:
        self.passed = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._break)
        self._timer.daemon = True

    def watch(self, event: str, found: Mapping[str, Any]) -> None:
        """Told by httpcore of what it does: take the socket that it opened."""
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._socket = found["return_value"].get_extra_info("socket")

    def __enter__(self) -> None:
        self._timer.start()

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def _break(self) -> None:
        self.passed = True
        if self._socket is not None:
            with contextlib.suppress(OSError):  # it ended meanwhile
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # not TLS's own: that would wait for the peer


def check(answer: Answer, call: Call, mend: str) -> Answer:
    """The answer when it is one of success; else raises ChannelBusy or ChannelRefused, with the vendor's words."""
    if 200 <= answer.status < 300:
        return answer
    told = f"{host_of(call.url)} answers {answer.status}{words_of(answer, call)}"
    if answer.status in _PASSING or answer.status >= 500:
        raise ChannelBusy(told, retry_after(answer.headers))
    if 300 <= answer.status < 400:
        raise ChannelRefused(f"{told}, a redirect, which is not followed; write the address that it leads to")
    raise ChannelRefused(f"{told}; {mend}")


def words_of(answer: Answer, call: Call) -> str:
    """The vendor's words in brackets, short and without secrets; empty when there are none."""
    text = answer.text
    for secret in (*call.secrets, call.url):
        text = secret.hide_in(text)
    text = "".join(letter if letter.isprintable() else " " for letter in text[:1_000])
    short = " ".join(text.split())[:200]
    return f" ({short})" if short else ""


def host_of(url: Secret) -> str:
    """The host of an address: the part that may be shown."""
    return urlsplit(url.reveal()).hostname or "the address"


def retry_after(headers: Mapping[str, str], now_s: float | None = None) -> float | None:
    """Seconds that a vendor asks to wait (RFC 9110, 10.2.3: a number or a date), at most an hour; None: it doesn't."""
    text = headers.get("retry-after", "").strip()
    try:
        wait = float(text) if text.replace(".", "", 1).isdigit() else _until(text, now_s)
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait, 0.0), LONGEST_RETRY_AFTER_S)


def _until(text: str, now_s: float | None) -> float:
    return parsedate_to_datetime(text).timestamp() - (time.time() if now_s is None else now_s)


def _refuse_literal(host: str, reach: Reach) -> None:
    try:
        why = why_refused(host, host, reach)
    except ValueError:
        return  # a name
    if why:
        raise ChannelRefused(f"{host} {why}")


def _bounded(answer: httpx.Response) -> bytes:
    body = b""
    for part in answer.iter_raw():
        body += part
        if len(body) >= LARGEST_ANSWER:
            break
    return body[:LARGEST_ANSWER]


def _cause(error: Exception) -> str:
    inner = error.__cause__ or error.__context__ or error
    strerror = getattr(inner, "strerror", None)
    return str(strerror or inner or type(error).__name__)[:200]


def _trusted() -> ssl.SSLContext:
    """The certificates of this machine, and, as a slim image has none, those that come with httpx."""
    trusted = httpx.create_ssl_context(trust_env=False)
    trusted.load_default_certs()
    return trusted
