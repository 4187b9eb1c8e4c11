import pytest

from clew.journey.remarks import after_kind, delivery_remarks, deviation_words, message_fate, printable, went_on


@pytest.mark.parametrize(
    ("kind", "reason", "told"),
    [
        ("stuck", "in SUBMITTED for 42 min", " in SUBMITTED for 42 min"),
        ("failed", "failed in PAID 5 min ago", " in PAID 5 min ago"),
        ("on_hold", "on hold for 1 h", " for 1 h"),
        ("lost", "published to q 1 h ago", ", published to q 1 h ago"),
        ("on_time", "first heard of just now", ", first heard of just now"),
    ],
)
def test_a_reason_follows_the_word_for_its_kind(kind, reason, told):
    assert after_kind(kind, reason) == told


@pytest.mark.parametrize(
    ("kinds", "before", "told"),
    [
        (["skipped A", "skipped B"], "X", ["skipped A, B"]),
        (["skipped A", "accepted B"], "X", ["skipped A", "skipped B (accepted)"]),
        (["out_of_sequence S"], "X", ["out of sequence after X"]),
        (["out_of_sequence S"], "", ["out of sequence at the beginning"]),
        ([], "X", []),
    ],
)
def test_every_deviation_of_a_visit_is_told(kinds, before, told):
    pairs = [each.split() for each in kinds]
    deviations = [("skipped" if kind == "accepted" else kind, stage, kind == "accepted") for kind, stage in pairs]
    assert deviation_words(deviations, before) == told


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (("dead_lettered", "", True, True), "lost: dead lettered"),
        ((None, "unroutable", False, False), "not published: unroutable"),
        ((None, "", True, False), ""),
        ((None, "", False, False), "not taken yet"),
        ((None, "", False, True), "no word of its being taken; the order went on"),
    ],
)
def test_the_fate_of_a_message_is_told(message, told):
    assert message_fate(*message) == told


@pytest.mark.parametrize(
    ("delivery", "told"),
    [
        (("ack", False, "", "", ""), []),
        (("reject", True, "", "", "no 3D data"), ["redelivered", "rejected", "no 3D data"]),
        (("requeue", False, "expired", "", ""), ["dead-lettered from a queue (expired)", "put back"]),
        (
            ("none", False, "rejected", "q", ""),
            ["dead-lettered from q (rejected)", "connection lost before it was settled"],
        ),
    ],
)
def test_what_is_remarkable_about_a_delivery_is_told(delivery, told):
    assert delivery_remarks(*delivery) == told


@pytest.mark.parametrize(
    ("entries", "moved"),
    [([("shop", 9)], False), ([("crm", 5)], False), ([("crm", 6)], True), ([], False)],
)
def test_an_order_went_on_when_another_service_moved_it_later(entries, moved):
    assert went_on("shop", 5, entries) is moved


def test_nothing_that_a_terminal_or_a_ticket_obeys_is_printed():
    assert printable("a\x1b[31m\nb\u202e\u200bc") == "a·[31m b··c"
