"""What Clew says: over its API to compare with the ledger, and by its own command for people."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import httpx

from clew_demo.ledger import Said

CLEW = str(Path(sys.executable).with_name("clew"))
COMMAND = ("orders", "--verdict", "lost", "--verdict", "stuck")
PAGE = 500


class Answer:
    """Asks the Clew at this URL."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._trusted = httpx.create_ssl_context()  # once, as it reads files, and the story asks often

    def _client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=f"{self._url}/api/v1/", timeout=20.0, verify=self._trusted)

    async def all_orders(self) -> dict[str, Said]:
        """The verdict on every order that Clew knows; empty while it can't be reached."""
        try:
            async with self._client() as client:
                return {item["order_id"]: await _said(client, item) for item in await _items(client)}
        except httpx.TransportError:
            return {}

    async def incidents(self) -> list[dict[str, Any]]:
        """All incidents, newest first; none while Clew can't be reached."""
        try:
            async with self._client() as client:
                items: list[dict[str, Any]] = (await _get(client, "incidents", {"limit": PAGE}))["items"]
                return items
        except httpx.TransportError:
            return []

    async def run(self, *command: str) -> None:
        """Run ``clew`` with this command; it prints to the same terminal as we do, in its colours."""
        child = await asyncio.create_subprocess_exec(CLEW, *command, env={**os.environ, "CLEW_URL": self._url})
        await child.wait()


async def _items(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    after = ""
    while True:
        page = await _get(client, "orders", {"limit": PAGE, "after": after})
        items += page["items"]
        after = page["next"] or ""
        if not after:
            return items


async def _said(client: httpx.AsyncClient, item: dict[str, Any]) -> Said:
    """The verdict of an order; the list tells it but for the kind of loss, which its journey has."""
    verdict = item["verdict"]
    losses = (await _get(client, f"orders/{item['order_id']}"))["losses"] if verdict["kind"] == "lost" else []
    return Said(verdict["kind"], losses[0]["reason"] if losses else "", verdict["reason"])


async def _get(client: httpx.AsyncClient, page: str, query: dict[str, str | int] | None = None) -> dict[str, Any]:
    answer = await client.get(page, params=query)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found
