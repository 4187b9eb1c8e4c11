"""Values as rules write them: lengths of time, shares, counts, words of a closed set. Mistakes go to the reader."""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import StrEnum
from typing import TypeVar

import yaml

from clew.flow.durations import parse_duration
from clew.flow.nodes import Reader, did_you_mean, is_empty, join

_Word = TypeVar("_Word", bound=StrEnum)
_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,6})?")
_LENGTH_MEND = "write for example 90s, 30m, 4h, 2d or 1h30m"

Body = dict[str, yaml.Node]


class Fields:
    """The keys of one mapping, read one by one; ``key`` is the dotted way to it."""

    def __init__(self, reader: Reader, node: yaml.Node | None, key: str, known: Collection[str]) -> None:
        """Unknown keys are mistakes; nothing, or ``~``, is a mapping without keys."""
        self.reader, self.key = reader, key
        self.node = node
        empty = node is None or is_empty(node)
        self.body: Body = {} if empty or node is None else reader.mapping(node, key, known)

    def has(self, word: str) -> bool:
        """Whether it was written."""
        return word in self.body

    def way(self, word: str) -> str:
        """The dotted way to a key of it."""
        return join(self.key, word)

    def wrong(self, word: str, cause: str, mend: str) -> None:
        """Note a mistake at a key; at the whole when it wasn't written."""
        self.reader.report(self.way(word) if word else self.key, cause, mend, self.body.get(word))

    def text(self, word: str) -> str:
        """The text of a value; empty when absent."""
        return self.reader.text(self.body.get(word), self.way(word))

    def texts(self, word: str) -> tuple[str, ...]:
        """The texts of a list; a single one counts as a list."""
        return self.reader.texts(self.body.get(word), self.way(word))

    def flag(self, word: str, default: bool) -> bool:
        """``true`` or ``false``."""
        text = self.text(word)
        if text and text not in ("true", "false"):
            self.wrong(word, f"{text!r} is neither true nor false", "write true or false")
        return text == "true" if text in ("true", "false") else default

    def whole(self, word: str, default: int) -> int:
        """A whole number from 1."""
        return self.reader.whole(self.body.get(word), self.way(word), default)

    def number(self, word: str, default: float) -> float:
        """A number above zero."""
        text = self.text(word)
        if not text:
            return default
        if not _NUMBER.fullmatch(text) or float(text) <= 0:
            self.wrong(word, f"{text!r} is not a number above zero", f"write for example {default or 1}")
            return default
        return float(text)

    def share(self, word: str, default: float) -> float:
        """A share written as ``95%`` or ``0.95``, above 0 and below 1."""
        text = self.text(word)
        if not text:
            return default
        number = text.removesuffix("%").strip()
        value = round(float(number) / (100 if text.endswith("%") else 1), 9) if _NUMBER.fullmatch(number) else 0.0
        if not 0 < value < 1:
            self.wrong(word, f"{text!r} is not a share between 0% and 100%", "write for example 95%")
            return default
        return value

    def length(self, word: str, *, zero: bool = False) -> int | None:
        """A length of time in nanoseconds, above zero unless ``zero``; None when absent or wrong."""
        node = self.body.get(word)
        text = self.text(word)
        if not text:
            if node is not None and is_empty(node):
                self.wrong(word, "a length of time is missing", _LENGTH_MEND)
            return None
        try:
            length_ns = parse_duration(text)
        except ValueError as error:
            self.wrong(word, str(error), _LENGTH_MEND)
            return None
        if length_ns == 0 and not zero:
            self.wrong(word, "a length of time must be above zero", _LENGTH_MEND)
            return None
        return length_ns

    def word(self, word: str, words: type[_Word], default: _Word) -> _Word:
        """One word of a closed set."""
        text = self.text(word)
        if not text:
            return default
        return self._known(word, text, words) or default

    def words(self, word: str, words: type[_Word]) -> tuple[_Word, ...]:
        """Some words of a closed set."""
        found = (self._known(word, text, words) for text in self.texts(word))
        return tuple(each for each in found if each is not None)

    def _known(self, word: str, text: str, words: type[_Word]) -> _Word | None:
        known = [each.value for each in words]
        if text in known:
            return words(text)
        self.wrong(word, f"{text!r} is not known here", did_you_mean(text, known))
        return None

    def mapping(self, word: str) -> dict[str, str]:
        """Texts by name."""
        node = self.body.get(word)
        if node is None or is_empty(node):
            return {}
        entries = self.reader.mapping(node, self.way(word))
        return {name: self.reader.text(value, join(self.way(word), name)) for name, value in entries.items()}

    def one_of(self, *words: str) -> str:
        """The one of these keys that was written; empty, and a mistake, when it is none or several."""
        written = [word for word in words if word in self.body]
        if len(written) == 1:
            return written[0]
        cause = f"{' and '.join(written)} at once" if written else f"none of {', '.join(words)} is here"
        self.wrong(written[1] if written else "", cause, f"write one of {', '.join(words)}")
        return ""
