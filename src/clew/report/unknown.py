"""What a filter asks for and no order of the flow has: the reason why a report is empty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from clew.model.flow import Flow
from clew.report.query import sql_text
from clew.store.contract import Store

_SHOWN = 12


@dataclass(frozen=True, slots=True)
class Named:
    """What a filter names; empty fields name nothing."""

    paths: tuple[str, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()
    stages: tuple[str, ...] = ()
    flow_version: int | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something that no order has, and up to 12 others that orders have, the most frequent first.

    ``kind`` is ``path``, ``stage``, ``flow version``, ``attribute`` (its key), or
    ``value`` (of an attribute; ``name`` is ``key=value`` then).
    """

    kind: str
    name: str
    known: tuple[str, ...]


def unknown_names(store: Store, flow_name: str, named: Named, flow: Flow | None) -> tuple[Unknown, ...]:
    """What is named and no order of the flow has, whenever it was; a stage or a path that the flow declares is known.

    One query for each kind of name over the flow's orders; none where nothing is named.
    """
    paths, stages = (tuple(flow.paths), tuple(stage.name for stage in flow.stages)) if flow else ((), ())
    version = () if named.flow_version is None else (str(named.flow_version),)
    found = [
        *_missing(store, flow_name, "path", named.paths, declared=paths),
        *_missing(store, flow_name, "stage", named.stages, declared=stages),
        *_missing(store, flow_name, "flow version", version),
    ]
    for key, value in named.attributes:
        found += _missing(store, flow_name, "attribute", (key,)) or [
            replace(each, name=f"{key}={each.name}") for each in _missing(store, flow_name, "value", (value,), key=key)
        ]
    return tuple(found)


def _missing(
    store: Store, flow_name: str, kind: str, names: Sequence[str], *, declared: Sequence[str] = (), key: str = ""
) -> list[Unknown]:
    asked = [name for name in dict.fromkeys(names) if name and name not in declared]
    if not asked:
        return []
    seen = _seen(store, flow_name, kind, asked, key)
    known = tuple(dict.fromkeys([*declared, *seen]))[:_SHOWN]
    return [Unknown(kind, name, known) for name in asked if name not in seen]


def known_paths(store: Store, flow_name: str) -> tuple[str, ...]:
    """The paths that most orders of a flow take, at most 12."""
    return tuple(_seen(store, flow_name, "path", ()))


def _seen(store: Store, flow_name: str, kind: str, asked: Sequence[str], key: str = "") -> list[str]:
    """The names that were asked for and that orders have, and the most frequent others."""
    bind = {"kind": kind, "key": key, "flow": flow_name, "asked": list(asked), "most": len(asked) + _SHOWN}
    return [str(row["name"]) for row in store.rows(sql_text("known"), bind) if row["name"] != ""]
