"""Mails. Pure.

All mails of an incident are one thread: the first has the thread's Message-ID, later ones name it in References and
In-Reply-To, and all have one subject (RFC 5322, 3.6.4). A repeated mail has the same Message-ID, by which servers and
programs drop it. No header ever holds a line break, so nothing in a title can add one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from html import escape

from clew.model.incident import Notice, NoticeKind
from clew.notify.channels import texts
from clew.notify.channels.keys import notice_key

_SUBJECT = 200
_BODY = 50_000
_ALONE = (NoticeKind.SUMMARY, NoticeKind.TEST)


@dataclass(frozen=True, slots=True)
class MailOptions:
    """Plain addresses."""

    sender: str
    to: Sequence[str]


def build(notice: Notice, options: MailOptions, now_ns: int) -> EmailMessage:
    """The mail as text and as HTML."""
    mail = EmailMessage(policy=SMTP)
    thread = thread_id(notice, options)
    later = bool(notice.refs) and notice.kind not in _ALONE
    mail["From"], mail["To"] = options.sender, ", ".join(options.to)
    mail["Subject"] = ("Re: " if later else "") + _subject(notice)
    mail["Date"] = formatdate(now_ns // 10**9)
    mail["Message-ID"] = f"<{notice.key}.{thread[1:]}" if later else thread
    if later:
        mail["In-Reply-To"] = mail["References"] = thread
    mail["Auto-Submitted"] = "auto-generated"
    text = texts.cut(texts.plain(notice), _BODY)
    mail.set_content(text + "\n", cte="base64")
    mail.add_alternative(_html(notice), subtype="html", cte="base64")
    mail.set_boundary(f"----{notice_key(notice)}.{notice.number}")
    return mail


def thread_id(notice: Notice, options: MailOptions) -> str:
    """The Message-ID of a thread's first mail."""
    return f"<{notice_key(notice)}@{options.sender.rpartition('@')[2]}>"


def _subject(notice: Notice) -> str:
    title = texts.title(notice)
    if notice.kind in _ALONE:
        return texts.cut(title, _SUBJECT)
    # The same in all mails of an incident: programs put those of one subject together.
    return texts.cut(f"[Clew {notice.incident.id}] {title}", _SUBJECT)


def _html(notice: Notice) -> str:
    rows = "".join(
        f'<tr><th align="left" valign="top">{escape(name)}</th><td>{_linked(value)}</td></tr>'
        for name, value in texts.facts(notice)
    )
    reasons = "".join(f"<li>{escape(texts.cut(each, _SUBJECT * 5))}</li>" for each in texts.reasons(notice))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{escape(texts.title(notice))}</title></head><body><h1>{escape(texts.title(notice))}</h1><p>{escape(texts.what_happened(notice))}</p>"
        + (f"<ul>{reasons}</ul>" if reasons else "")
        + (f"<table>{rows}</table>" if rows else "")
        + "</body></html>\n"
    )


def _linked(value: str) -> str:
    url = texts.link(value)
    return f'<a href="{escape(url)}">{escape(value)}</a>' if url else escape(value)
