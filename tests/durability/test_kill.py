"""SIGKILL under load, five times: what was acknowledged is all there, and once."""

import pytest

from bench.kills import run_kills


@pytest.mark.long
def test_kills_at_random_moments_lose_and_double_nothing_that_was_acknowledged(tmp_path):
    report = run_kills(tmp_path, kills=5, seed=11, senders=3, checked_traces=60)

    assert report.spans > 100
    assert report.stage_events > 50
    assert report.missing_spans == 0
    assert report.missing_stage_events == 0
    assert report.incomplete_journeys == 0
    assert report.doubled == 0
    assert max(report.restarts_s) < 30
    assert report.sent_again > 0, "no kill met a request under way"
