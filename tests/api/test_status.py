import time
from dataclasses import replace

import httpx
import pytest

from clew.api import create_api
from clew.store.embedded import open_store
from tests.builders import ingest, logs, stage_event
from tests.serving import serving
from tests.story import MINUTE, tell


def test_what_fails_is_told_and_only_what_keeps_journeys_from_growing_makes_it_unready(tmp_path):
    store = open_store(tmp_path)
    deps = replace(tell(store), upkeep_problem=lambda: "the disk is full")
    with serving(create_api(deps)) as url:
        told = httpx.get(f"{url}/api/v1/status").json()
        ready = httpx.get(f"{url}/readyz").status_code
    store.close()
    assert (told["problem"], told["upkeep_problem"], ready) == (None, "the disk is full", 200)


@pytest.fixture
def get(tmp_path):
    """Asks an API whose ``mes-api`` told of a stage that the flow doesn't know."""
    store = open_store(tmp_path)
    now = time.time_ns()
    mistyped = (stage_event(order, "SUBMITED", now - MINUTE) for order in ("4801", "4802"))
    ingest(store, now, logs("mes-api", *mistyped))
    with serving(create_api(tell(store, now))) as url:
        yield lambda path: httpx.get(f"{url}/api/v1{path}").json()
    store.close()


def test_stages_that_the_flow_does_not_know_are_named_with_who_tells_of_them(get):
    assert get("/status")["unknown_stages"] == [
        {"flow": "jeweller", "stage": "SUBMITED", "orders": 2, "services": ["mes-api"]}
    ]
