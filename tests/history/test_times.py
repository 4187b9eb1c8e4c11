"""Times are read exactly as they are written, or refused with the option that makes them clear."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from clew.history.detect import Sample, detect, shapes_of
from clew.history.patterns import Pattern
from clew.history.rows import HistoryError
from clew.history.times import Clock, format_named
from clew.history.zones import BadTime, Zone

SECOND_NS = 1_000_000_000


def ns(*parts, tz=UTC):
    return round(datetime(*parts, tzinfo=tz).timestamp() * 1e6) * 1_000


def clock_named(name, zone, repeated=""):
    return Clock(format_named(name), Zone(zone, repeated) if zone else None)


def found(*texts, zone="", time_format="", repeated=""):
    samples = [Sample(line, text) for line, text in enumerate(texts, 2)]
    return detect(samples, "when", zone, repeated, time_format)


@pytest.mark.parametrize(
    ("text", "zone", "form", "at_ns"),
    [
        ("2024-01-02T10:00:00Z", "", "iso", ns(2024, 1, 2, 10)),
        ("2024-01-02T10:00:00+02:00", "", "iso", ns(2024, 1, 2, 8)),
        ("2024-01-02 10:00:00.123456+00", "", "iso", ns(2024, 1, 2, 10) + 123_456_000),
        ("2024-01-02T10:00:00.123456789Z", "", "iso", ns(2024, 1, 2, 10) + 123_456_789),
        ("2024-01-02T10:00:00,5 +0100", "", "iso", ns(2024, 1, 2, 9) + SECOND_NS // 2),
        ("2024-01-02T10:00:00+01:00[Europe/Berlin]", "", "iso", ns(2024, 1, 2, 9)),
        ("2024-01-02 10:00:00 UTC", "", "iso", ns(2024, 1, 2, 10)),
        ("2024-01-02 10:00", "Europe/Berlin", "iso", ns(2024, 1, 2, 9)),
        ("2024-07-02 10:00:00 CEST", "Europe/Berlin", "iso", ns(2024, 7, 2, 8)),
        ("2024-01-02", "+02:00", "iso", ns(2024, 1, 1, 22)),
        ("2024/01/02 10:00:00", "UTC", "%Y/%m/%d %H:%M:%S", ns(2024, 1, 2, 10)),
        ("02.01.2024 10:00", "UTC", "%d.%m.%Y %H:%M", ns(2024, 1, 2, 10)),
        ("02.01.2024 10.00", "UTC", "%d.%m.%Y %H.%M", ns(2024, 1, 2, 10)),
        ("13/01/2024 10:00", "UTC", "%d/%m/%Y %H:%M", ns(2024, 1, 13, 10)),
        ("1/13/2024 3:04:05 PM", "UTC", "%m/%d/%Y %I:%M:%S %p", ns(2024, 1, 13, 15, 4, 5)),
        ("1/13/2024 12:04 AM", "UTC", "%m/%d/%Y %I:%M %p", ns(2024, 1, 13, 0, 4)),
        ("02-JAN-24 10.00.00.000007 AM", "UTC", "%d-%b-%y %I.%M.%S %p", ns(2024, 1, 2, 10) + 7_000),
        ("Tue, 02 Jan 2024 10:00:00 GMT", "", "%a, %d %b %Y %H:%M:%S %z", ns(2024, 1, 2, 10)),
        ("02/Jan/2024:10:00:00 +0100", "", "%d/%b/%Y:%H:%M:%S %z", ns(2024, 1, 2, 9)),
        ("January 2, 2024 10:00 pm", "UTC", "%b %d, %Y %I:%M %p", ns(2024, 1, 2, 22)),
        (
            "Tue Jan 02 2024 10:00:00 GMT+0200 (Eastern European Standard Time)", "",
            "%a %b %d %Y %H:%M:%S %z", ns(2024, 1, 2, 8),
        ),
        ("20240102T100000Z", "", "%Y%m%dT%H%M%S%z", ns(2024, 1, 2, 10)),
        ("20240102100000", "UTC", "%Y%m%d%H%M%S", ns(2024, 1, 2, 10)),
        ("20240102", "UTC", "%Y%m%d", ns(2024, 1, 2)),
        ("1704189600", "", "unix-s", ns(2024, 1, 2, 10)),
        ("1704189600.25", "", "unix-s", ns(2024, 1, 2, 10) + SECOND_NS // 4),
        ("1704189600123", "", "unix-ms", ns(2024, 1, 2, 10) + 123_000_000),
        ("1704189600123456", "", "unix-us", ns(2024, 1, 2, 10) + 123_456_000),
        ("1704189600123456789", "", "unix-ns", ns(2024, 1, 2, 10) + 123_456_789),
    ],
)  # fmt: skip
def test_a_time_is_known_by_its_shape(text, zone, form, at_ns):
    clock = found(text, zone=zone)
    assert clock.format.name == form
    assert clock.read(text) == at_ns
    assert clock.read_all([text, text]) == [at_ns, at_ns]


@pytest.mark.parametrize(
    ("texts", "zone", "told", "mend"),
    [
        (["01/02/2024"], "UTC", "1 February 2024 or 2 January 2024", '"%d/%m/%Y" or --time-format "%m/%d/%Y"'),
        (["01-02-2024 10:00"], "UTC", "two ways: '01-02-2024 10:00' in line 2", "--time-format"),
        (["13/02/2024", "02/13/2024", "01/02/2024"], "UTC", "two ways", "--time-format"),
        (["01/02/03"], "UTC", "two ways", "--time-format"),
        (["2024-01-02 10:00:00"], "", "name no zone: '2024-01-02 10:00:00' in line 2", "--zone Europe/Berlin"),
        (["2024-01-02 10:00:00 CET"], "", "name no zone", "--zone"),
        (["soon"], "", "not understood as times: 'soon' in line 2", "--time-format"),
        (["2024-01-02T10:00:00Z", "soon", "later", "never"], "", "'soon' in line 3", "--time"),
        (["42"], "", "not understood", "--time-format"),
    ],
)
def test_what_is_not_clear_is_refused_with_the_option_to_give(texts, zone, told, mend):
    with pytest.raises(HistoryError) as raised:
        found(*texts, zone=zone)
    assert told in str(raised.value)
    assert mend in raised.value.mend


def test_samples_settle_what_a_single_time_cannot():
    clock = found("01/02/2024", "02/02/2024", "25/02/2024", zone="UTC")
    assert clock.read("03/04/2024") == ns(2024, 4, 3)
    with pytest.raises(BadTime, match="no such day"):
        clock.read("04/13/2024")


def test_an_option_settles_it_as_well_and_must_fit():
    assert found("01/02/2024", zone="UTC", time_format="%m/%d/%Y").read("01/02/2024") == ns(2024, 1, 2)
    with pytest.raises(HistoryError, match=r"is written as %Y"):
        found("01/02/2024", zone="UTC", time_format="%Y-%m-%d")


@pytest.mark.parametrize(
    ("form", "told"),
    [("%d/%m %H:%M", "year, month and day"), ("%Y-%m-%d %Q", "%Q is unknown"), ("%Y-%m-%d %d", "twice"),
     ("%Y-%m-%d %I:%M", "belong together")],
)  # fmt: skip
def test_a_wrong_pattern_is_told_before_anything_is_read(form, told):
    with pytest.raises(HistoryError, match=told) as raised:
        Pattern(form)
    assert raised.value.of_call


@pytest.mark.parametrize(
    ("form", "zone", "text", "told"),
    [
        ("iso", "", "2024-01-02T10:00:00", "names no zone"),
        ("iso", "UTC", "2024-01-02-05:00", "ISO 8601"),
        ("iso", "UTC", "2024-02-30", "no such day"),
        ("iso", "UTC", "2024-01-02T24:30", "no hour 24"),
        ("iso", "UTC", "9999-12-31", "between 1970-01-02 and 2100"),
        ("iso", "UTC", "1970-01-01", "between 1970-01-02 and 2100"),
        ("iso", "UTC", "02/01/2024", "ISO 8601"),
        ("iso", "Europe/Berlin", "2024-03-31 02:30", "never was in Europe/Berlin"),
        ("iso", "Europe/Berlin", "2024-10-27 02:30", "came twice in Europe/Berlin"),
        ("iso", "Europe/Berlin", "2024-07-01 10:00 CET", "CET is not what Europe/Berlin is called then"),
        ("%d.%m.%Y", "UTC", "1.2.24", "%d.%m.%Y"),
        ("%d.%m.%Y %I:%M %p", "UTC", "1.2.2024 13:00 PM", "no hour 13"),
        ("unix-s", "", "1e9", "no number of s"),
        ("unix-ms", "", "-5", "no number of ms"),
    ],
)
def test_a_time_that_differs_from_the_format_is_refused_with_the_reason(form, zone, text, told):
    clock = clock_named(form, zone, "")
    with pytest.raises(BadTime, match=told):
        clock.read(text)
    with pytest.raises(ValueError, match=told):
        clock.read_all([text])


@pytest.mark.parametrize(("repeated", "hour"), [("first", 0), ("second", 1)])
def test_an_hour_that_came_twice_is_told_apart_by_an_option_or_by_the_zone_s_name(repeated, hour):
    assert clock_named("iso", "Europe/Berlin", repeated).read("2024-10-27 02:30") == ns(2024, 10, 27, hour, 30)
    name = ("CEST", "CET")[hour]
    assert clock_named("iso", "Europe/Berlin", "").read(f"2024-10-27 02:30 {name}") == ns(2024, 10, 27, hour, 30)


@pytest.mark.parametrize("name", ["Nowhere/Town", "+25:00", "../etc/passwd", "local time"])
def test_a_zone_must_be_known(name):
    with pytest.raises(HistoryError, match="no time zone"):
        Zone(name)


MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(2068, 12, 31))
DATES = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%b-%Y",
    "%d %B %Y",
    "%b %d, %Y",
    "%Y%m%d",
    "%d.%m.%y",
)
CLOCKS = ("%H:%M:%S", "%H:%M", "%H:%M:%S.%f", "%I:%M:%S %p", "%I:%M %p")


def attempt(texts):
    """The clock that is found, or why there is none."""
    try:
        return found(*texts, zone="UTC"), ""
    except HistoryError as error:
        return None, str(error)


def cut(moment, clock):
    """The moment as exactly as a clock shows it."""
    shown = {"%S": moment.second, "%f": moment.microsecond}
    return moment.replace(second=shown["%S"] if "%S" in clock else 0, microsecond=shown["%f"] if "%f" in clock else 0)


@given(
    st.lists(MOMENTS, min_size=1, max_size=6),
    st.sampled_from(DATES),
    st.sampled_from(CLOCKS),
    st.sampled_from(["", " +0130"]),
)
def test_what_a_pattern_writes_is_found_and_read_back_or_said_to_be_ambiguous(moments, date, clock, offset):
    texts = [moment.strftime(f"{date} {clock}") + offset for moment in moments]
    reader, refused = attempt(texts)
    if reader is None:
        assert "two ways" in refused
        assert any(len(shapes_of(text)) > 1 for text in texts)
        return
    shift = timedelta(minutes=90) if offset else timedelta()
    wanted = [round((cut(moment, clock) - shift).replace(tzinfo=UTC).timestamp() * 1e6) * 1_000 for moment in moments]
    assert reader.read_all(texts) == wanted


@given(
    MOMENTS,
    st.sampled_from(
        ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca"]
    ),
)
def test_a_zone_s_clock_agrees_with_the_standard_library_wherever_it_is_unambiguous(local, name):
    zone = ZoneInfo(name)
    first, second = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    clock = clock_named("iso", name, "")
    text = local.isoformat(" ")
    if first.utcoffset() == second.utcoffset():
        assert (
            clock.read(text)
            == clock.read_all([text])[0]
            == ((first - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1_000)
        )
    else:
        with pytest.raises(BadTime, match=r"twice|never"):
            clock.read(text)


@given(st.lists(MOMENTS, min_size=1, max_size=8), st.randoms())
def test_the_quick_way_and_the_exact_way_agree(moments, random):
    ends = [random.choice(("Z", "+00:00", "+0530", " -02:00", "123Z")) for _ in moments]
    texts = [
        moment.isoformat(random.choice(("T", " ")), "microseconds") + end
        for moment, end in zip(moments, ends, strict=True)
    ]
    clock = clock_named("iso", "", "")
    assert clock.read_all(texts) == [clock.read(text) for text in texts]


@given(st.text(alphabet="0123456789-/.: TZ+JanPM", max_size=24))
def test_no_text_breaks_the_detection(text):
    assume(text.strip())
    clock, refused = attempt([text])
    assert clock is None or clock.zone
    assert clock or refused
