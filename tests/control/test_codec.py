"""Values to JSON and back: nothing lost, nothing taken that we didn't write."""

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clew.control.codec import from_json, to_json
from clew.model.alert import Alert, Finding
from clew.model.errors import ControlError
from clew.model.incident import Incident, IncidentState, PlannedSilence
from clew.model.rule import Severity
from clew.model.week import WeekHours

TEXT = st.text(st.characters(codec="utf-8"), max_size=10)
NS = st.integers(0, 2**63 - 1)
KINDS = (Alert, Finding, Incident, PlannedSilence, WeekHours)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_what_goes_into_json_comes_back(kind):
    @settings(max_examples=40)
    @given(st.builds(kind))
    def comes_back(value):
        assert from_json(kind, to_json(value)) == value

    comes_back()


INCIDENT = to_json(Incident(1, "k", "r", "t", Severity.ERROR, IncidentState.OPEN, {"a": "b"}, 1, 2, 3))


def test_it_is_json_of_plain_values():
    hours = WeekHours("office", "UTC", ((480, 1080), (1920, 2520)))
    silence = PlannedSilence(1, {"rule": "a"}, 1, 2, "ann", "because", hours)
    assert orjson.loads(orjson.dumps(to_json(silence))) == to_json(silence)
    assert to_json(silence)["hours"]["parts"] == [[480, 1080], [1920, 2520]]


@pytest.mark.parametrize(
    ("changed", "place"),
    [
        ({"id": "1"}, "Incident.id: '1'"),
        ({"id": True}, "Incident.id: 'True'"),
        ({"severity": "bad"}, "something else than Severity at Incident.severity"),
        ({"labels": {"a": 1}}, "Incident.labels.a: '1'"),
        ({"labels": []}, "a mapping at Incident.labels"),
        ({"told": "abc"}, "a list at Incident.told"),
        ({"told": ["a", 1]}, "Incident.told[1]"),
        ({"surplus": 1}, "at Incident: "),
    ],
)
def test_what_we_did_not_write_is_refused_with_its_place(changed, place):
    with pytest.raises(ControlError) as told:
        from_json(Incident, INCIDENT | changed)
    assert place in str(told.value)


def test_a_field_without_default_must_be_there_others_need_not():
    assert from_json(Incident, {key: INCIDENT[key] for key in INCIDENT if key != "owner"}).owner == ""
    with pytest.raises(ControlError):
        from_json(Incident, {key: INCIDENT[key] for key in INCIDENT if key != "key"})


def test_whole_numbers_are_read_where_a_float_is_meant():
    finding = to_json(Finding("r", "s", "because", 1, value=2.5)) | {"value": 3}
    assert from_json(Finding, finding).value == 3.0


def test_a_pair_has_two_items():
    with pytest.raises(ControlError):
        from_json(WeekHours, {"name": "a", "zone": "UTC", "parts": [[1, 2, 3]]})


def test_types_without_a_form_are_a_mistake_of_ours():
    with pytest.raises(TypeError, match="no JSON form"):
        to_json(object())
