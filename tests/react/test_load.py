from pathlib import Path

import pytest

from clew.model.reaction import (
    Cluster,
    Command,
    Conditions,
    Guards,
    IncidentFilter,
    Reaction,
    Restart,
    Scale,
    Webhook,
    Workload,
)
from clew.model.rule import Severity
from clew.model.week import WeekHours
from clew.react.load import ReactionsError, default_reactions_text, load_reactions, parse_reactions
from clew.rules import default_rules
from tests.react.builders import MINUTE, SECOND

GOOD = """\
reactions: shop
version: 4
hours:
  monday: {zone: Europe/Berlin, on: mon, from: "08:00", to: "18:00"}
clusters:
  east: {kubeconfig: /etc/clew/kubeconfig, context: shop-east}
  west: {url: "https://west.example:6443", token_file: /run/token, ca_file: /run/ca.crt}
actions:
  restart:
    on: {rules: [errors], severities: [critical, error], labels: {service: shop-api}}
    when: {alerts: 3, value_over: 0.5, waiting_over: 0, firing_for: 5m}
    action:
      restart: {deployment: shop-api, namespace: shop, cluster: east, timeout: 5s}
    guards:
      cooldown: 1h
      most_per_hour: 1
      confirmations: 4
      hours: monday
      dry_run: false
      needs_approval: true
      approve_within: 10m
      help_within: 20m
  out:
    on: {labels: {queue: crm}}
    action: {scale: {stateful_set: db.replica, by: -1, least: 0, most: 5, cluster: west}}
  fixed:
    on: {rules: errors}
    action: {scale: {deployment: shop-api, to: 3, most: 3}}
  clean:
    on: {rules: errors}
    action:
      command: {run: [/bin/clean, -v, -v, ""], environment: [PATH, LANG], secrets: {TOKEN: env:SHOP}, directory: /tmp, timeout: 2m}
  floor:
    on: {rules: errors}
    action: {webhook: {url: "file:/run/floor", secret: "env:FLOOR", allow_private: [Floor.shop]}}
"""


def test_everything_in_a_file_is_read():
    read = parse_reactions(GOOD, rules=["errors"])
    east = Cluster("east", "/etc/clew/kubeconfig", "shop-east")
    west = Cluster("west", url="https://west.example:6443", token_file="/run/token", ca_file="/run/ca.crt")
    errors = IncidentFilter(rules=("errors",))
    assert (read.name, read.version) == ("shop", 4)
    assert read.reactions == (
        Reaction(
            "restart",
            Restart("shop-api", "shop", east, 5 * SECOND),
            IncidentFilter(("errors",), (Severity.CRITICAL, Severity.ERROR), {"service": "shop-api"}),
            Conditions(3, 0.5, 0, 5 * MINUTE),
            Guards(
                60 * MINUTE, 1, 4, WeekHours("monday", "Europe/Berlin", ((480, 1080),)), False, True, 10 * MINUTE,
                20 * MINUTE,
            ),
        ),
        Reaction(
            "out",
            Scale(Workload.STATEFUL_SET, "db.replica", "default", 0, 5, by=-1, cluster=west),
            IncidentFilter(labels={"queue": "crm"}),
        ),
        Reaction("fixed", Scale(Workload.DEPLOYMENT, "shop-api", "default", 1, 3, to=3), errors),
        Reaction(
            "clean",
            Command(("/bin/clean", "-v", "-v", ""), ("PATH", "LANG"), {"TOKEN": "env:SHOP"}, "/tmp", 2 * MINUTE),
            errors,
        ),
        Reaction("floor", Webhook("floor", "file:/run/floor", "env:FLOOR", ("floor.shop",)), errors),
    )  # fmt: skip
    assert read.named("out") == read.reactions[1]
    assert read.named("nothing") is None


def test_what_nobody_says_is_a_dry_run_with_two_looks_and_a_rest():
    read = parse_reactions("reactions: x\nactions: {a: {on: {rules: r}, action: {restart: {deployment: d}}}}")
    assert read.reactions[0].guards == Guards(15 * MINUTE, 2, 2, None, True, False, 60 * MINUTE, None)


