"""The page for users tells every option, and nothing that isn't so."""

import re
from pathlib import Path

from click.testing import CliRunner

from clew.cli.main import main
from clew.history.columns import COMMON
from clew.history.sources import FORMATS

PAGE = (Path(__file__).parents[2] / "docs" / "import-history.md").read_text()


def test_every_option_of_import_is_told():
    options = {
        option for parameter in main.commands["import"].params for option in parameter.opts if option[:2] == "--"
    }
    assert {option for option in options if option not in PAGE} == set()
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE)) - {"--all"} <= options


def test_names_that_are_said_to_be_guessed_are():
    rows = re.findall(r"^\| `--(\w+)` \| .* \| (.*) \|$", PAGE, re.MULTILINE)
    assert {role for role, _ in rows} == set(COMMON)
    assert {name for role, names in rows for name in names.split(", ") if name not in COMMON[role]} == set()


def test_every_format_is_told():
    assert {form for form in FORMATS if f"`{form}`" not in PAGE} == set()


def test_the_example_of_two_readings_is_what_clew_says(tmp_path):
    (tmp_path / "orders.csv").write_text("order_id,status,changed\n1,A,01/02/2024 10:00\n")
    done = CliRunner().invoke(
        main, ["import", str(tmp_path / "orders.csv"), "--time", "changed", "--zone", "UTC", "--dry-run"]
    )
    assert done.output.strip() in PAGE
