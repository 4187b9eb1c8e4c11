"""The tree keeps its shape: rooms and their imports, sizes, bound SQL, locks without hosts, commands that start."""

import ast
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from requirements.collect import run_time_requirements
from tests import house

ROOT = Path(__file__).parent.parent
PYPROJECTS = [ROOT / folder / "pyproject.toml" for folder in (".", "sdk", "demo")]
SOURCES = [path for path in (ROOT / "src", ROOT / "sdk/src", ROOT / "demo/src") if path.exists()]
NAMES = sorted(house.files_in(ROOT / "src"))

# The table of rooms: what each may import beside itself. A new room needs a row here.
ROOMS = {
    "clew": ("clew.model",),
    "clew.model": (),
    "clew.flow": ("clew.model",),
    "clew.store": ("clew.model",),
    "clew.receive": ("clew.model", "clew.store.contract"),
    "clew.journey": ("clew.model", "clew.flow"),
    "clew.journey.ticker": ("clew.model", "clew.flow", "clew.store", "clew.journey"),
    "clew.journey.rebuilder": ("clew.model", "clew.flow", "clew.store", "clew.journey"),
    "clew.journey.backfill": ("clew.model", "clew.flow", "clew.store", "clew.journey"),
    "clew.journey.undo": ("clew.model", "clew.flow", "clew.store", "clew.journey"),
    "clew.journey.losses": ("clew.model", "clew.flow", "clew.store", "clew.journey"),
    "clew.journey.in_force": ("clew.model", "clew.flow", "clew.store", "clew.journey"),
    "clew.report": ("clew.model", "clew.store"),
    "clew.learn": ("clew.model", "clew.flow", "clew.journey", "clew.store", "clew.report"),
    "clew.history": ("clew.model",),
    "clew.export": ("clew.model", "clew.store"),
    # Findings about orders say what a verdict says, in the same words.
    "clew.detect": ("clew.model", "clew.flow", "clew.journey", "clew.learn.projection"),
    "clew.rules": ("clew.model", "clew.flow"),
    "clew.control": ("clew.model",),
    "clew.notify": ("clew.model", "clew.flow", "clew.control.contract"),
    "clew.notify.outbox": ("clew.model", "clew.control.contract", "clew.notify"),
    "clew.react": ("clew.model", "clew.flow", "clew.control"),
    "clew.react.outside": ("clew.model", "clew.control.contract", "clew.react", "clew.notify"),
    # The watch: reads the store, lets the pure rooms decide, and writes what they decided.
    "clew.watch": (
        *("clew.model", "clew.flow", "clew.journey", "clew.store", "clew.rules", "clew.detect"),
        *("clew.notify", "clew.control", "clew.react", "clew.learn"),
    ),
    # Rules played on a simulated clock: everything that decides, and the past as the store has it.
    "clew.rehearse": (
        *("clew.model", "clew.flow", "clew.journey", "clew.store", "clew.rules", "clew.detect", "clew.notify"),
        "clew.learn",
    ),
    "clew.settings": ("clew.model", "clew.flow"),
    "clew.api": (
        *("clew.model", "clew.flow", "clew.journey", "clew.store", "clew.settings"),
        *("clew.report", "clew.learn", "clew.export"),
        *("clew.rules", "clew.detect", "clew.control", "clew.notify", "clew.react", "clew.watch"),
        "clew.rehearse",
    ),
    "clew.web": (
        *("clew.model", "clew.flow", "clew.journey", "clew.store", "clew.settings"),
        *("clew.report", "clew.learn", "clew.api", "clew.control", "clew.notify", "clew.watch"),
    ),
    "clew.workers": ("clew.model",),
    "clew.watching": ("*",),
    "clew.cli": ("*",),
    "clew.app": ("*",),
}
# Rooms that decide over values: no clock, chance, network, thread or process of their own.
PURE = (
    *("clew.model", "clew.flow", "clew.journey", "clew.rules", "clew.detect", "clew.notify"),
    *("clew.react.decide", "clew.react.telling", "clew.react.load", "clew.react.fields", "clew.react.words"),
)
NOT_PURE = (
    "clew.journey.ticker",
    "clew.journey.rebuilder",
    "clew.journey.backfill",
    "clew.journey.undo",
    "clew.journey.losses",
    "clew.journey.in_force",
    "clew.notify.outbox",
    "clew.notify.channels",
)
SIDE_EFFECTS = {"asyncio", "httpx", "random", "select", "socket", "sqlite3", "subprocess", "threading", "time", "uuid"}
# What else than constants is pasted into SQL: names out of our own schema and clauses that bind their values.
PASTED = {
    "clew.store.migrate": {"row['name']"},
    "clew.store.embedded": {
        *("table", "message", "token", "path", "self._data"),  # an insert's settings and file cannot be bound
        "render_view(layout, 'derive_stages_of_spans')",
    },
    "clew.store.rederive": {"render_derivation(rules)"},
    "clew.store.orders": {"where", "_judged(where)"},
    "clew.learn.as_of": {"where"},
}
# Renders the schema for one node and for a cluster, with no value of anybody's in it.
RENDERER = "clew.store.render"