def mistakes(text, rules=None):
    with pytest.raises(ReactionsError) as caught:
        parse_reactions(text, rules=rules)
    return [(problem.line, problem.key, problem.cause) for problem in caught.value.problems]


def with_action(action):
    return f"reactions: x\nactions:\n  a:\n    on: {{rules: r}}\n    action: {{{action}}}\n"


@pytest.mark.parametrize(
    ("action", "key", "cause"),
    [
        ("", "", "no action is given"),
        ("restart: {deployment: d}, command: {run: [/bin/x]}", "", "more than one action is given"),
        ("restrat: {deployment: d}", ".restrat", "unknown key 'restrat'"),
        ("restart: {}", ".restart.deployment", "'deployment' is missing"),
        ("restart: {deployment: Shop_API}", ".restart.deployment", "'Shop_API' is no name in Kubernetes"),
        ("restart: {deployment: d, namespace: a.b}", ".restart.namespace", "'a.b' is no namespace in Kubernetes"),
        ("restart: {deployment: d, cluster: east}", ".restart.cluster", "no cluster 'east' is declared"),
        ("restart: {deployment: d, timeout: 2h}", ".restart.timeout", "'2h' is out of bounds"),
        ("restart: {deployment: ../../secrets/x}", ".restart.deployment", "'../../secrets/x' is no name in Kubernetes"),
        ("scale: {deployment: d, stateful_set: s, by: 1, most: 3}", ".scale.stateful_set", "name a deployment or a stateful set"),
        ("scale: {by: 1, most: 3}", ".scale", "name a deployment or a stateful set"),
        ("scale: {deployment: d, by: 1}", ".scale.most", "'most' is missing"),
        ("scale: {deployment: d, most: 3}", ".scale", "say how far to scale"),
        ("scale: {deployment: d, most: 3, by: 1, to: 2}", ".scale.to", "say how far to scale"),
        ("scale: {deployment: d, most: 3, by: 0}", ".scale.by", "nothing would be scaled"),
        ("scale: {deployment: d, most: 3, to: 4}", ".scale.to", "4 is not within 1 to 3"),
        ("scale: {deployment: d, most: 3, least: 4, by: 1}", ".scale.most", "'most' is below 'least'"),
        ("scale: {deployment: d, most: x, by: 1}", ".scale.most", "'x' is no whole number from 0 to 1000"),
        ("command: {}", ".command.run", "no program is given"),
        ("command: {run: /bin/rm -rf /}", ".command.run", "no shell reads this one word with spaces in it"),
        ("command: {run: [clean]}", ".command.run", "'clean' is no whole path of a program"),
        ('command: {run: [/bin/x, "a\\0b"]}', ".command.run", "a word holds a NUL"),
        ("command: {run: [/bin/x], environment: [A=b]}", ".command.environment", "'A=b' is no name of a variable"),
        ("command: {run: [/bin/x], secrets: {TOKEN: hunter2}}", ".command.secrets", "TOKEN has no place of a secret"),
        ("command: {run: [/bin/x], directory: tmp}", ".command.directory", "'tmp' is no whole path"),
        ("webhook: {}", ".webhook.url", "'url' is missing"),
        ("webhook: {url: floor}", ".webhook.url", "this is no address"),
        ("webhook: {url: 'ftp://floor'}", ".webhook.url", "this is no address"),
        ("webhook: {url: 'https://[floor'}", ".webhook.url", "this is no address"),
        ("webhook: {url: 'https://ann:hunter2@floor'}", ".webhook.url", "a password in an address is shown to whoever reads the file"),
        ("webhook: {url: 'https://floor', secret: hunter2}", ".webhook.secret", "this is no place of a secret"),
    ],
)  # fmt: skip
def test_a_mistake_in_an_action_is_named(action, key, cause):
    assert (5, f"actions.a.action{key}", cause) in mistakes(with_action(action))


