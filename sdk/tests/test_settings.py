"""setup()'s arguments, the OTEL_* variables and the defaults, in this order."""

from pathlib import Path
from typing import Any

import pytest
from clew_sdk.settings import DEFAULT_TRUSTED, GIB, Settings, read_settings


def read(env: dict[str, str] | None = None, **changed: Any) -> Settings:
    told: dict[str, Any] = {
        "service": None,
        "endpoint": None,
        "outbox": "outbox.sqlite",
        "headers": None,
        "trusted_baggage": DEFAULT_TRUSTED,
        "mask": ("user.id",),
        "outbox_limit": GIB,
        "env": env or {},
    }
    return read_settings(**{**told, **changed})


@pytest.mark.parametrize(
    ("endpoint", "env", "traces", "logs"),
    [
        (None, {}, "http://127.0.0.1:4318/v1/traces", "http://127.0.0.1:4318/v1/logs"),
        ("http://clew:4318/", {}, "http://clew:4318/v1/traces", "http://clew:4318/v1/logs"),
        (
            None,
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://clew/base/"},
            "https://clew/base/v1/traces",
            "https://clew/base/v1/logs",
        ),
        (
            None,
            {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "https://logs/in"},
            "http://127.0.0.1:4318/v1/traces",
            "https://logs/in",
        ),
        (
            "http://clew:4318",
            {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "https://logs/in", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://other"},
            "http://clew:4318/v1/traces",
            "http://clew:4318/v1/logs",
        ),
    ],
)
def test_where_telemetry_goes(endpoint: str | None, env: dict[str, str], traces: str, logs: str) -> None:
    settings = read(env, endpoint=endpoint)
    assert (settings.traces_url, settings.logs_url) == (traces, logs)


def test_the_logs_form_of_a_variable_wins() -> None:
    env = {
        "OTEL_EXPORTER_OTLP_TIMEOUT": "10",
        "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT": "2.5",
        "OTEL_EXPORTER_OTLP_CERTIFICATE": "ca.pem",
        "OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE": "logs-ca.pem",
        "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "client.pem",
        "OTEL_EXPORTER_OTLP_CLIENT_KEY": "client.key",
    }
    settings = read(env)
    assert (settings.timeout_s, settings.certificate) == (2.5, "logs-ca.pem")
    assert (settings.client_certificate, settings.client_key) == ("client.pem", "client.key")


def test_an_outbox_may_be_a_path_or_none() -> None:
    assert read(outbox=Path("a") / "b.sqlite").outbox == "a/b.sqlite"
    assert read(outbox=None).outbox is None


@pytest.mark.parametrize(
    ("changed", "env", "message"),
    [
        ({"endpoint": "clew:4317"}, {}, "endpoint 'clew:4317' must be the base URL"),
        ({}, {"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "ftp://clew"}, "'ftp://clew'"),
        ({"mask": ("order.id",)}, {}, "mask must not contain order.id"),
        ({}, {"OTEL_EXPORTER_OTLP_TIMEOUT": "soon"}, "OTEL_EXPORTER_OTLP_TIMEOUT='soon' must be a number"),
        ({"outbox_limit": 100}, {}, "outbox_limit"),
    ],
)
def test_a_setting_that_cannot_work_is_named(changed: dict[str, Any], env: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(env, **changed)
