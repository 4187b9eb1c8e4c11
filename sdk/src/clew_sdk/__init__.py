"""Tells Clew where an order is: tracing in one call, and stage events that survive a dead backend.

import clew_sdk

clew_sdk.setup(service="shop-api", outbox="shop-outbox.sqlite")
with clew_sdk.order("4711", path="b2c"):
    clew_sdk.stage("SUBMITTED")
"""

from clew_sdk.context import order
from clew_sdk.facts import hold, resume, stage
from clew_sdk.sdk import Sdk, setup
from clew_sdk.table import create_outbox, outbox_ddl
from clew_sdk.version import __version__

__all__ = ["Sdk", "__version__", "create_outbox", "hold", "order", "outbox_ddl", "resume", "setup", "stage"]
