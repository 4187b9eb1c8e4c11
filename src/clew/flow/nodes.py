"""Reading YAML nodes so that every mistake is noted with its place and reading goes on."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

import yaml

from clew.model.errors import Problem

_MERGE = "tag:yaml.org,2002:merge"
_NULL = "tag:yaml.org,2002:null"


def close_match(word: str, known: Collection[str]) -> str | None:
    """The known word most like this one, whatever its case; None when none is near."""
    by_lower = {each.lower(): each for each in known}
    found = difflib.get_close_matches(word.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def did_you_mean(word: str, known: Collection[str]) -> str:
    """A mend for an unknown word: the nearest known one, else all of them."""
    near = close_match(word, known)
    if near is not None:
        return f"did you mean {near!r}?"
    return f"known here: {', '.join(known)}" if known else ""


@dataclass(slots=True)
class Reader:
    """Notes problems and the place of every key that was read."""

    problems: list[Problem] = field(default_factory=list)
    places: dict[str, yaml.Node] = field(default_factory=dict)

    def report(self, key: str, cause: str, mend: str = "", node: yaml.Node | None = None) -> None:
        """Note a mistake at the node, or at the nearest place known for the key."""
        line, column = self._place(key) if node is None else (node.start_mark.line + 1, node.start_mark.column + 1)
        self.problems.append(Problem(line, column, key, cause, mend))

    def mapping(self, node: yaml.Node, key: str, known: Collection[str] = ()) -> dict[str, yaml.Node]:
        """The entries of a mapping by key; with ``known``, other keys are mistakes.

        An unknown key that looks like a known one is reported and then read as that one, so that one
        slip doesn't cause a row of others.
        """
        if not isinstance(node, yaml.MappingNode):
            if not is_empty(node):
                self.report(key, "expected keys with values here", "write 'key: value' lines, indented", node)
            return {}
        entries: dict[str, yaml.Node] = {}
        for key_node, value_node in _pairs(node):
            if not isinstance(key_node, yaml.ScalarNode):
                self.report(key, "a key must be plain text", "write one word before the colon", key_node)
                continue
            self._enter(entries, key_node, value_node, key, known)
        return entries

    def _enter(
        self,
        entries: dict[str, yaml.Node],
        key_node: yaml.ScalarNode,
        value_node: yaml.Node,
        key: str,
        known: Collection[str],
    ) -> None:
        word: str = key_node.value
        full = join(key, word)
        if word in entries:
            self.report(full, f"{word!r} is here twice", "keep one of the two", key_node)
            return
        if known and word not in known:
            self.report(full, f"unknown key {word!r}", did_you_mean(word, known), key_node)
            near = close_match(word, known)
            if near is None or near in entries:
                return
            word, full = near, join(key, near)
        entries[word] = value_node
        self.places[full] = key_node

    def text(self, node: yaml.Node | None, key: str) -> str:
        """The text of a scalar exactly as written; empty when absent or null."""
        if node is None or is_empty(node):
            return ""
        if not isinstance(node, yaml.ScalarNode):
            self.report(key, "expected one value here, not a list or keys", "write it on one line", node)
            return ""
        return str(node.value)

    def items(self, node: yaml.Node | None, key: str) -> Iterator[tuple[str, yaml.Node]]:
        """The items of a list with the key of each; a single value counts as a list of one."""
        if node is None or is_empty(node):
            return
        if not isinstance(node, yaml.SequenceNode):
            yield key, node
            return
        for index, item in enumerate(node.value):
            full = f"{key}[{index}]"
            self.places[full] = item
            yield full, item

    def texts(self, node: yaml.Node | None, key: str) -> tuple[str, ...]:
        """The texts of a list; an empty or repeated one is a mistake."""
        found: list[str] = []
        for full, item in self.items(node, key):
            text = self.text(item, full)
            if not text:
                if is_empty(item):
                    self.report(full, "an empty item", "remove it or give it a value", item)
            elif text in found:
                self.report(full, f"{text!r} is in the list twice", "keep one of the two", item)
            else:
                found.append(text)
        return tuple(found)

    def whole(self, node: yaml.Node | None, key: str, default: int) -> int:
        """A whole number from 1 to 999,999,999; the default when absent or wrong."""
        text = self.text(node, key)
        if not text:
            return default
        if not (text.isascii() and text.isdigit() and len(text) <= 9 and int(text) >= 1):
            self.report(key, f"{text!r} is not a whole number from 1 to 999,999,999", "write for example 1", node)
            return default
        return int(text)

    def _place(self, key: str) -> tuple[int, int]:
        while key:
            if key in self.places:
                mark = self.places[key].start_mark
                return mark.line + 1, mark.column + 1
            cut = max(key.rfind("."), key.rfind("["))
            key = key[:cut] if cut > 0 else ""
        return 1, 1


def join(key: str, word: str) -> str:
    """The dotted way to a word below a key."""
    return f"{key}.{word}" if key else word


def is_empty(node: yaml.Node) -> bool:
    """Whether nothing, or ``~``, was written."""
    return isinstance(node, yaml.ScalarNode) and node.tag == _NULL and node.value in ("", "~")


def _pairs(node: yaml.MappingNode) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    """The pairs of a mapping, those of a ``<<`` merge last and only when not overridden."""
    own = [(key, value) for key, value in node.value if key.tag != _MERGE]
    yield from own
    taken = {key.value for key, _ in own if isinstance(key, yaml.ScalarNode)}
    for key, value in node.value:
        if key.tag != _MERGE:
            continue
        for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
            for inner_key, inner in source.value if isinstance(source, yaml.MappingNode) else []:
                if isinstance(inner_key, yaml.ScalarNode) and inner_key.tag != _MERGE and inner_key.value not in taken:
                    taken.add(inner_key.value)
                    yield inner_key, inner
