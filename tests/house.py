"""Checks of the source tree as functions over text, so that each can be shown a bad sample."""

import ast
import functools
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

Graph = Mapping[str, set[str]]


def files_in(source: Path) -> dict[str, Path]:
    """Modules below a source folder by dotted name; a package by the name of its folder."""
    found = {}
    for path in sorted(source.rglob("*.py")):
        parts = path.relative_to(source).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@functools.cache
def modules_in(source: Path) -> Mapping[str, ast.Module]:
    """The same, parsed, which takes seconds: once, and only when a test asks, as each worker collects all tests."""
    return {name: ast.parse(path.read_text(), str(path)) for name, path in files_in(source).items()}


def imports_of(tree: ast.Module, known: set[str], *, nested: bool) -> set[str]:
    """Absolute names that a module imports; with `nested` those inside functions too.

    `from package import name` counts as `package.name` where that is a known module, else as `package`.
    """
    names = set()
    for node in ast.walk(tree) if nested else _run_on_import(tree.body):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            names |= (full & known) | ({node.module} if full - known else set())
    return names


def _run_on_import(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    for node in body:
        yield node
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            yield from _run_on_import(node.orelse)
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for field in ("body", "orelse", "finalbody"):
                yield from _run_on_import(getattr(node, field, []))


def import_graph(modules: Mapping[str, ast.Module]) -> Graph:
    """Which module runs which others when it is imported; its own packages, already running, left out."""
    known, graph = set(modules), {}
    for name, tree in modules.items():
        wanted = imports_of(tree, known, nested=False) & known
        reached = {prefix for target in wanted for prefix in _prefixes(target)} & known
        graph[name] = {target for target in reached if not f"{name}.".startswith(f"{target}.")}
    return graph


def _prefixes(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[: end + 1]) for end in range(len(parts))]


def import_circle(graph: Graph) -> list[str]:
    """A circle of modules, first one repeated at the end; empty when there is none."""
    done: set[str] = set()

    def search(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for target in sorted(graph.get(name, ())):
            if circle := search(target, [*path, name]):
                return circle
        done.add(name)
        return []

    return next((circle for name in sorted(graph) if (circle := search(name, []))), [])


def forbidden_imports(modules: Mapping[str, ast.Module], rooms: Mapping[str, tuple[str, ...]]) -> list[str]:
    """`importer -> imported` for each import inside the project that no row of the table allows.

    The row of the longest matching name holds. A room may always import itself; "*" allows everything.
    """
    root, wrong = next(iter(modules), "").split(".")[0], []
    for name, tree in modules.items():
        row = max((room for room in rooms if _inside(name, room)), key=len, default=None)
        if row is None:
            wrong.append(f"{name} -> it has no row in the table of rooms")
            continue
        own = {target for target in imports_of(tree, set(modules), nested=True) if _inside(target, root)} - {root}
        wrong += [f"{name} -> {target}" for target in sorted(own) if not _allowed(target, (row, *rooms[row]))]
    return wrong


def _allowed(target: str, rooms: Sequence[str]) -> bool:
    return any(room == "*" or _inside(target, room) for room in rooms)


def _inside(name: str, room: str) -> bool:
    return f"{name}.".startswith(f"{room}.")


def imported_packages(tree: ast.Module) -> set[str]:
    """Top-level names of everything a module imports, at any depth."""
    return {name.split(".")[0] for name in imports_of(tree, set(), nested=True)}


def long_functions(modules: Mapping[str, ast.Module], limit: int) -> list[str]:
    """`module.function: lines` of every function of `limit` lines or more, decorators not counted."""
    return [
        f"{name}.{node.name}: {lines}"
        for name, tree in modules.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (lines := (node.end_lineno or node.lineno) - node.lineno + 1) >= limit
    ]


SQL = re.compile(
    r"\b(SELECT\s|INSERT\s+INTO\s|DELETE\s+FROM\s|UPDATE\s+\S+\s+SET\s|ALTER\s+TABLE\s|DROP\s+(TABLE|VIEW|PARTITION)\s"
    r"|CREATE\s+(TABLE|VIEW|MATERIALIZED|DATABASE)\s|WHERE\s|ORDER\s+BY\s|GROUP\s+BY\s|(JOIN|FROM)\s+[a-z_{}]+\s)"
)


CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]*")


def pasted_into_sql(tree: ast.Module) -> dict[str, str]:
    """Expressions put into SQL text by f-string, `%`, `+` or `.format`, with the text; not constants like `_HOP`."""
    found = {}
    for node in ast.walk(tree):
        text, expressions = _formatted(node)
        if SQL.search(text):
            found |= {pasted: text for pasted in map(ast.unparse, expressions) if not CONSTANT.fullmatch(pasted)}
    return found


def _formatted(node: ast.AST) -> tuple[str, list[ast.expr]]:
    """The text that a node formats, each pasted value shown as {}, and what is pasted."""
    match node:
        case ast.JoinedStr(values=values):
            text = "".join(str(value.value) if isinstance(value, ast.Constant) else "{}" for value in values)
            return text, [value.value for value in values if isinstance(value, ast.FormattedValue)]
        case ast.BinOp(left=ast.Constant(value=str(text)), op=ast.Mod() | ast.Add(), right=right):
            return text, [] if isinstance(right, ast.Constant | ast.JoinedStr) else [right]
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="format")):
            return text, [*node.args, *(keyword.value for keyword in node.keywords)]
    return "", []


# Put together from halves, so that this file holds none of them.
HOSTS = (
    "py" + "pi.org",
    "python" + "hosted.org",
    "registry." + "npmjs",
    "npmjs." + "org",
    "deb." + "debian.org",
    "crates." + "io",
)
MACHINE = re.compile(
    "|".join(re.escape(host) for host in HOSTS)
    + r"|(?<![\w.])/(work/(main|shared|tmp|\.library)|tmp/"
    + r"(brief|bash_jobs)|root/\.|home/[a-z]+/)"
)


def machine_traces(text: str) -> list[str]:
    """Registry hosts and paths of somebody's machine in a text."""
    return [match.group() for match in MACHINE.finditer(text)]


def unhashed_requirements(lock: str) -> list[str]:
    """Requirements of a lock file that are not pinned with `==` and at least one hash."""
    joined = re.sub(r"\\\n", " ", re.sub(r"(?m)^\s*#.*\n", "", lock))
    lines = [line.strip() for line in joined.splitlines() if line.strip()]
    return [line.split()[0] for line in lines if "==" not in line or "--hash=sha256:" not in line]


def console_scripts(pyprojects: Sequence[Path]) -> list[str]:
    """Names of the commands that the distributions install."""
    tables = (tomllib.loads(path.read_text())["project"].get("scripts", {}) for path in pyprojects if path.exists())
    return sorted(name for table in tables for name in table)
