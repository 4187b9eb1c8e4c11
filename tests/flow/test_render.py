from hypothesis import given, settings

from clew.flow import default_flow, parse_flow, render_flow
from tests.flow.strategies import flows


@settings(max_examples=60, deadline=None)
@given(flows())
def test_every_flow_is_written_so_that_it_reads_back(flow):
    assert parse_flow(render_flow(flow)) == flow


def test_the_shipped_flow_is_written_in_its_own_order_and_reads_back():
    text = render_flow(default_flow())
    assert parse_flow(text) == default_flow()
    assert text.startswith("flow: jeweller\nversion: 1\nsingular: order\nplural: orders\npaths:\n  b2c: [INITIATED]\n")
    assert "next: [PRICE_CALCULATED, CANCELLED]" in text
