"""Sends mails over SMTP, to addresses that were checked as those of HTTP are."""

from __future__ import annotations

import logging
import smtplib
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field

from clew.model.errors import ChannelBusy, ChannelError, ChannelRefused
from clew.model.incident import Notice
from clew.model.secret import Secret
from clew.notify.channels.email.payload import MailOptions, build, thread_id
from clew.notify.channels.http import Http

log = logging.getLogger(__name__)

_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Server:
    """A mail server. ``tls`` is starttls, tls (from the first byte) or none."""

    host: str
    port: int
    tls: str
    user: str = ""
    password: Secret = field(default_factory=lambda: Secret(""))


class _Checked(smtplib.SMTP):
    """Connects to an address that was checked; certificates are still those of the name."""

    def __init__(self, address: str) -> None:
        super().__init__(timeout=_TIMEOUT_S)
        self._address = address

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:  # noqa: ARG002
        return socket.create_connection((self._address, port), timeout)


class _CheckedTls(smtplib.SMTP_SSL):
    """The same with TLS from the first byte."""

    def __init__(self, address: str, trusted: ssl.SSLContext) -> None:
        super().__init__(timeout=_TIMEOUT_S, context=trusted)
        self._address, self._trusted = address, trusted

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = socket.create_connection((self._address, port), timeout)
        try:
            return self._trusted.wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise


class Smtp:
    """Mails of one sender to the same people."""

    def __init__(self, http: Http, server: Server, options: MailOptions) -> None:
        """``http`` judges addresses and knows whose certificates to trust."""
        self._http, self._server, self._options = http, server, options
        self._trusted = http.trusted

    def send(self, notice: Notice, now_ns: int) -> Mapping[str, str]:
        """The thread's Message-ID. Raises ChannelBusy and ChannelRefused."""
        mail, host = build(notice, self._options, now_ns), self._server.host
        try:
            with self._connect() as connection:
                refused = connection.send_message(mail, self._options.sender, list(self._options.to))
        except smtplib.SMTPRecipientsRefused as error:
            raise _judged(host, *max(error.recipients.values()), "check the addresses of to") from None
        except smtplib.SMTPAuthenticationError as error:
            raise _judged(host, error.smtp_code, error.smtp_error, "check username and password") from None
        except smtplib.SMTPResponseException as error:
            raise _judged(host, error.smtp_code, error.smtp_error, "check the channel's settings") from None
        except smtplib.SMTPNotSupportedError:
            raise ChannelRefused(f"{host} doesn't offer what is needed: STARTTLS or a login; check tls") from None
        except ssl.SSLCertVerificationError as error:
            raise ChannelBusy(f"the certificate of {host} isn't trusted: {error.verify_message}") from None
        except (OSError, smtplib.SMTPException) as error:
            raise ChannelBusy(f"{host} can't be reached: {getattr(error, 'strerror', None) or error}") from None
        for address, (code, _) in refused.items():
            log.warning("%s didn't take a mail for %s (%s); others got it", host, address, code)
        return {"thread": thread_id(notice, self._options)}

    def _connect(self) -> smtplib.SMTP:
        server = self._server
        address = self._http.addresses(server.host, server.port)[0]
        whole = server.tls == "tls"
        connection = _CheckedTls(address, self._trusted) if whole else _Checked(address)
        try:
            connection._host = server.host  # type: ignore[union-attr]  # the name that STARTTLS checks
            connection.connect(server.host, server.port)
            if server.tls == "starttls":
                connection.starttls(context=self._trusted)
            if server.user:
                connection.login(server.user, server.password.reveal())
        except BaseException:
            connection.close()
            raise
        return connection


def _judged(host: str, code: int, words: bytes | str, mend: str) -> ChannelError:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else str(words)
    told = f"{host} answers {code} ({' '.join(text.split())[:200]})"
    return ChannelBusy(told) if code < 500 else ChannelRefused(f"{told}; {mend}")
