"""Channels of notify.yaml: every mistake names the channel and the mend, and no secret is ever shown."""

import pytest

from clew.model.incident import NoticeKind
from clew.notify.channels.registry import kinds
from tests.notify.channels.notices import open_channel, read_channel

ENV = {
    "CLEW_SECRET": "hush-hush",
    "HOOK": "https://hooks.example.org/services/hush",
    "PD": "a" * 32,
    "BAD": "file:///hush",
    "TWO": "hush\nhush",
    "UMLAUT": "hüsh-hush",
}


def test_there_are_six_kinds():
    assert list(kinds()) == ["alertmanager", "email", "opsgenie", "pagerduty", "slack", "webhook"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("{kind: slack, webhook: env:HOOK}", "an incoming webhook"),
        ("{kind: slack, token: env:CLEW_SECRET, channel: '#orders'}", "Slack's channel #orders"),
        ("{kind: pagerduty, routing_key: env:PD}", "PagerDuty (https://events.pagerduty.com)"),
        ("{kind: pagerduty, routing_key: env:PD, region: eu}", "PagerDuty (https://events.eu.pagerduty.com)"),
        ("{kind: opsgenie, api_key: env:CLEW_SECRET, region: eu}",
         "Opsgenie (https://api.eu.opsgenie.com), which ends on 2027-04-05"),
        ("{kind: email, to: duty@example.org, from: clew@example.org, server: smtp.example.org}",
         "e-mail to duty@example.org by smtp.example.org:587"),
        ("{kind: webhook, url: 'https://hook.example.org:8443/in'}", "a webhook at https://hook.example.org:8443"),
        ("{kind: webhook, url: env:HOOK}", "a webhook at an address that is kept secret"),
        ("{kind: alertmanager, urls: [http://am.example.org:9093]}", "Alertmanager (http://am.example.org:9093)"),
    ],
)  # fmt: skip
def test_a_channel_says_where_it_leads(line, told):
    channel = open_channel(line, ENV)
    assert channel.told == told
    assert "hush" not in repr(channel) + channel.told


@pytest.mark.parametrize(
    ("line", "cause", "mend"),
    [
        ("{}", "has no kind", "alertmanager, email"),
        ("hello", "has no keys", "kind: slack"),
        ("{kind: slak}", "'slak'", "did you mean 'slack'?"),
        ("{kind: slack, webhok: env:HOOK}", "unknown key 'webhok'", "did you mean 'webhook'?"),
        ("{kind: slack, webhook: env:NOWHERE}", "the variable NOWHERE is not set", "environment"),
        ("{kind: slack, webhook: file:/nowhere/at/all}", "/nowhere/at/all can't be read", "write the secret into it"),
        ("{kind: slack, webhook: 'https://hooks.slack.com/services/hush'}", "no place of a secret", "env:NAME"),
        ("{kind: slack, webhook: env:BAD}", "no http or https address", "https://example.org/hook"),
        ("{kind: slack, webhook: env:HOOK, token: env:PD}", "both here", "keep token"),
        ("{kind: slack, token: env:TWO, channel: C1}", "env:TWO holds several lines", "write the secret alone"),
        ("{kind: opsgenie, api_key: env:UMLAUT}", "more than ASCII", "write the secret alone"),
        ("{kind: slack, token: env:CLEW_SECRET}", "channel is missing", "C024BE91L"),
        ("{kind: slack, channel: C1}", "token is missing", "env:CLEW_TOKEN"),
        ("{kind: pagerduty, routing_key: env:CLEW_SECRET}", "has not 32 characters", "Events API v2"),
        ("{kind: pagerduty, routing_key: env:PD, region: mars}", "'mars'", "us, eu"),
        ("{kind: opsgenie}", "api_key is missing", "env:CLEW_API_KEY"),
        ("{kind: email, from: a@b.c, server: s}", "to is missing", "duty@example.org"),
        ("{kind: email, to: 'Duty <a@b.c>', from: a@b.c, server: s}", "no e-mail address", "alone"),
        ("{kind: email, to: a@b.c, from: a@b.c, server: 's:hello'}", "no port", "587"),
        ("{kind: email, to: a@b.c, from: a@b.c, server: s, username: u}", "password is missing", "env:CLEW_PASSWORD"),
        ("{kind: email, to: a@b.c, from: a@b.c, server: s, username: u, password: env:CLEW_SECRET, tls: none}",
         "unencrypted", "starttls"),
        ("{kind: webhook}", "url is missing", "https://"),
        ("{kind: webhook, url: 'ftp://example.org'}", "no http or https address", "https://"),
        ("{kind: webhook, url: 'https://u:hush@example.org'}", "holds a password", "secret of its own"),
        ("{kind: webhook, url: 'http://10.0.0.7/in'}", "not public", "allow_private: [10.0.0.7]"),
        ("{kind: webhook, url: 'http://169.254.169.254/', allow_private: true}", "credentials", ""),
        ("{kind: webhook, url: 'https://example.org', proxy: example}", "no address of a proxy", "http://"),
        ("{kind: alertmanager}", "urls is missing", "9093"),
        ("{kind: alertmanager, urls: [http://a, nothing]}", "no http or https address", "https://"),
        ("{kind: alertmanager, urls: [http://a], remind_every: soon}", "not a length of time", "1m"),
    ],
)  # fmt: skip
def test_a_mistake_names_the_channel_its_cause_and_its_mend(line, cause, mend):
    channel, problems = read_channel(line, ENV)
    assert channel is None
    told = [f"{problem.cause}; {problem.mend}" for problem in problems]
    assert any(cause in each and mend in each for each in told), told
    assert all(problem.line == 1 for problem in problems)
    assert "'duty'" in " ".join(told) or "unknown key" in told[0]
    assert "hush" not in " ".join(told)


def test_secrets_come_from_files_too(tmp_path):
    (tmp_path / "key").write_text("b" * 32 + "\n")
    assert open_channel(f"{{kind: pagerduty, routing_key: 'file:{tmp_path}/key'}}").kind == "pagerduty"
    (tmp_path / "key").write_text("\n")
    _, problems = read_channel(f"{{kind: pagerduty, routing_key: 'file:{tmp_path}/key'}}")
    assert "is empty" in problems[0].cause


def test_what_only_machines_read_is_not_summed_up():
    limited = {name: kind.limited for name, kind in kinds().items()}
    assert limited["alertmanager"] == frozenset()
    assert NoticeKind.RESOLVED not in limited["pagerduty"]
    assert all(NoticeKind.RESOLVED not in limited[name] for name in ("opsgenie", "slack", "webhook"))
    assert NoticeKind.RESOLVED in limited["email"]
    hook = open_channel("{kind: slack, webhook: env:W}", {"W": "https://hooks.slack.com/services/T0/B0/x"})
    assert NoticeKind.RESOLVED in hook.limited
    assert all(NoticeKind.TEST not in each for each in limited.values())
