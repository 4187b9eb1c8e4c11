"""Where secrets come from: ``env:NAME`` or ``file:PATH``, read once at the start."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from clew.model.secret import Secret

_LARGEST = 64 << 10
HOW = "write env:NAME for a variable of Clew's environment, or file:PATH for a file that only Clew may read"


@dataclass(frozen=True, slots=True)
class Secrets:
    """Looks up secrets by what notify.yaml says of them. Relative paths count from ``folder``."""

    env: Mapping[str, str] = field(repr=False)
    folder: Path = Path()

    def find(self, place: str) -> Secret:
        """The secret of a place. Raises ValueError with cause and mend; a text that is no place is never shown."""
        scheme, _, rest = place.partition(":")
        if scheme == "env" and re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", rest):
            return self._of_variable(rest)
        if scheme == "file" and rest:
            return self._of_file(rest)
        raise ValueError(f"this is no place of a secret; {HOW}")

    def _of_variable(self, name: str) -> Secret:
        text = self.env.get(name, "").strip()
        if not text:
            raise ValueError(f"the variable {name} is not set; set it in the environment that Clew starts in")
        return Secret(text)

    def _of_file(self, name: str) -> Secret:
        path = self.folder / name
        try:
            with path.open("rb") as file:
                text = file.read(_LARGEST).decode("utf-8").strip()
        except (OSError, UnicodeDecodeError, ValueError) as error:
            cause = error.strerror if isinstance(error, OSError) else "it is not text"
            raise ValueError(f"the file {name} can't be read: {cause}; write the secret into it") from None
        if not text:
            raise ValueError(f"the file {name} is empty; write the secret into it")
        return Secret(text)
