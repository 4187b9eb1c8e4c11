"""What reactions name and this machine lacks is known before they act."""

import subprocess
import sys
from pathlib import Path

import pytest

from clew.react.load import parse_reactions
from clew.react.outside import outside_of
from clew.react.survey import problems, survey
from tests.react.builders import NOW

CONFIG = "contexts: [{name: east, context: {cluster: c, user: u}}]\ncurrent-context: east\n"
HEAD = "reactions: x\nclusters:\n  c: {%s}\nactions:\n  a:\n    on: {rules: [r]}\n    action:\n      %s\n"
RESTART = "restart: {deployment: d, cluster: c}"
AT = "url: 'https://x', token_file: {}/token, ca_file: {}/empty"


@pytest.fixture
def folder(tmp_path):
    for name, text in {"token": "t", "empty": "", "config": CONFIG, "blank": "contexts: []", "odd": "a: [\xe4"}.items():
        (tmp_path / name).write_text(text, encoding="latin-1")
    return tmp_path


def found(text, folder, environment=None):
    outside = outside_of(environment or {}, folder, lambda: NOW)
    return [(each.line, each.key, each.cause) for each in problems(survey(parse_reactions(text), outside), text)]


@pytest.mark.parametrize(
    ("cluster", "action", "line", "key", "cause"),
    [
        ("", "command: {run: [/nowhere/clean]}", 8, "actions.a.action.command.run", "there is no program /nowhere/clean"),
        ("", "command: {run: [HERE/token]}", 8, "actions.a.action.command.run", "Clew's user may not run HERE/token"),
        ("", "command: {run: [/bin/true], directory: /nowhere}", 8, "actions.a.action.command.directory", "there is no directory /nowhere"),
        ("", "command: {run: [/bin/true], secrets: {T: env:NONE}}", 8, "actions.a.action.command.secrets", "the variable NONE is not set"),
        ("", "webhook: {url: 'https://x', secret: 'file:HERE/none'}", 8, "actions.a.action.webhook.secret", "the file HERE/none can't be read: No such file or directory"),
        ("", "webhook: {url: env:NONE}", 8, "actions.a.action.webhook.url", "the variable NONE is not set"),
        ("", "webhook: {url: 'file:HERE/token'}", 8, "actions.a.action.webhook.url", "file:HERE/token holds no address"),
        ("", "restart: {deployment: d}", 8, "actions.a.action.restart.cluster", "no cluster is named, and Clew does not run in a pod with a service account"),
        ("kubeconfig: HERE/none", RESTART, 3, "clusters.c.kubeconfig", "the file HERE/none can't be read: No such file or directory"),
        ("kubeconfig: HERE/token", RESTART, 3, "clusters.c.kubeconfig", "the file HERE/token is no kubeconfig"),
        ("kubeconfig: HERE/odd", RESTART, 3, "clusters.c.kubeconfig", "the file HERE/odd is no kubeconfig"),
        ("kubeconfig: HERE/blank", RESTART, 3, "clusters.c.kubeconfig", "HERE/blank names no current context"),
        ("kubeconfig: HERE/config, context: west", RESTART, 3, "clusters.c.context", "HERE/config has no context 'west'"),
        ("url: 'https://x', token_file: HERE/none", RESTART, 3, "clusters.c.token_file", "the file HERE/none can't be read: No such file or directory"),
        ("url: 'https://x', token_file: HERE/token, ca_file: HERE/empty", RESTART, 3, "clusters.c.ca_file", "the file HERE/empty is empty"),
    ],
)  # fmt: skip
def test_what_is_lacking_is_named_where_the_file_names_it(folder, cluster, action, line, key, cause):
    text = (HEAD % (cluster, action)).replace("HERE", str(folder))
    assert found(text, folder) == [(line, key, cause.replace("HERE", str(folder)))]


@pytest.mark.parametrize("cluster", ["kubeconfig: HERE/config", "kubeconfig: HERE/config, context: east", "url: 'https://x', token_file: HERE/token"])  # fmt: skip
def test_what_is_there_is_not_named(folder, cluster):
    assert found((HEAD % (cluster, RESTART)).replace("HERE", str(folder)), folder) == []
    assert found(HEAD % ("", "command: {run: [/bin/true], secrets: {T: env:SHOP}}"), folder, {"SHOP": "x"}) == []
    assert found(HEAD % ("", "webhook: {url: 'https://x'}"), folder) == []


def test_what_two_reactions_share_is_named_once_with_its_mend(folder):
    text = HEAD % ("kubeconfig: /nowhere/config", RESTART) + (HEAD % ("", RESTART)).partition("actions:\n")[2].replace(
        "a:", "b:", 1
    )
    outside = outside_of({}, folder, lambda: NOW)
    lacking = list(survey(parse_reactions(text), outside))
    assert [each.reaction for each in lacking] == ["a", "b"]
    (problem,) = problems(lacking, text)
    assert problem.mend == "give the path of a kubeconfig"


def test_the_kubernetes_client_is_not_loaded_until_a_cluster_is_acted_on():
    code = (
        "import sys, clew.watching, clew.cli.reactions, clew.react.survey; "
        "from clew.react.load import default_reactions_text, parse_reactions; "
        "from clew.react.outside import outside_of; from pathlib import Path; "
        "list(clew.react.survey.survey(parse_reactions(default_reactions_text()), outside_of({}, Path(), int))); "
        "sys.exit('kubernetes' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=False)
    assert done.returncode == 0
