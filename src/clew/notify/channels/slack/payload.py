"""Slack messages of Block Kit. Pure.

Limits (docs.slack.dev, Block Kit reference): 50 blocks a message, 3,000 characters a text, 150 a header, 10 fields of
2,000, 2,000 a button's value. All blocks together may hold about 13,000 characters, which isn't documented
(``msg_blocks_too_long``), so a message stays far below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clew.model.incident import IncidentState, Notice, NoticeKind
from clew.notify.channels import texts
from clew.notify.channels.keys import notice_key

ACKNOWLEDGE = "clew_acknowledge"
SILENCE = "clew_silence"
SILENCE_NS = 3_600 * 10**9

_HEADER = 150
_FIELD = 400
_TEXT = 3_000
_REASON = 600
_LINES = 2_400

_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "`": "'"}

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SlackOptions:
    """``channel`` is an id or name (empty: the webhook knows it). ``buttons``: presses of them reach Clew."""

    channel: str = ""
    buttons: bool = False


def escape(text: str, most: int = _TEXT) -> str:
    """A text as mrkdwn shows it literally, at most so long; a cut never splits an escape.

    A bare ``<`` would begin a link or call everybody (``<!channel>``).
    """
    parts = [_ESCAPES.get(letter, letter) for letter in texts.clean(text)]
    if sum(map(texts.length, parts)) <= most:
        return "".join(parts)
    used = 0
    for shown, part in enumerate(parts):
        used += texts.length(part)
        if used > most - 1:
            return "".join(parts[:shown]) + "…"
    return ""


def build(notice: Notice, options: SlackOptions) -> Json:
    """The message that stands for an incident as it is now; later ones replace it in place."""
    blocks = [_header(_headline(notice)), _section(escape(texts.what_happened(notice), _REASON))]
    if notice.kind is NoticeKind.SUMMARY:
        blocks += _listed(notice.reasons)
    elif notice.kind is not NoticeKind.TEST:
        blocks += [_section("\n".join(escape(each, _REASON) for each in texts.reasons(notice)[:3]))]
        blocks += [_fields(notice), *_evidence(notice), _foot(notice), *_buttons(notice, options)]
    elif link := _link(notice.url, "Clew"):
        blocks.append(_section(link))
    return _message([each for each in blocks if each], _headline(notice), options)


def build_reply(notice: Notice, options: SlackOptions, thread: str) -> Json:
    """What changed, as a reply in the incident's thread; an escalation shows in the channel as well."""
    told = f"*{escape(_word(notice))}*: {escape(texts.what_happened(notice), _LINES)}"
    message = _message([_section(told)], f"{_word(notice)}: {texts.what_happened(notice)}", options)
    message |= {"thread_ts": thread}
    return message | ({"reply_broadcast": True} if notice.kind is NoticeKind.ESCALATED else {})


def _message(blocks: Sequence[Json], fallback: str, options: SlackOptions) -> Json:
    message: Json = {"text": escape(fallback, _TEXT), "blocks": list(blocks), "unfurl_links": False}
    return message | ({"channel": options.channel} if options.channel else {})


def _headline(notice: Notice) -> str:
    title = texts.title(notice)
    if notice.kind in (NoticeKind.SUMMARY, NoticeKind.TEST):
        return title
    return f"[{notice.incident.severity}] {title}"


def _word(notice: Notice) -> str:
    return notice.kind.value.capitalize()


def _header(text: str) -> Json:
    # Plain text: nothing is escaped in it, and nothing is read as a link.
    return {"type": "header", "text": {"type": "plain_text", "text": texts.cut(text, _HEADER), "emoji": False}}


def _section(text: str) -> Json:
    return {"type": "section", "text": _mrkdwn(text)} if text else {}


def _mrkdwn(text: str) -> Json:
    return {"type": "mrkdwn", "text": text}


def _fields(notice: Notice) -> Json:
    incident = notice.incident
    since = f"<!date^{incident.since_ns // 10**9}^{{date_short_pretty}} {{time}}|{texts.moment(incident.since_ns)}>"
    shown = [
        ("Since", f"{since} ({texts.lasted(notice)})"),
        ("How many", escape(texts.how_many(notice), _FIELD)),
        ("Who must act", escape(texts.who_must_act(incident), _FIELD)),
        ("State", escape(texts.state(incident), _FIELD)),
    ]
    return {"type": "section", "fields": [_mrkdwn(f"*{name}*\n{value}") for name, value in shown]}


def _evidence(notice: Notice) -> list[Json]:
    parts = []
    if orders := texts.order_ids(notice):
        left = f" and {texts.orders_left(notice)} more" if texts.orders_left(notice) else ""
        parts.append(_section("*Orders* " + ", ".join(f"`{escape(each)}`" for each in orders) + left))
    if traces := texts.trace_ids(notice):
        parts.append(_section("*Traces* " + ", ".join(f"`{escape(each)}`" for each in traces)))
    return parts


def _foot(notice: Notice) -> Json:
    incident = notice.incident
    parts = [f"Incident {incident.id} of rule {escape(texts.line(incident.rule), _FIELD)}"]
    parts += filter(None, (_link(notice.url, "open in Clew"), _link(incident.runbook, "runbook")))
    return {"type": "context", "elements": [_mrkdwn(" · ".join(parts))]}


def _link(url: str, words: str) -> str:
    found = texts.link(url).replace("&", "&amp;")
    return f"<{found}|{words}>" if found and len(found) < _LINES // 2 else ""


def _listed(lines: Sequence[str]) -> list[Json]:
    shown: list[str] = []
    used = 0
    for each in lines:
        part = "• " + escape(texts.line(each), _FIELD)
        if used + len(part) > _LINES:
            shown.append(f"… and {len(lines) - len(shown)} more")
            break
        shown.append(part)
        used += texts.length(part) + 1
    return [_section("\n".join(shown))]


def _buttons(notice: Notice, options: SlackOptions) -> list[Json]:
    if not options.buttons or notice.incident.state is IncidentState.RESOLVED:
        return []
    key = notice_key(notice)
    buttons = [_button(SILENCE, "Silence for 1 h", key)]
    if notice.incident.state is IncidentState.OPEN:
        buttons.insert(0, _button(ACKNOWLEDGE, "Acknowledge", key) | {"style": "primary"})
    return [{"type": "actions", "elements": buttons}]


def _button(action: str, words: str, key: str) -> Json:
    return {"type": "button", "action_id": action, "text": {"type": "plain_text", "text": words}, "value": key}
