"""The name under which a vendor knows an incident. Pure."""

from __future__ import annotations

import hashlib
import re

from clew.model.incident import Incident, Notice, NoticeKind

_KEY = re.compile(r"clew-([0-9]{1,18})-[0-9a-f]{12}")


def vendor_key(incident: Incident) -> str:
    """The vendor's dedup key of an incident: at most 36 characters, the same for all its notices, and no other's.

    An incident's own key is also that of the next one for the same thing: with it a late notice of the first would
    close the second. Its number alone begins anew with a new database. So both are in it, with when it opened.
    """
    told = f"{incident.key}|{incident.opened_ns}".encode("utf-8", "replace")
    return f"clew-{incident.id}-{hashlib.sha256(told).hexdigest()[:12]}"


def notice_key(notice: Notice) -> str:
    """The vendor key of what a notice is about: its incident, or, for summaries and tests, itself."""
    if notice.kind in (NoticeKind.SUMMARY, NoticeKind.TEST):
        return notice.key
    return vendor_key(notice.incident)


def incident_of(key: str) -> int | None:
    """The number of the incident in a vendor key; None when it isn't one of Clew's."""
    match = _KEY.fullmatch(key)
    return int(match.group(1)) if match else None
