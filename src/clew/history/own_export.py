"""Files that ``clew export events`` wrote: known by their columns, and taken in as what they were made of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from clew.history.recognise import texts_of
from clew.history.rows import BaseSource, Batch, Source

COLUMNS = (
    "order_id", "stage", "time", "path", "service", "actor", "user_id", "due_at",
    "time_ns", "flow", "trace_id", "span_id", "source", "attributes",
)  # fmt: skip
"""The columns of such a file, in their order."""

_KEPT = COLUMNS[: COLUMNS.index("time_ns")]
_FLAT = COLUMNS[:-1]
_INNER = "attributes."
_DISARMED = re.compile(r"'+[=+@\t\r-]")
_TOLD = (
    "this is a file of clew export: time_ns, flow, trace_id, span_id and source are left out, attributes are restored"
)


@dataclass(slots=True)
class MaybeOwn(BaseSource):
    """Another source, in which the batches of an export of stage events are what they were before."""

    inner: Source | None = None

    def batches(self) -> Iterator[Batch]:
        """The rows in their order. Raises as the other source does."""
        assert self.inner is not None
        for batch in self.inner.batches():
            if not is_own(batch.columns):
                yield batch
                continue
            self.remarks.counts[_TOLD] = 1
            yield restored(batch, disarmed=self.format in ("csv", "tsv"))

    def close(self) -> None:
        """The other source, too."""
        if self.inner is not None:
            self.inner.close()


def maybe_own(source: Source) -> MaybeOwn:
    """The same source, with exports of Clew recognised."""
    return MaybeOwn(
        source.format, source.unit, source.zone, source.names, source.progress, source.remarks, inner=source
    )


def is_own(columns: Mapping[str, Sequence[Any]]) -> bool:
    """Whether these are the columns of an export; JSON Lines have attributes column by column."""
    names = tuple(columns)
    rest = names[len(_FLAT) :]
    return names[: len(_FLAT)] == _FLAT and (rest == ("attributes",) or all(name.startswith(_INNER) for name in rest))


def restored(batch: Batch, *, disarmed: bool) -> Batch:
    """A batch of an export without what Clew finds out by itself, its attributes apart.

    ``disarmed``: an apostrophe was put before texts that a spreadsheet takes for formulas.
    """
    columns = {name: batch.columns[name] for name in _KEPT}
    if disarmed:
        columns = {name: [_as_it_was(text) for text in texts_of(values)] for name, values in columns.items()}
    return Batch(batch.lines, columns, batch.bad, _attributes(batch.columns))


def _as_it_was(text: str) -> str:
    return text[1:] if _DISARMED.match(text) else text


def _attributes(columns: Mapping[str, Sequence[Any]]) -> dict[str, Sequence[Any]]:
    if "attributes" not in columns:
        return {name.removeprefix(_INNER): values for name, values in columns.items() if name.startswith(_INNER)}
    held = [_pairs(text) for text in texts_of(columns["attributes"])]
    return {name: [each.get(name) for each in held] for name in dict.fromkeys(name for each in held for name in each)}


def _pairs(text: str) -> dict[str, Any]:
    """Attributes of one event; a map of Parquet is a list of pairs, and what is neither stays one text."""
    try:
        return {str(name): value for name, value in dict(orjson.loads(text)).items()} if text else {}
    except (TypeError, ValueError):
        return {"attributes": text}