LONGEST_FUNCTION = 80
LONGEST_MODULE = 450


def clew() -> Mapping[str, ast.Module]:
    return house.modules_in(ROOT / "src")


def parsed(**sources: str) -> dict[str, ast.Module]:
    return {name.replace("__", "."): ast.parse(text) for name, text in sources.items()}


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_modules_import_each_other_in_a_circle(source):
    assert house.import_circle(house.import_graph(house.modules_in(source))) == []


@pytest.mark.parametrize(
    ("sources", "circle"),
    [
        pytest.param({"a": "import b", "b": "import a"}, ["a", "b", "a"], id="two modules"),
        pytest.param({"a": "import b", "b": "from c import x", "c": "import a"}, ["a", "b", "c", "a"], id="three"),
        pytest.param({"p": "", "p__q": "import r", "r": "import p.q"}, ["p.q", "r", "p.q"], id="over a package"),
        pytest.param({"a": "try:\n    import b\nfinally:\n    pass", "b": "import a"}, ["a", "b", "a"], id="in a try"),
        pytest.param({"a": "import b", "b": "def late():\n    import a"}, [], id="not when imported later"),
        pytest.param(
            {"a": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import b", "b": "import a"},
            [],
            id="not for types",
        ),
        pytest.param({"p": "from p.q import x", "p__q": "x = 1"}, [], id="not a package and its own part"),
    ],
)
def test_the_circle_check_finds_circles(sources, circle):
    found = house.import_circle(house.import_graph(parsed(**sources)))
    assert (set(found), len(found)) == (set(circle), len(circle))


def test_every_room_imports_only_what_its_row_allows():
    assert house.forbidden_imports(clew(), ROOMS) == []


@pytest.mark.parametrize(
    ("name", "source", "wrong"),
    [
        ("clew.model.event", "import clew.flow", ["clew.model.event -> clew.flow"]),
        ("clew.receive.http", "from clew.store.contract import Store", []),
        ("clew.receive.http", "from clew.store.embedded import Engine", ["clew.receive.http -> clew.store.embedded"]),
        ("clew.journey.judge", "def f():\n    from clew.store import x", ["clew.journey.judge -> clew.store"]),
        ("clew.journey.ticker", "from clew.store import x", []),
        ("clew.flow.load", "from clew import __version__", []),
        ("clew.api.orders", "import clew.app", ["clew.api.orders -> clew.app"]),
        ("clew.app", "import clew.api", []),
        ("clew.attic.box", "", ["clew.attic.box -> it has no row in the table of rooms"]),
    ],
)
def test_the_room_check_finds_forbidden_imports(name, source, wrong):
    rooms = {room: row for room, row in ROOMS.items() if room != "clew"}
    assert house.forbidden_imports({name: ast.parse(source)}, rooms) == wrong


def test_the_model_needs_the_standard_library_only():
    model = {name: tree for name, tree in clew().items() if name.startswith("clew.model")}
    foreign = {name: house.imported_packages(tree) - sys.stdlib_module_names - {"clew"} for name, tree in model.items()}
    assert {name: packages for name, packages in foreign.items() if packages} == {}
    assert house.imported_packages(ast.parse("import yaml.nodes\nfrom clew.model import x")) == {"yaml", "clew"}


def test_rooms_that_decide_read_no_clock_and_open_nothing():
    pure = {name: tree for name, tree in clew().items() if name.startswith(PURE) and not name.startswith(NOT_PURE)}
    effects = {name: house.imported_packages(tree) & SIDE_EFFECTS for name, tree in pure.items()}
    assert {name: packages for name, packages in effects.items() if packages} == {}
    wanted = {name: house.imports_of(tree, set(NAMES), nested=True) & set(NOT_PURE) for name, tree in pure.items()}
    assert {name: workers for name, workers in wanted.items() if workers} == {}


def test_no_function_is_too_long_to_read():
    product = {
        f"{source.parent.name}:{name}": tree for source in SOURCES for name, tree in house.modules_in(source).items()
    }
    assert house.long_functions(product, LONGEST_FUNCTION) == []
    assert house.long_functions(parsed(a="@d\ndef f():\n    x\n    y"), 3) == ["a.f: 3"]
    assert house.long_functions(parsed(a="@d\ndef f():\n    x\n    y"), 4) == []


def test_no_module_is_too_long_to_read():
    lengths = {path: len(path.read_text().splitlines()) for source in SOURCES for path in source.rglob("*.py")}
    assert {str(path): lines for path, lines in lengths.items() if lines > LONGEST_MODULE} == {}


@pytest.mark.parametrize("name", [name for name in NAMES if name != RENDERER])
def test_sql_values_are_bound_never_pasted(name):
    pasted = house.pasted_into_sql(clew()[name])
    assert {expression: pasted[expression] for expression in pasted.keys() - PASTED.get(name, set())} == {}


@pytest.mark.parametrize(
    ("source", "pasted"),
    [
        ("f\"SELECT * FROM orders WHERE id = '{order.id}'\"", {"order.id"}),
        ("'DELETE FROM orders WHERE id = %s' % order", {"order"}),
        ("'INSERT INTO orders VALUES ({}, {x})'.format(order, x=f(y))", {"order", "f(y)"}),
        ("'SELECT x FROM orders LIMIT ' + limit", {"limit"}),
        ("f'{head} ORDER BY {column} DESC'", {"head", "column"}),
        ("f'UPDATE {TABLE} SET x = {y}'", {"y"}),
        ("f'SELECT {_COLUMNS} FROM orders WHERE id = {{id:String}}'", set()),
        ("'SELECT x FROM orders WHERE id = {id:String}'", set()),
        ("f'{count} orders from {shop} were selected'", set()),
        ("'SELECT x ' + 'FROM orders'", set()),
    ],
)
def test_the_sql_check_finds_pasted_values(source, pasted):
    assert house.pasted_into_sql(ast.parse(source)).keys() == pasted


def test_no_file_names_a_registry_or_somebodys_machine():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    paths = [ROOT / name for name in listed.split("\0") if name]
    traces = {str(path): house.machine_traces(_text(path)) for path in paths if path.is_file()}
    assert {path: found for path, found in traces.items() if found} == {}
    assert len(paths) > 10


@pytest.mark.parametrize(
    ("text", "traces"),
    [
        ("--index-url https://" + "pypi" + ".org/simple", ["pypi" + ".org"]),
        ("see /work/" + "main/src", ["/work/" + "main"]),
        ("/home/" + "ann/clew", ["/home/" + "ann/"]),
        ("docs/work/main.md and https://opentelemetry.io", []),
    ],
)
def test_the_machine_check_finds_hosts_and_paths(text, traces):
    assert house.machine_traces(text) == traces


@pytest.mark.parametrize("name", ["run.txt", "dev.txt"])
def test_every_locked_python_package_has_hashes_and_no_host(name):
    lock = (ROOT / "requirements" / name).read_text()
    assert house.unhashed_requirements(lock) == []
    assert "://" not in lock
    assert "--index-url" not in lock
    assert "--find-links" not in lock


def test_the_lock_check_finds_what_is_not_locked():
    lock = "# head\na==1 \\\n    --hash=sha256:00\n    # via b\nb>=2 \\\n    --hash=sha256:00\nc==3\n--index-url x\n"
    assert house.unhashed_requirements(lock) == ["b>=2", "c==3", "--index-url"]


def test_every_locked_node_package_has_a_hash_and_no_host():
    packages = json.loads((ROOT / "tests/node/package-lock.json").read_text())["packages"]
    assert {name for name, entry in packages.items() if name and "integrity" not in entry} == set()
    assert {name for name, entry in packages.items() if "resolved" in entry} == set()


def test_the_lock_is_made_from_what_the_distributions_ask_for():
    written = (ROOT / "requirements/run.in").read_text().splitlines()
    assert [line for line in written if not line.startswith("#")] == run_time_requirements(ROOT), "run `make lock`"


def test_own_distributions_are_never_asked_of_a_registry(tmp_path):
    for folder, name, needs in (("", "clew", []), ("sdk", "clew-sdk", []), ("demo", "shop", ["Clew_SDK[x]>=1", "a"])):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "pyproject.toml").write_text(f'[project]\nname = "{name}"\ndependencies = {needs}\n')
    assert run_time_requirements(tmp_path) == ["a"]


@pytest.mark.parametrize("command", house.console_scripts(PYPROJECTS))
def test_every_command_explains_itself(command):
    program = Path(sys.executable).parent / command
    done = subprocess.run([program, "--help"], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "usage" in done.stdout.lower()


@pytest.mark.parametrize("target", ["demo", "test", "bench", "lint", "lock", "clean"])
def test_make_says_what_it_makes(target):
    printed = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert f"make {target} " in printed


def _text(path: Path) -> str:
    return path.read_bytes().decode(errors="replace")
