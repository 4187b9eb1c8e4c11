"""Values in reactions.yaml: each is read with its bounds, and a wrong one is reported with its mend."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import yaml

from clew.flow.durations import parse_duration, render_duration
from clew.flow.nodes import Reader, did_you_mean, join

_WHOLE = re.compile(r"-?[0-9]{1,9}")
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Fields:
    """The entries of one mapping at a dotted key; unknown ones were reported when it was made."""

    reader: Reader
    key: str
    entries: Mapping[str, yaml.Node]

    def __contains__(self, name: str) -> bool:
        return name in self.entries

    def below(self, name: str, known: Collection[str]) -> Fields:
        """The entries of a mapping in this one; none when it is absent."""
        return fields_of(self.reader, self.entries.get(name), join(self.key, name), known)

    def wrong(self, name: str, cause: str, mend: str) -> None:
        """Note a mistake at an entry, or, where it is absent, at this mapping."""
        self.reader.report(join(self.key, name) if name else self.key, cause, mend, self.entries.get(name))

    def text(self, name: str) -> str:
        """A text; empty when absent."""
        return self.reader.text(self.entries.get(name), join(self.key, name))

    def needed(self, name: str, mend: str) -> str:
        """A text that must be there."""
        text = self.text(name)
        if not text:
            self.wrong(name, f"{name!r} is missing", mend)
        return text

    def texts(self, name: str) -> tuple[str, ...]:
        """The texts of a list, each once."""
        return self.reader.texts(self.entries.get(name), join(self.key, name))

    def named_texts(self, name: str) -> dict[str, str]:
        """The texts of a mapping."""
        node, key = self.entries.get(name), join(self.key, name)
        entries = {} if node is None else self.reader.mapping(node, key)
        return {each: self.reader.text(value, join(key, each)) for each, value in entries.items()}

    def length(self, name: str, default_ns: int | None, longest_ns: int | None = None) -> int | None:
        """A length of time above zero in nanoseconds; the default when absent or wrong."""
        text = self.text(name)
        if not text:
            return default_ns
        try:
            length_ns = parse_duration(text)
        except ValueError as error:
            self.wrong(name, str(error), "write for example 90s, 30m or 1h30m")
            return default_ns
        if length_ns == 0 or (longest_ns is not None and length_ns > longest_ns):
            told = "" if longest_ns is None else f" and at most {render_duration(longest_ns)}"
            self.wrong(name, f"{text!r} is out of bounds", f"write a length of time above zero{told}")
            return default_ns
        return length_ns

    def whole(self, name: str, least: int, most: int) -> int | None:
        """A whole number within bounds; None when absent or wrong."""
        text = self.text(name)
        if not text:
            return None
        if not _WHOLE.fullmatch(text) or not least <= int(text) <= most:
            self.wrong(
                name, f"{text!r} is no whole number from {least} to {most}", f"write for example {max(least, 1)}"
            )
            return None
        return int(text)

    def number(self, name: str) -> float | None:
        """A number; None when absent or wrong."""
        text = self.text(name)
        if not text:
            return None
        if not _NUMBER.fullmatch(text):
            self.wrong(name, f"{text!r} is no number", "write for example 50 or 0.5")
            return None
        return float(text)

    def truth(self, name: str, default: bool) -> bool:
        """``true`` or ``false``; the default when absent or wrong."""
        text = self.text(name)
        if not text:
            return default
        if text.lower() not in _TRUTH:
            self.wrong(name, f"{text!r} is neither true nor false", "write true or false")
            return default
        return _TRUTH[text.lower()]

    def words(self, name: str, known: Collection[str]) -> tuple[str, ...]:
        """The texts of a list, all of them known ones."""
        told = self.texts(name)
        for word in told:
            if word not in known:
                self.wrong(name, f"{word!r} is not known here", did_you_mean(word, known))
        return tuple(word for word in told if word in known)


def fields_of(reader: Reader, node: yaml.Node | None, key: str, known: Collection[str]) -> Fields:
    """The entries at a node; keys that aren't known are reported. None without a node."""
    return Fields(reader, key, {} if node is None else reader.mapping(node, key, known))
