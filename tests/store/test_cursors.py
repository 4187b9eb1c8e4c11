"""Cursors give back what was put in, and take nothing that was forged."""

import json
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clew.store.cursors import BadCursor, decode_cursor, encode_cursor
from clew.store.orders import order_place

PLACES = st.tuples(st.integers(0, 2**62 - 1), st.integers(0, 8), st.integers(1 - 2**62, 2**62 - 1), st.text())


@given(PLACES.filter(lambda place: place[3].encode(errors="ignore").decode() == place[3]))
def test_a_cursor_gives_its_place_back_and_fits_a_url(place):
    cursor = encode_cursor(*place)
    assert cursor.replace("-", "").replace("_", "").isalnum()
    assert decode_cursor(cursor, order_place) == place


@pytest.mark.parametrize(
    "forged", ["x", "", "ж", "AAAA", "null", 5, [], {}, [1, 2, 3], [1, 2, 3, 4, 5], [1, 2, "3", "4"]]
)
def test_what_was_forged_is_refused(forged):
    texts = [urlsafe_b64encode(json.dumps(forged).encode()).decode()] + ([forged] if isinstance(forged, str) else [])
    for text in texts:
        with pytest.raises(BadCursor, match="start again"):
            decode_cursor(text, order_place)
