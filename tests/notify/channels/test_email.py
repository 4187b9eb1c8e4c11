"""Mails go to a real SMTP server, encrypted where it is asked for, and form one thread an incident."""

import contextlib
import ssl
from dataclasses import replace

import pytest

from clew.model.errors import ChannelBusy, ChannelRefused
from clew.model.incident import NoticeKind
from clew.notify.channels.addresses import Reach
from clew.notify.channels.http import Http
from tests.fakes.mail import FakeMail
from tests.notify.channels.notices import AT, INCIDENT, notice, open_channel
from tests.services.process import free_port

ENV = {"MAIL": FakeMail.password, "WRONG": "wrong-hush"}


@contextlib.contextmanager
def serving(**options):
    fake = FakeMail(port=free_port(), **options)
    fake.start()
    try:
        yield fake
    finally:
        fake.stop()


def channel_of(fake, extra="tls: none", host="127.0.0.1", http=None):
    line = f"{{kind: email, to: [duty@example.org, boss@example.org], from: clew@example.org, server: '{host}:{fake.port}', "
    return open_channel(line + f"allow_private: [{host}], {extra}}}", ENV, http)


def server_side(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


def trusting(certificate):
    class Trusting(Http):
        def reaching(self, reach: Reach, proxy: str = "") -> Http:
            made = super().reaching(reach, proxy)
            made.trusted.load_verify_locations(certificate[0])
            return made

    return Trusting(timeout_s=60, resolve=lambda host, port: ["127.0.0.1"])


def test_an_incident_is_one_thread_of_mails():
    with serving() as fake:
        channel = channel_of(fake)
        refs = {}
        for number, kind in enumerate([NoticeKind.OPENED, NoticeKind.ESCALATED, NoticeKind.RESOLVED], 1):
            refs |= channel.sender.send(notice(kind, number, refs=dict(refs)), AT)
        first, *later = fake.mails
        assert [mail["References"] for mail in later] == [first["Message-ID"]] * 2
        assert {mail["Subject"].removeprefix("Re: ") for mail in fake.mails} == {
            "[Clew 7] Orders are stuck in SUBMITTED"
        }
        assert len({mail["Message-ID"] for mail in fake.mails}) == 3
        text, html = (first.get_body((kind,)).get_content() for kind in ("plain", "html"))
        assert "Orders: 4711, 4712 and 10 more" in text
        assert '<a href="https://clew.example.org/incidents/7">' in html


def test_a_title_adds_no_header_and_no_receiver():
    with serving() as fake:
        nasty = "Stuck\r\nBcc: thief@example.net\r\n\r\nhello"
        changed = replace(INCIDENT, title=nasty)
        channel_of(fake).sender.send(notice(incident=changed), AT)
        (mail,) = fake.mails
        assert mail["Bcc"] is None
        assert mail["Subject"] == "[Clew 7] Stuck Bcc: thief@example.net hello"


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        ("451 try later", ChannelBusy),
        ("452 full", ChannelBusy),
        ("550 no", ChannelRefused),
        ("554 spam", ChannelRefused),
    ],
)
def test_passing_and_permanent_answers_are_told_apart(answer, raised):
    with serving() as fake:
        fake.faults = [answer]
        with pytest.raises(raised, match=answer[4:]):
            channel_of(fake).sender.send(notice(), AT)


def test_a_receiver_that_nobody_knows_keeps_no_other_from_it():
    with serving() as fake:
        fake.nobody = {"boss@example.org"}
        channel_of(fake).sender.send(notice(), AT)
        assert len(fake.mails) == 1
        fake.nobody |= {"duty@example.org"}
        with pytest.raises(ChannelRefused, match="addresses of to"):
            channel_of(fake).sender.send(notice(), AT)


def test_a_server_that_is_gone_is_busy():
    with serving() as fake:
        channel = channel_of(fake)
    with pytest.raises(ChannelBusy):
        channel.sender.send(notice(), AT)


def test_passwords_go_over_starttls_only(certificate):
    with serving(tls=server_side(certificate), login=True) as fake:
        extra = "tls: starttls, username: clew, password: env:"
        channel_of(fake, extra + "MAIL", "localhost", trusting(certificate)).sender.send(notice(), AT)
        assert len(fake.mails) == 1
        with pytest.raises(ChannelRefused, match="check username and password") as caught:
            channel_of(fake, extra + "WRONG", "localhost", trusting(certificate)).sender.send(notice(), AT)
        assert "hush" not in str(caught.value)


def test_a_certificate_of_another_name_is_not_trusted(certificate):
    with serving(tls=server_side(certificate)) as fake:
        channel = channel_of(fake, "tls: starttls", "other.example.org", trusting(certificate))
        with pytest.raises(ChannelBusy, match="isn't trusted"):
            channel.sender.send(notice(), AT)
        assert fake.mails == []


def test_a_server_without_encryption_gets_no_mail_that_asks_for_it():
    with serving() as fake:
        with pytest.raises(ChannelRefused, match="STARTTLS"):
            channel_of(fake, "tls: starttls").sender.send(notice(), AT)
        assert fake.mails == []


def test_a_private_mail_server_needs_leave():
    with serving() as fake:
        line = f"{{kind: email, to: a@b.c, from: a@b.c, tls: none, server: '127.0.0.1:{fake.port}'}}"
        with pytest.raises(ChannelRefused, match="allow_private"):
            open_channel(line).sender.send(notice(), AT)
