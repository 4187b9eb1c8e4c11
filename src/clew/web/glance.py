"""How many incidents wait, for the navigation of all pages: looked at once for all who ask within a second."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from clew.control.contract import Standing
from clew.model.errors import ControlError
from clew.watch.desk import Desk

log = logging.getLogger(__name__)

_HOLDS_S = 1.0


class Glance:
    """What stands in the control database, at most a second old."""

    def __init__(self, desk: Callable[[], Desk | None], clock: Callable[[], float] = time.monotonic) -> None:
        """``desk`` answers the desk there is now; without one nothing stands."""
        self._desk = desk
        self._clock = clock
        self._lock = threading.Lock()
        self._looked: float | None = None
        self._seen: Standing | None = None

    @property
    def seen(self) -> Standing | None:
        """What was seen last, without a look; None: nothing was, or it can't be known."""
        return self._seen

    @property
    def due(self) -> bool:
        """Whether the next `look` reads."""
        return self._desk() is not None and (self._looked is None or self._clock() - self._looked >= _HOLDS_S)

    def look(self) -> Standing | None:
        """What stands now; not for the thread of an event loop. Whoever comes while another one reads gets the last."""
        if self.due and self._lock.acquire(blocking=self._looked is None):
            try:
                self._read()
            finally:
                self._lock.release()
        return self._seen

    def _read(self) -> None:
        desk = self._desk()
        if desk is None or not self.due:
            return
        try:
            self._seen = desk.incidents.standing()
        except ControlError as error:
            self._seen = None
            log.warning("how many incidents wait can't be told: %s", error)
        self._looked = self._clock()
