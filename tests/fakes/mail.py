"""A mail server: aiosmtpd, which speaks SMTP as servers do, with answers on demand."""

from __future__ import annotations

from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword


class FakeMail:
    """Keeps mails. ``faults`` are answers to the next mails instead of 250, ``nobody`` are addresses nobody has."""

    user, password = "clew", "mail-hush"

    def __init__(self, *, port: int, tls: Any = None, login: bool = False) -> None:
        self.mails: list[EmailMessage] = []
        self.faults: list[str] = []
        self.nobody: set[str] = set()
        self.port = port
        self._controller = Controller(
            self, hostname="127.0.0.1", port=port, tls_context=tls, require_starttls=tls is not None,
            authenticator=self._login, auth_required=login, ready_timeout=30.0,
        )  # fmt: skip

    def start(self) -> None:
        self._controller.start()

    def stop(self) -> None:
        self._controller.stop()

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.nobody:
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.faults:
            return self.faults.pop(0)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 OK"

    def _login(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        right = isinstance(data, LoginPassword) and data.password.decode() == self.password
        return AuthResult(success=right, handled=right)
