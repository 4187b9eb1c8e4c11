"""The shop's two pages as HTML. Every value is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>body{{font:1rem system-ui;max-width:40rem;margin:3rem auto}} form{{display:inline}}</style>
<h1>{title}</h1>
{body}
</html>"""


def shop(orders: Iterable[Mapping[str, Any]]) -> str:
    """The front page: order a ring, and see the latest orders."""
    rows = "".join(
        f'<li><a href="/orders/{escape(order["id"])}">{escape(order["id"])}</a> {escape(order["state"])}'
        for order in orders
    )
    metals = "".join(f"<option>{metal}" for metal in ("gold", "silver", "platinum"))
    body = (
        '<form method="post" action="/orders"><input name="customer" placeholder="your name" required> '
        f'<select name="metal">{metals}</select> <button>Order a ring</button></form><ul>{rows}</ul>'
    )
    return _PAGE.format(title="The jeweller's shop", body=body)


def order(row: Mapping[str, Any]) -> str:
    """One order: where it stands and what its customer can do."""
    acts = {
        "cart": ("model", "submit", "cancel"),
        "designed": ("submit", "cancel"),
        "submitted": ("cancel",),
    }.get(row["state"], ())
    at = f"/orders/{escape(row['id'])}"
    buttons = " ".join(f'<form method="post" action="{at}/{act}"><button>{act}</button></form>' for act in acts)
    body = f"<p>A {escape(row['metal'])} ring for {escape(row['customer'])}: {escape(row['state'])}</p>{buttons}"
    return _PAGE.format(title=f"Order {escape(row['id'])}", body=body + '<p><a href="/">All orders</a>')
