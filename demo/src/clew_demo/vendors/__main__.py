"""``python -m clew_demo.vendors slack PORT BOOK``: one vendor, until it is ended."""

from __future__ import annotations

import sys
from pathlib import Path

from clew_demo.household import READY
from clew_demo.vendors.pagerduty import PagerDuty
from clew_demo.vendors.server import Server, Vendor
from clew_demo.vendors.slack import Slack

VENDORS: dict[str, type[Slack | PagerDuty]] = {"slack": Slack, "pagerduty": PagerDuty}


def main(name: str, port: str, book: str) -> None:
    """Serve on a port of loopback; what is told goes to the file ``book``."""
    vendor: Vendor = VENDORS[name]()
    server = Server(int(port), vendor, Path(book))
    print(READY, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
