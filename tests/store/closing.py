"""A process that closes a store while a stream is open; prints what whoever goes on reading gets, and a second stream."""

import sys
import threading

from clew.model.errors import ClewError
from clew.store.contract import Format
from clew.store.embedded import open_store


def close_in_the_midst() -> None:
    binds = [{"count": 1_000_000}] * 20
    sql = "SELECT number FROM numbers({count:UInt64})"
    running, later = (store.stream(sql, binds, Format.CSV) for _ in range(2))
    next(running)
    store.close()
    for pieces in (running, later):
        try:
            list(pieces)
        except ClewError as error:
            print(type(error).__name__)


store = open_store(sys.argv[1])
worker = threading.Thread(target=close_in_the_midst)
worker.start()
worker.join()
