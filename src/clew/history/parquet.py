"""Parquet: columns as they are stored, some thousand rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clew.history.recognise import text_of
from clew.history.rows import BATCH_ROWS, BaseSource, Batch, HistoryError


@dataclass(slots=True)
class ParquetSource(BaseSource):
    """A Parquet file; its progress counts rows."""

    path: Path = Path()

    def batches(self) -> Iterator[Batch]:
        """The rows in their order. Raises HistoryError when the file is damaged."""
        import pyarrow  # type: ignore[import-untyped]
        from pyarrow import parquet

        try:
            with parquet.ParquetFile(self.path, pre_buffer=False) as file:
                self.progress.done, self.progress.total = 0, file.metadata.num_rows
                for batch in file.iter_batches(BATCH_ROWS, use_threads=False):
                    first = self.progress.done + 1
                    self.progress.done += batch.num_rows
                    columns = {name: _values(batch.column(place)) for place, name in enumerate(batch.schema.names)}
                    yield Batch(range(first, first + batch.num_rows), columns)
        except (pyarrow.ArrowException, OSError) as error:
            told = str(error).splitlines()[0][:200]
            raise HistoryError(f"{self.path.name} is no whole Parquet file: {told}", "copy it once more") from error


def _values(column: Any) -> list[Any]:  # noqa: ANN401 - pyarrow has no types
    """A column as Python values; moments as ISO 8601 with all their digits, which Python's own moments lack."""
    import pyarrow
    from pyarrow import compute, types

    kind = column.type
    if types.is_dictionary(kind):
        column, kind = column.dictionary_decode(), kind.value_type
    if types.is_timestamp(kind):
        if kind.tz:
            column = column.cast(pyarrow.timestamp(kind.unit, "UTC"))
        column = compute.cast(column, pyarrow.string())
    values: list[Any] = column.to_pylist()
    if types.is_primitive(kind) or types.is_string(kind) or types.is_large_string(kind):
        return values
    return [None if value is None else text_of(value) for value in values]


def open_parquet(path: Path) -> ParquetSource:
    """A Parquet file."""
    return ParquetSource("parquet", unit="row", path=path)
