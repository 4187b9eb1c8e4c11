"""A handle of its own for a test: setup() makes one per process, a test needs one per test."""

from pathlib import Path
from typing import Any

from clew_sdk.sdk import Sdk
from clew_sdk.settings import DEFAULT_TRUSTED, GIB, Settings, read_settings

from sdk.tests.backend import Backend


def settings_for(backend: Backend, outbox: Path | None, **changed: Any) -> Settings:
    """Settings that speak to the backend."""
    told = {
        "service": "shop-api",
        "endpoint": backend.url,
        "outbox": outbox,
        "headers": None,
        "trusted_baggage": DEFAULT_TRUSTED,
        "mask": ("user.id",),
        "outbox_limit": GIB,
        "env": {},
    }
    return read_settings(**{**told, **changed})


class Handles:
    """Makes handles and makes stage() use the latest; all are ended with the test."""

    def __init__(self, monkeypatch: Any, provider: Any) -> None:
        self._monkeypatch = monkeypatch
        self._monkeypatch.setattr("clew_sdk.sdk.install_tracing", lambda _: provider)
        self.made: list[Sdk] = []

    def make(self, backend: Backend, outbox: Path | None, **changed: Any) -> Sdk:
        handle = Sdk(settings_for(backend, outbox, **changed))
        self.made.append(handle)
        self._monkeypatch.setattr("clew_sdk.sdk._handle", handle)
        return handle

    def end(self) -> None:
        for handle in self.made:
            handle.shutdown(timeout=1.0)
