"""The ways out of Clew as they are: people told as of incidents, guarded POSTs and secrets as channels have them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from clew.control.contract import Change
from clew.model.errors import ChannelBusy, ChannelError
from clew.model.incident import Incident
from clew.model.secret import Secret
from clew.notify.channels.addresses import Reach
from clew.notify.channels.http import Call, Http, check
from clew.notify.channels.secrets import Secrets
from clew.notify.channels.webhook.payload import sign
from clew.notify.escalation import Policies
from clew.notify.incidents import reacted
from clew.react.actions.contract import Outside, Post
from clew.react.actions.failures import ActionFailed, ActionPassing
from clew.react.telling import News, Tell

_MEND = "check the address, and what the program behind it expects"
_PORTS = {"https": 443, "http": 80}


def outside_of(environment: Mapping[str, str], folder: Path, now_ns: Callable[[], int]) -> Outside:
    """The ways out for reactions whose file is in ``folder``: relative paths of secrets count from there."""
    return Outside(Secrets(environment, folder).find, GuardedPoster(now_ns), environment)


def change_by(policies: Callable[[], Policies]) -> Callable[[Incident, News], Change | None]:
    """What news of a run make of an incident: an entry in its record, and people told by its policy where they must."""

    def change_of(incident: Incident, news: News) -> Change | None:
        entry, tell = news.transition, news.tell
        return reacted(
            incident, entry.text, entry.at_ns, policies(), tell=tell is not Tell.RECORD, urge=tell is Tell.ESCALATE
        )

    return change_of


class GuardedPoster:
    """Sends POSTs as channels do: to addresses that were checked, and to private ones only where that was allowed."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        """``now_ns`` dates signatures."""
        self._now_ns = now_ns

    def check(self, post: Post) -> None:
        """Whether it may be sent. Raises ActionFailed, and ActionPassing where its name leads nowhere now."""
        host, port, _ = _parts(post.url)
        try:
            _http(post).addresses(host, port)
        except ChannelError as error:
            raise _failed(error) from None

    def send(self, post: Post) -> int:
        """Send it; the status that was answered. Raises as `check` does."""
        _, _, path = _parts(post.url)
        headers = dict(post.headers)
        if post.secret:
            headers["clew-signature"] = sign(post.body, self._now_ns(), post.secret)
        # An answer that repeats the path would show what makes the address a secret.
        call = Call("POST", post.url, post.body, headers, (post.secret, Secret(path)))
        try:
            return check(_http(post).call(call), call, _MEND).status
        except ChannelError as error:
            raise _failed(error) from None


def _parts(url: Secret) -> tuple[str, int, str]:
    """Host, port and path. Raises ActionFailed when there are none."""
    try:
        parts = urlsplit(url.reveal())
        host, port = parts.hostname or "", parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        host, port = "", 0
    if not host or not port:
        raise ActionFailed(f"this is no address that can be called; {_MEND}")
    return host, port, parts.path.strip("/")


def _http(post: Post) -> Http:
    return Http(Reach(hosts=post.allow_private), post.timeout_s)


def _failed(error: ChannelError) -> ActionFailed:
    match error:
        case ChannelBusy():
            return ActionPassing(str(error))
        case _:
            return ActionFailed(str(error))
