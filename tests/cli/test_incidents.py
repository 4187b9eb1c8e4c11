"""Commands about incidents, over an idle data directory and with wrong options."""

import getpass
import json

import pytest
from click.testing import CliRunner

from clew.cli.main import main
from clew.store.embedded import open_store
from tests.story import tell
from tests.watching import with_incidents


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """The day of tests.story with its incidents, and nobody runs on it."""
    folder = tmp_path_factory.mktemp("idle")
    store = open_store(folder)
    _, database = with_incidents(tell(store), folder)
    database.close()
    store.close()
    return str(folder)


def call(*arguments):
    done = CliRunner().invoke(main, [str(each) for each in arguments], catch_exceptions=False)
    return done.exit_code, done.output


def test_incidents_of_an_idle_directory_are_listed_and_handled(directory):
    code, said = call("incidents", "--json", "--data", directory)
    assert code == 0
    stuck = next(each for each in json.loads(said)["items"] if each["rule"] == "stuck")
    number = stuck["incident_id"]
    code, said = call("incident", number, "--acknowledge", "--by", "clara", "--data", directory)
    assert (code, "acknowledged by clara" in said) == (0, True)
    assert "nobody was told, slack not yet; clara has it, so nobody else is told" in said
    assert [line.split() for line in said.splitlines() if line.startswith("rule")] == [["rule", "stuck"]]
    code, said = call("incidents", "--data", directory)
    assert code == 0
    assert "4711" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["silence", "--for", "1h", "--label", "rule=a", "--label", "rule=b", "--why", "x"], "rule is given twice"),
        (["silence", "--for", "1h", "--why", "x"], "at least one --label"),
        (["silence", "--for", "1h", "--label", "rule", "--why", "x"], "write NAME=VALUE"),
        (["incidents", "--figures", "--rule", "stuck"], "--figures counts all incidents"),
        (["incidents", "--figures", "--watch"], "leave the other option out"),
        (["incident", "1", "--acknowledge", "--resolve"], "one of them"),
        (["incident", "1", "--note", ""], "write what others should know"),
        (["incident", "1", "--resolve", "--note", " "], "write what others should know"),
    ],
)
def test_options_that_do_not_go_together_are_refused(arguments, words):
    code, said = call(*arguments)
    assert code == 2
    assert words in " ".join(said.split())


@pytest.fixture
def nameless(monkeypatch):
    """The user who runs commands has a number and no name, as in many containers."""

    def unknown():
        raise KeyError("getpwuid(): uid not found: 4711")

    monkeypatch.setattr(getpass, "getuser", unknown)


@pytest.mark.parametrize(
    "arguments",
    [["silence"], ["silence", "--try", "--label", "rule=stuck"], ["silence", "--end", "1"], ["incident", "1"]],
)
def test_who_has_no_name_may_ask_and_end(directory, nameless, arguments):
    _, said = call(*arguments, "--data", directory)  # what breaks is raised
    assert "--by" not in said


@pytest.mark.parametrize(
    "arguments",
    [
        ["silence", "--for", "1h", "--label", "rule=stuck", "--why", "we move"],
        ["incident", "1", "--note", "seen"],
        ["reactions", "approve", "1"],
        ["reactions", "refuse", "1"],
        ["reactions", "stop"],
        ["reactions", "go"],
    ],
)
def test_who_has_no_name_must_give_one_to_declare(nameless, arguments):
    code, said = call(*arguments)
    assert code == 2
    assert "give one with --by" in " ".join(said.replace("│", "").split())
