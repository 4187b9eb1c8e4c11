"""Posts encoded requests to OTLP/HTTP and says what the answer means for the rows sent."""

from __future__ import annotations

import gzip
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum
from http.client import HTTPException

from google.protobuf.message import DecodeError
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, detach, set_value
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from clew_sdk.settings import Settings

_SHOWN_BODY = 300


class Meaning(Enum):
    """What an answer means for the rows of the request."""

    STORED = "stored"
    PARTLY = "partly"  # some rows were rejected for ever; the answer doesn't say which
    REFUSED = "refused"  # will never be accepted as it is: 400, 413
    LATER = "later"  # everything else: busy, down, unreachable, a wrong token or address that somebody will mend


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer in our terms. ``status`` 0: there was none. ``retry_after_s`` None: the server didn't say."""

    meaning: Meaning
    status: int
    reason: str = ""
    retry_after_s: float | None = None
    rejected: int = 0


def read_answer(status: int, headers: Mapping[str, str], body: bytes, now_s: float) -> Answer:
    """The meaning of an answer, by the rules of OTLP/HTTP; ``now_s`` is the Unix time it came."""
    if status == 200:
        return _read_success(body)
    reason = body[:_SHOWN_BODY].decode("utf-8", "replace")
    if status in (400, 413):
        return Answer(Meaning.REFUSED, status, reason)
    return Answer(Meaning.LATER, status, reason, _retry_after(headers.get("Retry-After"), now_s))


def _read_success(body: bytes) -> Answer:
    try:
        partial = ExportLogsServiceResponse.FromString(body).partial_success
    except DecodeError:
        # Something between us and the receiver answered for it: nothing says that the rows are stored.
        return Answer(Meaning.LATER, 200, "the answer is not an OTLP answer; is the endpoint an OTLP/HTTP receiver?")
    if partial.rejected_log_records > 0:
        return Answer(Meaning.PARTLY, 200, partial.error_message, rejected=partial.rejected_log_records)
    return Answer(Meaning.STORED, 200, partial.error_message)


def _retry_after(text: str | None, now_s: float) -> float | None:
    if not text:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now_s)
    except ValueError:
        return None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected POST would lose its body and look like success: answer 3xx as it is."""

    def redirect_request(self, *_: object) -> None:
        """Follow nothing."""


class Poster:
    """Sends request bodies to one URL. Used by one thread at a time."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.logs_url
        self._timeout_s = settings.timeout_s
        self._gzip = settings.gzip
        self._headers = {
            **settings.logs_headers,
            **settings.headers,
            "Content-Type": "application/x-protobuf",
            "User-Agent": "clew-sdk",
        }
        if self._gzip:
            self._headers["Content-Encoding"] = "gzip"
        secure = [_https(settings)] if settings.logs_url.startswith("https:") else []
        self._opener = urllib.request.build_opener(_NoRedirect(), *secure)

    def post(self, body: bytes) -> Answer:
        """Send one request; a connection that fails is an Answer too (``LATER``, status 0)."""
        data = gzip.compress(body, compresslevel=1) if self._gzip else body
        request = urllib.request.Request(self._url, data, self._headers, method="POST")  # noqa: S310 - scheme checked
        # An instrumented urllib must not trace the sending of telemetry.
        token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
        try:
            with self._opener.open(request, timeout=self._timeout_s) as response:
                return read_answer(response.status, dict(response.headers), response.read(), time.time())
        except urllib.error.HTTPError as error:
            with error:
                return read_answer(error.code, dict(error.headers), error.read(), time.time())
        except (OSError, HTTPException) as error:
            return Answer(Meaning.LATER, 0, f"{self._url}: {error}")
        finally:
            detach(token)


def _https(settings: Settings) -> urllib.request.HTTPSHandler:
    context = ssl.create_default_context(cafile=settings.certificate)
    if settings.client_certificate:
        context.load_cert_chain(settings.client_certificate, settings.client_key)
    return urllib.request.HTTPSHandler(context=context)
