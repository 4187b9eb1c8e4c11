"""The columns of an export, and the query around them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clew.store.contract import Format
from clew.store.spans import sql

# Columns of a file are named as those of the tables, and must not take their place while they are made.
SETTINGS = (
    "SETTINGS prefer_column_name_to_alias = 1, max_threads = 2, do_not_merge_across_partitions_select_final = 1, "
    "output_format_json_quote_64bit_integers = 0, output_format_json_escape_forward_slashes = 0"
)
TEXT_MAP = "Map(String, String)"


@dataclass(frozen=True, slots=True)
class Column:
    """A column by its name and the SQL that makes it. Lists, maps and the like are JSON text where a file has none.

    ``free``: a text that somebody else wrote, which a spreadsheet might take for a formula.
    """

    name: str
    value: str
    nested: bool = False
    free: bool = False


def free_text(name: str) -> Column:
    """A column of the table as it is: text from outside."""
    return Column(name, name, free=True)


def moment(name: str, at: str) -> tuple[Column, Column]:
    """A moment's two columns: ``NAME_at``, ISO 8601 in UTC with nine decimals, and ``NAME_ns``, Unix nanoseconds."""
    return Column(f"{name}_at", iso(at)), Column(f"{name}_ns", f"toUnixTimestamp64Nano({at})")


def moment_or_null(name: str, at: str) -> tuple[Column, Column]:
    """As `moment`, of a column in which 0 means that there is none."""
    at_column, ns_column = moment(name, at)
    known = f"toUnixTimestamp64Nano({at}) > 0"
    return (
        Column(at_column.name, f"if({known}, {at_column.value}, NULL)"),
        Column(ns_column.name, f"if({known}, {ns_column.value}, NULL)"),
    )


def iso(at: str) -> str:
    """SQL of a moment as ISO 8601 in UTC with nine decimals."""
    return f"concat(replaceOne(toString({at}), ' ', 'T'), 'Z')"


def id_or_empty(id_: str) -> str:
    """SQL of a trace or span id as lower-case hex, empty when it is all zeros."""
    return f"if(match({id_}, '[^\\\\0]'), lower(hex({id_})), '')"


def select(columns: Sequence[Column], source: str, order_by: str, format_: Format) -> str:
    """The query of an export: these columns of a subquery, sorted by columns of it."""
    values = ", ".join(f"{_value(column, format_)} AS `{column.name}`" for column in columns)
    return sql("SELECT", values, "FROM (", source, ") AS r ORDER BY", order_by, SETTINGS)


def _value(column: Column, format_: Format) -> str:
    if format_ is not Format.CSV:
        return column.value
    if column.nested:
        return f"toJSONString({column.value})"
    return _harmless(column.value) if column.free else column.value


def _harmless(text: str) -> str:
    """SQL of a text that no spreadsheet takes for a formula: an apostrophe before what begins like one.

    It also goes before apostrophes that stand there already, so that taking one off gives every text back.
    """
    return rf"if(match({text}, '^\'*[=+@\t\r-]'), concat('\'', {text}), {text})"
