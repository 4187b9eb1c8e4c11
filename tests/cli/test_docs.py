"""The pages for users name every setting, command, option and route, and nothing that isn't there."""

import re
from pathlib import Path

import pytest

from clew.cli.main import main
from clew.model.errors import SettingsError
from clew.settings import load_settings, variable_of

DOCS = Path(__file__).parents[2] / "docs"
SETTINGS = (DOCS / "settings.md").read_text()
COMMANDS = (DOCS / "use-the-command-line.md").read_text()
TABLE = dict(re.findall(r"^\| `([a-z_.]+)` \| `(CLEW_[A-Z_]+)` \|", SETTINGS, re.MULTILINE))


def test_every_setting_has_its_line_with_its_variable():
    with pytest.raises(SettingsError) as raised:
        load_settings(None, {"CLEW_NOTHING": "x"})
    assert set(TABLE.values()) == set(re.findall(r"CLEW_[A-Z_]+", str(raised.value))) - {"CLEW_NOTHING"}
    assert {key: variable_of(key) for key in TABLE} == TABLE


@pytest.mark.parametrize("name", ["data", "otlp_http", "otlp_grpc", "api_listen", "engine_memory", "log_level"])
def test_defaults_are_told_as_they_are(name):
    assert f"`{getattr(load_settings(None, {}), name)}`" in SETTINGS


def test_every_command_has_its_line():
    assert {name for name in main.commands if f"`clew {name}" not in COMMANDS} == set()


def test_every_option_of_find_is_told():
    options = {option for parameter in main.commands["find"].params for option in parameter.opts}
    shared = {"-n", "--limit", "--after", "--url", "--data", "--json"}
    assert {option for option in options - shared if f"`{option}" not in COMMANDS} == set()