@pytest.mark.parametrize(
    ("text", "line", "key", "cause"),
    [
        ("", 1, "", "the file is empty"),
        ("- a", 1, "", "not a file of reactions: no keys with values"),
        ("reactions: x", 1, "actions", "no actions"),
        ("actions: {a: {on: {rules: r}, action: {restart: {deployment: d}}}}", 1, "reactions", "the name is missing"),
        (GOOD.replace("on: {labels: {queue: crm}}", ""), 23, "actions.out.on", "this would act on incidents of every kind"),
        (GOOD.replace("on: {labels: {queue: crm}}", "on: {severities: error}"), 24, "actions.out.on", "this would act on incidents of every kind"),
        (GOOD.replace("critical, error", "critical, eror"), 10, "actions.restart.on.severities", "'eror' is not known here"),
        (GOOD.replace("alerts: 3", "alerts: 0"), 11, "actions.restart.when.alerts", "'0' is no whole number from 1 to 1000000"),
        (GOOD.replace("value_over: 0.5", "value_over: many"), 11, "actions.restart.when.value_over", "'many' is no number"),
        (GOOD.replace("cooldown: 1h", "cooldown: 0s"), 15, "actions.restart.guards.cooldown", "'0s' is out of bounds"),
        (GOOD.replace("cooldown: 1h", "cooldown: soon"), 15, "actions.restart.guards.cooldown", "'soon' is not a length of time"),
        (GOOD.replace("hours: monday", "hours: tuesday"), 18, "actions.restart.guards.hours", "no hours 'tuesday' are declared"),
        (GOOD.replace("dry_run: false", "dry_run: no"), 19, "actions.restart.guards.dry_run", "'no' is neither true nor false"),
        (GOOD.replace("  out:", "  o/t:"), 23, "actions.o/t", "'o/t' is no name of a reaction"),
        (GOOD.replace("context: shop-east", "url: 'https://x'"), 6, "clusters.east.url", "a kubeconfig and an address are given"),
        (GOOD.replace("kubeconfig: /etc/clew/kubeconfig, ", ""), 6, "clusters.east.context", "a context without its kubeconfig"),
        (GOOD.replace('url: "https://west.example:6443", ', ""), 7, "clusters.west.token_file", "no address is given"),
        (GOOD.replace("token_file: /run/token, ", ""), 7, "clusters.west.token_file", "'token_file' is missing"),
        (GOOD.replace("https://west", "http://west"), 7, "clusters.west.url", "the token would travel in clear"),
    ],
)  # fmt: skip
def test_a_mistake_elsewhere_is_named_with_its_line(text, line, key, cause):
    found = mistakes(text)
    assert (key, cause) in [each[1:] for each in found]
    assert line in [each[0] for each in found if each[1] == key]


def test_rules_that_are_not_there_are_a_mistake_when_they_are_known():
    assert mistakes(GOOD, rules=["error"])[0] == (10, "actions.restart.on.rules", "there is no rule 'errors'")


def test_all_mistakes_come_at_once_and_no_message_holds_what_may_be_a_secret():
    text = with_action("command: {run: [clean], secrets: {TOKEN: hunter2}}") + "  b: {on: {}, action: }\n"
    with pytest.raises(ReactionsError) as caught:
        parse_reactions(text)
    assert len(caught.value.problems) == 4
    assert all(problem.mend for problem in caught.value.problems)
    assert "hunter2" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_a_mistake(tmp_path):
    with pytest.raises(ReactionsError, match="can't be read"):
        load_reactions(tmp_path / "reactions.yaml")


def test_the_example_that_ships_does_nothing_until_somebody_changes_it(tmp_path):
    path = Path(tmp_path / "reactions.yaml")
    path.write_text(default_reactions_text())
    read = load_reactions(path)
    assert {type(each.action) for each in read.reactions} == {Restart, Scale, Command, Webhook}
    assert all(each.guards.dry_run for each in read.reactions)


def test_the_example_that_ships_names_rules_that_ship():
    rules = [rule.name for rule in default_rules().rules]
    assert parse_reactions(default_reactions_text(), rules=rules)
