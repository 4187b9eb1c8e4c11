import pytest
from rich.console import Console

from clew.cli.order import render_journey

AT = "2026-07-01T08:{:02}:00Z"


def journey(**changes):
    """An order that ``shop`` brought into ORDERED, and published a message of that nobody is known to have taken."""
    verdict = {"kind": "on_time", "reason": "in ORDERED for 1 h", "owner": "", "since_at": AT.format(0)}
    message = {
        "service": "shop", "destination": "rings", "queue": "", "published_at": AT.format(5), "lost": None, "error": "",
        "deliveries": [],
    }  # fmt: skip
    return {
        "order_id": "4711", "singular": "order", "verdict": verdict, "terminal": None, "due_at": None, "path": "",
        "projected_end_at": None, "user_id": "", "aliases": {}, "services": [], "stages": [visit("shop", 0)],
        "after_end": [], "stages_ahead": [], "holds": [], "losses": [], "messages": [message], "traces": [],
        "traces_gone": [], "failure": None, "errors_found": [],
    } | changes  # fmt: skip


def visit(service, minute):
    return {
        "stage": "ORDERED", "service": service, "entered_at": AT.format(minute), "warn_s": 0.0, "limit_s": None,
        "used": None, "current": False, "dwell_s": 60.0, "held_s": 0.0, "actor": "", "deviations": [],
    }  # fmt: skip


def drawn(told):
    screen = Console(width=120, force_terminal=False)
    with screen.capture() as captured:
        screen.print(render_journey(told, 120, AT.format(30)))
    return captured.get()


@pytest.mark.parametrize(
    ("visits", "told"),
    [
        ([("shop", 0)], "not taken yet"),
        ([("shop", 0), ("shop", 6)], "not taken yet"),
        ([("mes", 0)], "not taken yet"),
        ([("shop", 0), ("mes", 6)], "no word of its being taken; the order went on"),
    ],
)
def test_a_message_is_not_awaited_where_another_service_moved_the_order_since(visits, told):
    shown = drawn(journey(stages=[visit(*each) for each in visits]))
    assert told in shown
    assert ("not taken yet" in shown) == (told == "not taken yet")


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("in ORDERED for 1 h", "on time in ORDERED for 1 h"),
        ("last seen in ORDERED 2 days ago", "on time, last seen in ORDERED 2 days ago"),
        ("first heard of 1 h ago, no stage known yet", "on time, first heard of 1 h ago"),
    ],
)
def test_a_headline_reads_as_a_sentence(reason, told):
    verdict = {"kind": "on_time", "reason": reason, "owner": "", "since_at": AT.format(0)}
    assert drawn(journey(verdict=verdict)).startswith(f"order 4711: {told}")


def test_an_order_names_the_incidents_that_are_about_it():
    def incident(number, state, **who):
        nobody = {"acknowledged_by": "", "resolved_by": ""}
        return {"incident_id": number, "title": "stuck", "state": state, "opened_at": AT.format(9), **nobody, **who}

    told = [
        incident(3, "open"),
        incident(2, "acknowledged", acknowledged_by="ann"),
        incident(1, "resolved", acknowledged_by="ann", resolved_by="bob"),
    ]
    lines = [line.strip() for line in drawn(journey(incidents=told)).splitlines()]
    begin = lines.index("INCIDENTS")
    assert [line.rpartition(" since ")[0] for line in lines[begin + 1 : begin + 4]] == [
        "3: stuck, open",
        "2: stuck, acknowledged by ann",
        "1: stuck, resolved by bob",
    ]
    assert "INCIDENTS" not in drawn(journey(incidents=[]))
