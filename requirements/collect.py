"""Prints what the three distributions of this repository need at run time, one requirement a line, for pip-compile."""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
DISTRIBUTIONS = (".", "sdk", "demo")


def run_time_requirements(root: Path = ROOT) -> list[str]:
    """Requirements of all distributions and their extras, sorted, without the distributions themselves.

    Leaving our own names out matters: they are installed from this tree, and a stranger's package of the same
    name must never be resolved in their place.
    """
    projects = [_project(root / folder / "pyproject.toml") for folder in DISTRIBUTIONS]
    own = {_canonical(str(project["name"])) for project in projects}
    wanted = {line for project in projects for line in _lines(project)}
    return sorted((line for line in wanted if _canonical(line) not in own), key=str.lower)


def _project(path: Path) -> dict[str, object]:
    if not path.exists():
        return {"name": path.parent.name}
    project: dict[str, object] = tomllib.loads(path.read_text())["project"]
    return project


def _lines(project: dict[str, object]) -> list[str]:
    dependencies, extras = project.get("dependencies", []), project.get("optional-dependencies", {})
    assert isinstance(dependencies, list)
    assert isinstance(extras, dict)
    return [*dependencies, *(line for extra in extras.values() for line in extra)]


def _canonical(requirement: str) -> str:
    name = re.split(r"[^A-Za-z0-9._-]", requirement.strip(), maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.stdout.write("# Written by `make lock` from the three pyproject.toml; change those.\n")
    sys.stdout.write("".join(f"{line}\n" for line in run_time_requirements()))
