import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clew.flow.patterns import pattern_fault
from clew.flow.rules import sql_literal

GOOD = [
    r"/orders/([^/]+)",
    r"/orders/(\d{1,12})(?:/|$)",
    r"(?i:/Orders)/([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})",
    r"^/(?P<order>[\w.-]+)\?.*$",
    r"/o/([]a]+)",
    r"\b(o-\d+?)\b",
    r"(a|b|c)*?x{2,}",
    r"/orders/([^/?#]+)/items",
    "/заказы/([^/]+)",
]

BAD = [
    (r"(", "not a regular expression"),
    (r"*(a)", "not a regular expression"),
    (r"(a)**", "not a regular expression"),
    (r"/orders/", "0 capture groups"),
    (r"(a)(b)", "2 capture groups"),
    (r"(?=a)(b)", "look-around"),
    (r"(?!a)(b)", "look-around"),
    (r"(?<=a)(b)", "look-around"),
    (r"(?<!a)(b)", "look-around"),
    (r"(a)\1", "back-reference"),
    (r"(?P<x>a)(?P=x)", "back-reference"),
    (r"(a)(?(1)b|c)", "the group"),
    (r"(?>a)(b)", "the group"),
    (r"(?#note)(b)", "the group"),
    (r"(?x) (b)", "the group"),
    (r"(a)*+", "possessive"),
    (r"(a){2}+", "possessive"),
    (r"(a)\Z", "the escape"),
    (r"(a)\u0041", "the escape"),
    (r"([\b])", "inside brackets"),
    (r"([[:alpha:]])", "inside brackets"),
    (r"([a&&b])", "inside brackets"),
    (r"(a){,3}", "begins no count"),
    (r"(a{)", "begins no count"),
    (r"(a){201}", "a count over"),
    (r"((?:a{20}){20})", "a count on a group"),
    ("(" + "a" * 300 + ")", "longer than"),
]


@pytest.mark.parametrize("pattern", GOOD)
def test_an_expression_that_both_engines_know_is_accepted(pattern, engine):
    assert pattern_fault(pattern) is None
    assert engine.rows(f"SELECT extract(materialize('x'), {sql_literal(pattern)})")


@pytest.mark.parametrize(("pattern", "fault"), BAD)
def test_an_expression_that_the_engine_lacks_or_reads_otherwise_is_refused(pattern, fault):
    assert fault in (pattern_fault(pattern) or "")


PIECES = st.sampled_from(
    [
        *r"ab/-.:^$|*+?(){}[]\,!=<>#",
        "(",
        ")",
        "[^",
        r"\d",
        r"\w",
        r"\.",
        r"\/",
        r"\Z",
        r"\1",
        "(?:",
        "(?P<n>",
        "{2}",
        "{1,3}",
        "é",
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=10).map("".join), st.lists(st.sampled_from([*"ab/-.1é"]), max_size=12).map("".join))
def test_an_accepted_expression_catches_the_same_in_the_engine_as_in_python(engine, pattern, text):
    pattern = f"{pattern}(a+)"
    if pattern_fault(pattern) is not None:
        return
    match = re.search(pattern, text, re.ASCII)
    expected = (match[1] or "") if match else ""
    assert engine.value(f"SELECT extract(materialize({sql_literal(text)}), {sql_literal(pattern)})") == expected
