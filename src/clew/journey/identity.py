"""Which ids are one order: aliases glue, and one id speaks for all."""

from __future__ import annotations

from collections.abc import Iterable


def same_orders(ids: Iterable[str], edges: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    """The groups of ids that are one order, by the id that speaks for the group.

    An edge (alias, order id) says that both are the same order. The one that speaks is an id that is nobody's alias;
    of several such, or of none (a circle), the first in alphabetical order: any rule does that never depends on
    the order of arrival.
    """
    edges = list(edges)
    parent: dict[str, str] = {}

    def root(each: str) -> str:
        parent.setdefault(each, each)
        while parent[each] != each:
            parent[each] = parent[parent[each]]
            each = parent[each]
        return each

    for each in ids:
        root(each)
    for alias, order_id in edges:
        parent[root(alias)] = root(order_id)
    groups: dict[str, set[str]] = {}
    for each in parent:
        groups.setdefault(root(each), set()).add(each)
    aliases = {alias for alias, _ in edges}
    return {min(group - aliases or group): frozenset(group) for group in groups.values()}
