"""Routes: what somebody did at a vendor's comes back, such as a button pressed in Slack, and is done here as well."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from clew.api.body import whole_body
from clew.api.deps import ApiDeps
from clew.api.errors import RESPONSES, ApiError, ErrorAnswer, not_found
from clew.api.incidents import desk_of
from clew.notify.channels.contract import OLDEST_NS, Action, NotGenuine, NotUnderstood, Wish
from clew.notify.channels.keys import vendor_key
from clew.notify.silences import labels_to_silence
from clew.watch.desk import Desk, Refused

log = logging.getLogger(__name__)

LARGEST = 1 << 20
"""Bytes of a request. Vendors send some kB."""
ANSWER_WITHIN_S = 2.0
"""Slack waits 3 s. What takes longer, as while others write, is done after the answer."""
_REMEMBERED = 10_000
_KEPT_NS = 2 * OLDEST_NS
"""Requests that were done are known for longer than vendors' are taken."""
_AT_A_TIME = 4
_REFUSALS: dict[int | str, dict[str, Any]] = {
    400: {"model": ErrorAnswer, "description": "Genuine, but not in the vendor's form"},
    401: {"model": ErrorAnswer, "description": "Not signed with the channel's secret, or too old"},
    413: {"model": ErrorAnswer, "description": "Too large"},
}


class Replays:
    """Which requests were taken already since the start.

    A vendor that waited too long sends a request again, and so may a thief.
    """

    def __init__(self, most: int = _REMEMBERED) -> None:
        """Remember ``most`` requests, the newest ones."""
        self._most = most
        self._done: dict[bytes, None] = {}
        self._lock = threading.Lock()

    def first(self, mark: bytes) -> bool:
        """Whether this comes for the first time; from then on it doesn't."""
        with self._lock:
            if mark in self._done:
                return False
            self._done[mark] = None
            if len(self._done) > self._most:
                del self._done[next(iter(self._done))]
            return True

    def forget(self, mark: bytes) -> None:
        """It couldn't be done, so it may come again."""
        with self._lock:
            self._done.pop(mark, None)


def hook_routes(deps: ApiDeps) -> APIRouter:
    """The route below /hooks. Its threads are its own, so requests don't queue behind searches."""
    routes = APIRouter(tags=["incidents"], responses=RESPONSES)
    replays, threads = Replays(), ThreadPoolExecutor(_AT_A_TIME, "clew-hooks")

    @routes.post("/hooks/{channel}", summary="What somebody did at a channel's vendor", responses=_REFUSALS)
    async def come_back(
        request: Request, channel: str = Path(description="a channel of notify.yaml that has a way back")
    ) -> Response:
        body = await whole_body(request, LARGEST, "no vendor sends as much", "send what the vendor sent")
        headers = {name.lower(): value for name, value in request.headers.items()}
        action = _parsed(deps, channel, body, headers)
        if action is not None:
            mark = hashlib.sha256(channel.encode() + b"\0" + body).digest()
            work = asyncio.wrap_future(threads.submit(_take, desk_of(deps), replays, channel, action, mark))
            await _in_time(work, action, channel)
        return Response(status_code=200)

    return routes


async def _in_time(work: asyncio.Future[None], action: Action, channel: str) -> None:
    """Wait for it, but for no longer than the vendor does. Raises what went wrong by then.

    What goes wrong later is told in the log: the incident stays as it was, so somebody is told of it again.
    """
    finished, _ = await asyncio.wait([work], timeout=ANSWER_WITHIN_S)
    if finished:
        work.result()
        return

    def tell(late: asyncio.Future[None]) -> None:
        if error := late.exception():
            log.error("channel %s asked to %s, and was answered before it failed: %s", channel, action.wish, error)

    work.add_done_callback(tell)


def _take(desk: Desk, replays: Replays, channel: str, action: Action, mark: bytes) -> None:
    """Do what a request asks for, once, also when Clew was started anew meanwhile. Raises ControlError."""
    if not replays.first(mark):
        return
    try:
        if not desk.incidents.was_done(mark.hex()):
            done(desk, action, channel, mark.hex())
            desk.incidents.note_done(mark.hex(), desk.now_ns(), desk.now_ns() - _KEPT_NS)
    except BaseException:
        replays.forget(mark)
        raise


def _parsed(deps: ApiDeps, channel: str, body: bytes, headers: dict[str, str]) -> Action | None:
    parse = deps.watched().ways_back.get(channel)
    if parse is None:
        raise not_found(
            f"no channel {channel} has a way back", "give it a signing_secret or webhook_secret: docs/tell-people.md"
        )
    try:
        return parse(body, headers, deps.now_ns())
    except NotGenuine as error:
        log.warning("a request to channel %s was refused: %s", channel, error)
        raise ApiError(
            401, "not_genuine", str(error), "sign it with the channel's secret, as the vendor does"
        ) from None
    except NotUnderstood as error:
        raise ApiError(400, "not_understood", str(error), "lead only the vendor's requests here") from None


def done(desk: Desk, action: Action, channel: str, mark: str) -> bool:
    """Do what is asked for, and note the mark at once where doing it twice would change more; whether it was possible.

    A key of another incident, as after a new database was made, asks for nothing, nor does what came too late: a
    vendor can't mend that. Raises ControlError.
    """
    try:
        incident = desk.incident(action.incident_id)
        if vendor_key(incident) != action.key:
            raise Refused(f"{action.key} is no key of incident {incident.id}")
        match action.wish:
            case Wish.ACKNOWLEDGE:
                desk.acknowledge(incident.id, action.by, channel)
            case Wish.RESOLVE:
                desk.resolve(incident.id, action.by, f"through {channel}")
            case Wish.UNACKNOWLEDGE:
                desk.note(incident.id, action.by, f"took the acknowledgement back in {channel}", mark)
            case Wish.SILENCE:
                reason = f"from incident {incident.id} through {channel}"
                desk.silence(labels_to_silence(incident), action.silence_ns or 0, action.by, reason, mark=mark)
    except Refused as error:
        log.info("channel %s asked to %s: %s", channel, action.wish.value, error)
        return False
    return True
