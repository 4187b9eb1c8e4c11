"""Sends to Slack: ``chat.postMessage`` and ``chat.update``, or an incoming webhook."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from clew.model.errors import ChannelBusy, ChannelRefused
from clew.model.incident import Notice, NoticeKind
from clew.model.secret import Secret
from clew.notify.channels.http import Call, Http, check, retry_after, words_of
from clew.notify.channels.slack.payload import SlackOptions, build, build_reply

_JSON = {"content-type": "application/json; charset=utf-8"}
_PASSING = frozenset(
    ("ratelimited", "rate_limited", "message_limit_exceeded", "internal_error", "fatal_error", "request_timeout")
) | {"service_unavailable", "team_added_to_org"}
_DELETED = "message_not_found"
# The message can't be brought up to date any more; its thread goes on.
_STALE = frozenset((_DELETED, "cant_update_message", "edit_window_closed"))
_MENDS = {
    "invalid_auth": "check the bot token",
    "not_authed": "check the bot token",
    "token_revoked": "install the Slack app again and write its new bot token",
    "account_inactive": "install the Slack app again and write its new bot token",
    "missing_scope": "give the Slack app the scope chat:write and install it again",
    "channel_not_found": "write the channel's id, and invite the app to a private one",
    "not_in_channel": "invite the app to the channel, or give it the scope chat:write.public",
    "is_archived": "write a channel that isn't archived",
}


class WebApi:
    """One message for each incident, kept up to date in place, and a thread below it of what changed."""

    def __init__(self, http: Http, api: Secret, token: Secret, options: SlackOptions) -> None:
        """``token`` is a bot token with the scope ``chat:write``."""
        self._http, self._api, self._token, self._options = http, api, token, options

    def send(self, notice: Notice, now_ns: int) -> Mapping[str, str]:  # noqa: ARG002
        """``channel`` and ``ts`` of the incident's message. Raises ChannelBusy and ChannelRefused."""
        channel, thread = notice.refs.get("channel", ""), notice.refs.get("ts", "")
        if not thread or notice.kind in (NoticeKind.SUMMARY, NoticeKind.TEST):
            return self._post(notice)
        at = {"channel": channel or self._options.channel}
        said = self._ask("chat.update", build(notice, self._options) | at | {"ts": thread}, _STALE)
        if said.get("error") == _DELETED:
            return self._post(notice)
        if not notice.quiet:
            self._ask("chat.postMessage", build_reply(notice, self._options, thread) | at)
        return {"channel": channel, "ts": thread}

    def _post(self, notice: Notice) -> dict[str, str]:
        said = self._ask("chat.postMessage", build(notice, self._options))
        return {"channel": str(said.get("channel", "")), "ts": str(said.get("ts", ""))}

    def _ask(self, method: str, message: dict[str, Any], harmless: frozenset[str] = frozenset()) -> dict[str, Any]:
        headers = _JSON | {"authorization": f"Bearer {self._token.reveal()}"}
        body = json.dumps(message).encode()
        call = Call("POST", Secret(f"{self._api.reveal()}/{method}"), body, headers, (self._token,))
        answer = check(self._http.call(call), call, "check the channel's settings")
        try:
            said = json.loads(answer.body)
        except ValueError:
            raise ChannelBusy(f"Slack's answer is no JSON{words_of(answer, call)}") from None
        if not isinstance(said, dict):
            raise ChannelBusy("Slack's answer is no object")
        if said.get("ok") is True or (word := str(said.get("error", ""))[:80]) in harmless:
            return said
        if word in _PASSING:
            raise ChannelBusy(f"Slack says {word}", retry_after(answer.headers))
        raise ChannelRefused(f"Slack refuses {method}: {word or 'no reason given'}; {_mend(word)}")


class Webhook:
    """A message for every notice. Slack's webhooks answer no message's name, so there are no threads or updates."""

    def __init__(self, http: Http, url: Secret, options: SlackOptions) -> None:
        """``url`` is the webhook's address: who knows it can post, so it is a secret."""
        self._http, self._url, self._options = http, url, options

    def send(self, notice: Notice, now_ns: int) -> Mapping[str, str]:  # noqa: ARG002
        """Nothing to remember. Raises ChannelBusy and ChannelRefused."""
        call = Call("POST", self._url, json.dumps(build(notice, self._options)).encode(), _JSON)
        check(self._http.call(call), call, "make a new incoming webhook in the Slack app and write its address")
        return {}


def _mend(word: str) -> str:
    return _MENDS.get(word, "look the word up in Slack's reference of chat.postMessage")
