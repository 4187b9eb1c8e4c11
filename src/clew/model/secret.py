"""Texts that nobody may read by accident."""

from __future__ import annotations


class Secret:
    """A text that hides itself when printed."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def hide_in(self, text: str) -> str:
        """The text without this secret in it."""
        return text.replace(self._text, "…") if self._text else text

    def __bool__(self) -> bool:
        """Whether there is any text."""
        return bool(self._text)

    def __repr__(self) -> str:
        """Never the text."""
        return "Secret('…')" if self._text else "Secret('')"
