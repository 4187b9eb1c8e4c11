"""Columns are known by common names, and an option always has the last word."""

import pytest

from clew.history.columns import assign
from clew.history.rows import HistoryError, Names


def of(*columns, own=None, **asked):
    return dict(assign(columns, asked, own or Names()).of)


@pytest.mark.parametrize(
    ("columns", "roles"),
    [
        (["case_id", "activity", "timestamp"], {"order": "case_id", "stage": "activity", "time": "timestamp"}),
        (
            ["case:concept:name", "concept:name", "time:timestamp", "org:resource"],
            {"order": "case:concept:name", "stage": "concept:name", "time": "time:timestamp", "actor": "org:resource"},
        ),
        (["Case ID", "Activity", "Complete Timestamp"], {"order": "Case ID", "stage": "Activity", "time": "Complete Timestamp"}),
        (["OrderId", "newStatus", "changedAt"], {"order": "OrderId", "stage": "newStatus", "time": "changedAt"}),
        (
            ["ORDER_NO", "STATUS", "TS", "USER_ID", "CHANNEL", "DUE_DATE", "SERVICE"],
            {
                "order": "ORDER_NO", "stage": "STATUS", "time": "TS", "user": "USER_ID", "path": "CHANNEL", "due": "DUE_DATE",
                "service": "SERVICE",
            },
        ),
        (["order_id", "activity", "status", "time"], {"order": "order_id", "stage": "activity", "time": "time"}),
    ],
)  # fmt: skip
def test_common_names_are_known(columns, roles):
    assert of(*columns) == roles


def test_an_option_takes_a_column_from_a_guess_and_an_empty_one_forbids_it():
    columns = ["order_id", "status", "activity", "time", "channel"]
    assert of(*columns, stage="status", path="") == {"order": "order_id", "stage": "status", "time": "time"}
    assert of(*columns, stage="Status")["stage"] == "status"
    assert assign(columns, {"stage": "status"}, Names()).guessed == {"order", "time", "path"}


def test_what_a_format_says_goes_before_common_names():
    assert of("subject", "order_id", "stage", "time", own=Names(order=("subject",)))["order"] == "subject"


def test_what_a_format_prescribes_is_not_guessed():
    own = Names(("case:concept:name",), ("concept:name",), ("time:timestamp",), prescribed=True)
    roles = assign(["case:concept:name", "concept:name", "time:timestamp", "org:resource"], {}, own)
    assert roles.guessed == {"actor"}


def test_a_column_that_is_not_there_is_refused_and_those_that_are_there_told():
    with pytest.raises(HistoryError, match="--stage Phase: there is no such column") as raised:
        of("order_id", "stage", "time", stage="Phase")
    assert (raised.value.mend, raised.value.of_call) == ("there are order_id, stage, time", True)
