"""What the page about incidents shows can be used as it is."""

import re
from pathlib import Path

from clew.notify.channels.registry import Registry
from clew.notify.load import parse_notify

PAGE = Path(__file__).parents[2] / "docs/incidents.md"
ENV = {"SLACK_WEBHOOK": "https://hooks.slack.com/services/T/B/x", "PAGERDUTY_KEY": "a" * 32}


def test_the_notify_file_of_the_page_is_a_good_one(tmp_path):
    [shown] = [text for text in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.S) if text.startswith("notify:")]
    notify = parse_notify(shown, Registry(ENV, tmp_path), PAGE.name)
    assert set(notify.policies.policies) == {"urgent", "default"}
