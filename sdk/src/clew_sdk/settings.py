"""What setup() was told, completed from the standard OTEL_* variables, as one frozen value."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from opentelemetry.util.re import parse_env_headers

DEFAULT_ENDPOINT = "http://127.0.0.1:4318"
DEFAULT_TRUSTED = ("order.id", "user.id", "order.path")
GIB = 1 << 30
SMALLEST_OUTBOX = 64 << 10


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one process. ``service`` None: the SDK finds the name. ``outbox_limit`` is in bytes."""

    service: str | None
    disabled: bool
    traces_url: str
    logs_url: str
    outbox: str | None
    headers: Mapping[str, str]
    logs_headers: Mapping[str, str]
    trusted_baggage: frozenset[str]
    mask: frozenset[str]
    timeout_s: float
    gzip: bool
    certificate: str | None
    client_certificate: str | None
    client_key: str | None
    outbox_limit: int


def read_settings(
    service: str | None,
    endpoint: str | None,
    outbox: str | os.PathLike[str] | None,
    headers: Mapping[str, str] | None,
    trusted_baggage: tuple[str, ...],
    mask: tuple[str, ...],
    outbox_limit: int,
    env: Mapping[str, str] = os.environ,
) -> Settings:
    """Arguments first, then the OTEL_* variables, then defaults.

    Raises ValueError for a value that can't work: the message names the setting and the mend.
    """
    base = (endpoint or env.get("OTEL_EXPORTER_OTLP_ENDPOINT") or DEFAULT_ENDPOINT).rstrip("/")
    traces_url, logs_url = _url("traces", endpoint, base, env), _url("logs", endpoint, base, env)
    for url in (base, traces_url, logs_url):
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"endpoint {url!r} must be the base URL of OTLP/HTTP, like {DEFAULT_ENDPOINT}")
    if "order.id" in mask:
        raise ValueError("mask must not contain order.id: Clew could not tell the orders apart")
    if outbox_limit < SMALLEST_OUTBOX:
        raise ValueError(f"outbox_limit={outbox_limit} must be at least {SMALLEST_OUTBOX} bytes")
    return Settings(
        service=service,
        disabled=env.get("OTEL_SDK_DISABLED", "").strip().lower() == "true",
        traces_url=traces_url,
        logs_url=logs_url,
        outbox=os.fspath(outbox) if outbox is not None else None,
        headers=dict(headers or {}),
        logs_headers=dict(parse_env_headers(_of_logs("HEADERS", env) or "", liberal=True)),
        trusted_baggage=frozenset(trusted_baggage),
        mask=frozenset(mask),
        timeout_s=_timeout(env),
        gzip=_of_logs("COMPRESSION", env) == "gzip",
        certificate=_of_logs("CERTIFICATE", env),
        client_certificate=_of_logs("CLIENT_CERTIFICATE", env),
        client_key=_of_logs("CLIENT_KEY", env),
        outbox_limit=outbox_limit,
    )


def _url(signal: str, argument: str | None, base: str, env: Mapping[str, str]) -> str:
    own = env.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT")
    return own if own and argument is None else f"{base}/v1/{signal}"


def _of_logs(name: str, env: Mapping[str, str]) -> str | None:
    return env.get(f"OTEL_EXPORTER_OTLP_LOGS_{name}") or env.get(f"OTEL_EXPORTER_OTLP_{name}") or None


def _timeout(env: Mapping[str, str]) -> float:
    text = _of_logs("TIMEOUT", env) or "10"
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"OTEL_EXPORTER_OTLP_TIMEOUT={text!r} must be a number of seconds") from None
