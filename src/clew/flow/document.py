"""A YAML file that declares something: from its text to its top node, and from its mistakes to one error."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TypeVar

import yaml

from clew.model.errors import FlowError, Problem

_Wrong = TypeVar("_Wrong", bound=FlowError)


def compose_document(text: str, name: str, what: str, mend: str, error: type[_Wrong]) -> yaml.MappingNode:
    """The top node of a YAML text; ``what`` it declares (such as "flow") is named in mistakes, ``mend`` how to begin.

    Raises an ``error`` with one problem when the text is no YAML or has no keys; ``name`` says whose it is.
    """
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as wrong:
        raise failure(name, [_syntax_problem(wrong, what)], error) from wrong
    except RecursionError as wrong:
        mend = f"no {what} needs more than five levels"
        raise failure(name, [Problem(1, 1, "", "nested too deeply", mend)], error) from wrong
    if root is None:
        raise failure(name, [Problem(1, 1, "", "the file is empty", mend)], error)
    if not isinstance(root, yaml.MappingNode):
        raise failure(name, [Problem(1, 1, "", f"not a {what}: no keys with values", mend)], error)
    return root


def read_text(path: Path, error: type[_Wrong]) -> str:
    """The text of a file; raises an ``error`` with one problem when it can't be read."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as wrong:
        problem = Problem(0, 0, "", f"can't be read: {wrong}", "give the path of a UTF-8 text file")
        raise failure(str(path), [problem], error) from wrong


def failure(name: str, problems: Iterable[Problem], error: type[_Wrong]) -> _Wrong:
    """All mistakes of a file as one error, in the order of the file."""
    ordered = sorted(problems, key=lambda problem: (problem.line, problem.column))
    count = "1 mistake" if len(ordered) == 1 else f"{len(ordered)} mistakes"
    return error(f"{name} has {count}:\n" + "\n".join(map(_told, ordered)), ordered, name)


def _told(problem: Problem) -> str:
    place = [f"line {problem.line}"] if problem.line else []
    return ": ".join((*place, *filter(None, (problem.key,)), f"{problem.cause}; {problem.mend}"))


def _syntax_problem(error: yaml.YAMLError, what: str) -> Problem:
    mark = getattr(error, "problem_mark", None)
    line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
    if "single document" in str(getattr(error, "context", "")):
        return Problem(line, column, "", f"more than one {what} in the file", f"keep one {what} a file")
    cause = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    return Problem(line, column, "", f"not YAML: {cause}", "check indentation, colons and quotes around this line")
