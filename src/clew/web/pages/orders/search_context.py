"""What the search shows where it can't lead straight to what was meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clew.web.pages.orders.asked import Asked
from clew.web.pages.orders.context import cut


@dataclass(frozen=True, slots=True)
class Meaning:
    """Something that a text may stand for: how many ``orders`` it leads to, ``told`` in words, and their ``href``."""

    orders: int
    told: str
    href: str


@dataclass(frozen=True, slots=True)
class SearchPage:
    """A search that found nothing or more than one thing.

    ``text`` is what was looked for, cut to a readable length, ``meanings`` what it may stand for (none: nothing was
    found), ``alike`` the ids of orders that are called so in other capitals, ``looked`` where Clew looked,
    ``spans_href`` where spans that name such an order would be found.
    """

    text: str
    meanings: tuple[Meaning, ...]
    alike: tuple[str, ...]
    looked: tuple[str, ...]
    spans_href: str


def search_page(
    text: str, of_user: int, beginning: int, alike: Sequence[str] = (),
    *, as_trace: bool, as_user: bool, users_masked: bool, spans_href: str,
) -> SearchPage:  # fmt: skip
    """The page for a text that is no order's id and no known trace.

    ``alike`` are ids of orders that are called so in other capitals.
    ``of_user`` and ``beginning`` count orders; ``as_trace`` and ``as_user`` say whether traces and users were searched.
    """
    ends = ", of which only the last characters are kept" if users_masked else ""
    looked = ["ids of orders, open and ended", "other ids of orders"]
    looked += ["traces"] if as_trace else []
    looked += [f"user ids{ends}"] if as_user else []
    looked += ["beginnings of order ids"]
    found = (
        Meaning(of_user, "of this user", Asked(user=text).href),
        Meaning(beginning, "whose id begins like this", Asked(prefix=text).href),
    )
    meanings = tuple(each for each in found if each.orders)
    return SearchPage(cut(text), meanings, tuple(alike), tuple(looked), spans_href)
