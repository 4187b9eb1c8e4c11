"""Notify files: what is read, and how every mistake is named with its line."""

from dataclasses import dataclass

import pytest

from clew.model.errors import NotifyError
from clew.model.incident import Policy, PolicyStep, Route
from clew.model.rule import Severity
from clew.notify.channels.registry import Registry
from clew.notify.load import example_text, load_notify, parse_notify
from tests.notify.world import DAY, HOUR, MINUTE

GOOD = """\
notify: shop
version: 3
channels:
  slack: {kind: a}
  duty: {kind: b}
hours:
  office: {zone: Europe/Berlin, on: mon-fri, from: "08:00", to: "18:00"}
policies:
  default: {steps: [{notify: slack}, {wait: 15m, notify: [duty, slack], hours: office}], repeat: 2, stale_after: 4h}
  soft: {steps: [{notify: [slack]}]}
routes:
  - {severities: [critical, error], policy: default}
  - {labels: {service: crm-api}, policy: default}
  - {policy: soft}
heartbeat: {url: x}
limits: {per_minute: 7}
"""


@dataclass
class Kinds:
    """Reads a channel as its kind; one that is bad is a mistake."""

    def read(self, name, node, key, reader):
        kind = reader.text(reader.mapping(node, key).get("kind"), key)
        if kind == "bad":
            reader.report(key, f"channel {name!r} is bad", "make it better", node)
            return None
        return f"{name} of {kind}"

    def read_switch(self, node, key, reader):
        return reader.text(reader.mapping(node, key)["url"], key)


def problems(text):
    with pytest.raises(NotifyError) as told:
        parse_notify(text, Kinds())
    return [(each.line, each.key, each.cause, each.mend) for each in told.value.problems]


def test_a_whole_file_is_read():
    notify = parse_notify(GOOD, Kinds())
    assert (notify.name, notify.version, notify.heartbeat, notify.per_minute) == ("shop", 3, "x", 7)
    assert notify.channels == {"slack": "slack of a", "duty": "duty of b"}
    default, soft = notify.policies.policies.values()
    assert soft == Policy("soft", (PolicyStep(0, ("slack",)),))
    assert (default.repeat, default.stale_after_ns) == (2, 4 * HOUR)
    first, second = default.steps
    assert first == PolicyStep(0, ("slack",))
    assert (second.after_ns, second.channels, second.hours.zone) == (15 * MINUTE, ("duty", "slack"), "Europe/Berlin")
    assert notify.policies.routes == (
        Route("default", (Severity.CRITICAL, Severity.ERROR)),
        Route("default", (), {"service": "crm-api"}),
        Route("soft"),
    )


def test_the_example_is_a_good_file_when_its_secrets_are_there(tmp_path):
    env = {"SLACK_WEBHOOK": "https://hooks.slack.com/services/T/B/x", "PAGERDUTY_KEY": "a" * 32}
    notify = parse_notify(example_text(), Registry(env, tmp_path), "jeweller.yaml")
    assert set(notify.channels) == {"orders-slack", "duty"}
    assert notify.policies.policies["default"].stale_after_ns == DAY
    with pytest.raises(NotifyError, match="PAGERDUTY_KEY is not set"):
        parse_notify(example_text(), Registry({}, tmp_path))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("kind: a", "kind: bad", (4, "channels.slack", "channel 'slack' is bad", "make it better")),
        (
            "notify: slack}",
            "notify: slak}",
            (9, "policies.default.steps[0].notify", "no channel 'slak' is declared", "did you mean 'slack'?"),
        ),
        (
            "{notify: slack}",
            "{wait: 5m}",
            (
                9,
                "policies.default.steps[0]",
                "a step that tells nobody",
                "add for example notify: [CHANNEL]",
            ),
        ),
        (
            "hours: office}",
            "hours: ofice}",
            (9, "policies.default.steps[1].hours", "no hours 'ofice' are declared", "did you mean 'office'?"),
        ),
        (
            "wait: 15m",
            "wait: soon",
            (
                9,
                "policies.default.steps[1].wait",
                "'soon' is not a length of time",
                "write for example 15m, 4h or 1h30m",
            ),
        ),
        (
            "repeat: 2",
            "repeat: 99",
            (9, "policies.default.repeat", "'99' is not a number from 0 to 20", "write for example 2"),
        ),
        (
            "steps: [{notify: [slack]}]",
            "repeat: 1",
            (10, "policies.soft", "policy 'soft' has no steps", "add for example steps: [{notify: [CHANNEL]}]"),
        ),
        ("policy: soft", "policy: soff", (14, "routes[2].policy", "no policy 'soff' is declared", "did you mean 'soft'?")),
        ("{policy: soft}", "{labels: {a: b}}", (14, "routes[2].policy", "a route without a policy", "add for example policy: default")),
        (
            "[critical, error]",
            "[kritical]",
            (12, "routes[0].severities", "'kritical' is no severity", "did you mean 'critical'?"),
        ),
        (
            "{policy: soft}",
            "{severities: [warning], policy: soft}",
            (11, "routes", "nobody is told of info", "end the routes with {policy: default}"),
        ),
        (
            "labels: {service: crm-api}, ",
            "",
            (14, "routes[2]", "no incident comes to this route", "put the one that takes all at the end"),
        ),
        ("per_minute: 7", "per_minute: no", (16, "limits.per_minute", "'no' is not a whole number from 1 to 999,999,999", "write for example 1")),
        ("limits:", "limit:", (16, "limit", "unknown key 'limit'", "did you mean 'limits'?")),
        ("Europe/Berlin", "Europe/Berlyn", (7, "hours.office.zone", "no time zone 'Europe/Berlyn' is known", "write one such as Europe/Berlin or UTC")),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line_and_mend(old, new, problem):
    assert old in GOOD
    assert problem in problems(GOOD.replace(old, new, 1))


def test_all_mistakes_are_named_at_once():
    found = problems(
        GOOD.replace("kind: a", "kind: bad").replace("repeat: 2", "repeat: x").replace("[critical", "[bad")
    )
    assert [line for line, *_ in found] == [4, 9, 12]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "the file is empty"),
        ("- a", "not a notify file: no keys with values"),
        ("a: [", "not YAML"),
        ("channels: {slack: {kind: a}}", "no policy tells a channel"),
        (
            "channels: {a: {kind: a}}\npolicies: {p: {steps: [{notify: a}]}, q: {steps: [{notify: a}]}}",
            "nobody is told of critical",
        ),
    ],
)
def test_what_cannot_work_is_refused(text, cause):
    assert any(cause in found for _, _, found, _ in problems(text))


@pytest.mark.parametrize("names", [("team",), ("urgent", "default")])
def test_without_routes_the_only_policy_or_the_one_called_default_takes_all(names):
    policies = ", ".join(f"{name}: {{steps: [{{notify: a}}]}}" for name in names)
    notify = parse_notify(f"channels: {{a: {{kind: a}}}}\npolicies: {{{policies}}}", Kinds())
    assert notify.policies.routes == (Route(names[-1]),)


def test_a_file_that_only_has_a_heartbeat_tells_nobody():
    notify = parse_notify("heartbeat: {url: x}", Kinds())
    assert (notify.policies.routes, notify.heartbeat) == ((), "x")


def test_a_file_that_cannot_be_read_is_told(tmp_path):
    with pytest.raises(NotifyError, match="can't be read"):
        load_notify(tmp_path / "notify.yaml", Kinds())
    (tmp_path / "notify.yaml").write_text(GOOD)
    assert load_notify(tmp_path / "notify.yaml", Kinds()).name == "shop"
