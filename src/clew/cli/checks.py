"""What ``clew doctor`` looks at: each check says what it found, and what to do when that isn't well."""

from __future__ import annotations

import shutil
import socket
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from clew import __version__
from clew.api.times import SECOND_NS
from clew.cli.screen import counted, long, nanoseconds
from clew.flow import load_flow
from clew.model.errors import FlowError, SettingsError
from clew.settings import Settings, load_settings

_GIB = 1 << 30
_LITTLE_SPACE = 5 * _GIB
_NO_SPACE = _GIB
_CLOCKS_AGREE_S = 2.0
_LAG_S = 10.0
_SILENT_S = 900.0
_TRIES_AGAIN = "see the log of `clew serve`; it tries again by itself"


class Level(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found; ``mend`` says what to do, empty when all is well."""

    level: Level
    subject: str
    told: str
    mend: str = ""


def ok(subject: str, told: str) -> Finding:
    """All is well."""
    return Finding(Level.OK, subject, told)


def warn(subject: str, told: str, mend: str) -> Finding:
    """It works, but something is missing."""
    return Finding(Level.WARN, subject, told, mend)


def bad(subject: str, told: str, mend: str) -> Finding:
    """It doesn't work."""
    return Finding(Level.BAD, subject, told, mend)


def check_python() -> Finding:
    """Whether this Python can run Clew."""
    shown = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < (3, 11) or sys.maxsize < 2**32:
        bits = 64 if sys.maxsize > 2**32 else 32
        return bad("python", f"{shown}, {bits} bit", "use a 64-bit Python 3.11 or newer")
    return ok("python", shown)


def check_engine() -> Finding:
    """Whether the embedded engine is installed."""
    try:
        return ok("engine", f"chdb-core {version('chdb-core')}")
    except PackageNotFoundError:
        return bad("engine", "chdb-core is not installed", "install Clew again; it needs 64-bit Linux")


def read_settings(env: Mapping[str, str]) -> tuple[Finding, Settings | None]:
    """The settings that `clew serve` would use, from ``CLEW_CONFIG`` and the environment."""
    config = env.get("CLEW_CONFIG")
    try:
        settings = load_settings(Path(config) if config else None, env)
    except SettingsError as error:
        return bad("settings", str(error), "mend these values; docs/settings.md explains each"), None
    return ok("settings", f"from {config} and the environment" if config else "defaults and the environment"), settings


def check_directory(data: Path) -> Finding:
    """Whether data can be written."""
    place = next((each for each in (data, *data.absolute().parents) if each.exists()), Path("/"))
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        told = f"{place} can't be written: {error.strerror}"
        return bad("data directory", told, "choose another with --data or CLEW_DATA")
    state = "is there" if data.exists() else "will be made by `clew serve`"
    return ok("data directory", f"{data} {state}")


def check_space(data: Path) -> Finding:
    """Whether there is room."""
    place = next((each for each in (data, *data.absolute().parents) if each.exists()), Path("/"))
    free = shutil.disk_usage(place).free
    told = f"{free / _GIB:.1f} GiB free at {place}"
    if free < _NO_SPACE:
        return bad("disk", told, "make room: the engine stops taking data when the disk is full")
    if free < _LITTLE_SPACE:
        return warn("disk", told, "make room, or shorten retention.spans; 10 million spans take about half a GiB")
    return ok("disk", told)


def check_flows(settings: Settings) -> Iterator[Finding]:
    """Whether the flow files that the settings name are right."""
    for path in settings.flow:
        try:
            flow = load_flow(path)
        except FlowError as error:
            yield bad("flow", str(error).splitlines()[0], f"see every mistake with `clew flow check {path}`")
        else:
            yield ok("flow", f"{path} declares {flow.name}, {len(flow.stages)} stages")


def check_ports(settings: Settings) -> Iterator[Finding]:
    """Whether the ports are free; only asked when no Clew answers."""
    for key, address in (
        ("otlp.grpc", settings.otlp_grpc),
        ("otlp.http", settings.otlp_http),
        ("api.listen", settings.api_listen),
    ):
        try:
            socket.create_server((address.host, address.port)).close()
        except OSError as error:
            mend = f"stop what uses it, or set {key}"
            yield bad("port", f"{address} can't be opened: {error.strerror or error}", mend)
        else:
            yield ok("port", f"{address} is free for {key}")


def check_status(status: Mapping[str, Any], now_ns: int) -> Iterator[Finding]:
    """What a running Clew says of itself."""
    if status["version"] != __version__:
        told = f"the server is Clew {status['version']}, this command is {__version__}"
        yield warn("version", told, "use the same version for both")
    if status["problem"]:
        yield bad("server", status["problem"], "see the log of `clew serve`")
    if status["upkeep_problem"]:
        yield warn("upkeep", status["upkeep_problem"], "see the log of `clew serve`; it tries again every few seconds")
    apart_s = abs(nanoseconds(status["now"]) - now_ns) / SECOND_NS
    if apart_s > _CLOCKS_AGREE_S:
        yield warn("clock", f"the server's clock is {long(apart_s)} off this machine's", "run NTP on both")
    else:
        yield ok("clock", "agrees with the server's")
    ticker = status["ticker"]
    if ticker and ticker["lag_s"] > _LAG_S:
        told = f"what arrived in the last {long(ticker['lag_s'])} is not in the journeys yet"
        yield warn("journeys", told, "see whether the machine is overloaded; the log of `clew serve` may say more")
    ingest = status["ingest"]
    if ingest and ingest["refused"]:
        mend = "senders repeat these; if it goes on, raise otlp.memory or give Clew more cores"
        refused = f"{counted(ingest['refused'], 'request')} {'was' if ingest['refused'] == 1 else 'were'} refused"
        yield warn("ingest", f"{refused}, {ingest['requests']:,} taken", mend)


def check_watching(status: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether rules watch, people are told, and automated actions may begin."""
    watching = status.get("watching")
    if watching is None:
        return
    yield from _check_rules(watching)
    if watching.get("untold"):
        yield bad("channels", watching["untold"], _TRIES_AGAIN)
    for name, why in watching["troubles"].items():
        yield bad("channel", f"{name} can't be told: {why}", f"mend it, and try it: clew notify test {name}")
    if not watching["channels"]:
        mend = "name a file by the setting notify; `clew notify example` prints one"
        yield warn("channels", "nobody is told of incidents but who looks", mend)
    elif not watching["troubles"] and not watching.get("untold"):
        yield ok("channels", f"{counted(watching['channels'], 'channel')}, none in trouble")
    if watching["reactions_stopped_by"] is not None:
        told = f"stopped by {watching['reactions_stopped_by']}: none begins"
        yield warn("reactions", told, "let them begin again: clew reactions go")


def _check_rules(watching: Mapping[str, Any]) -> Iterator[Finding]:
    """Whether all rules look."""
    rules, failing = watching["rules"], watching.get("failing", {})
    if not rules:
        mend = "name a file of rules by the setting rules, or leave it out for those that ship"
        yield warn("rules", "none watch", mend)
    elif watching.get("unwatched"):
        yield bad("rules", watching["unwatched"], _TRIES_AGAIN)
    elif watching.get("catching_up"):
        yield warn("rules", watching["catching_up"], "wait: they look again by themselves")
    elif not failing:
        yield ok("rules", f"{counted(rules, 'rule')} {'watches' if rules == 1 else 'watch'}")
    for name, why in failing.items():
        yield bad("rule", f"{name} can't look: {why}", _TRIES_AGAIN)


def check_telemetry(status: Mapping[str, Any], flow_services: set[str], now_ns: int) -> Iterator[Finding]:
    """What services sent in the last 24 hours, and whether Clew can follow orders by it."""
    seen: Mapping[str, Any] = status["services"]
    if not seen:
        mend = (
            "send OTLP to the address that `clew serve` prints, by OTEL_EXPORTER_OTLP_ENDPOINT "
            "(http://127.0.0.1:4318 unless otlp.http says otherwise); docs/ says how for each language"
        )
        yield warn("telemetry", "nothing came in the last 24 h", mend)
    for service, told in sorted(seen.items()):
        yield _check_service(service, told, now_ns)
    for service in sorted(flow_services - seen.keys()):
        mend = "instrument it, or correct the name of the service in the flow (it is the resource's service.name)"
        yield warn(service, "in the flow, but it sent nothing in the last 24 h", mend)
    if status["orders_without_stage"]:
        mend = "send stage events (order.stage), or declare rules in the flow that derive stages from spans"
        orders = status["orders_without_stage"]
        told = f"{counted(orders, 'open order')} {'was' if orders == 1 else 'were'} never seen in a stage"
        yield warn("orders", told, mend)


def check_stages(status: Mapping[str, Any]) -> Iterator[Finding]:
    """Stages that services tell of and the flow doesn't know: often a mistyped one."""
    for each in status["unknown_stages"]:
        by = f", from {', '.join(each['services'])}" if each["services"] else ""
        told = f"stage {each['stage']} isn't in flow {each['flow']} ({counted(each['orders'], 'open order')}{by})"
        yield warn("stage", told, "correct its name where it is sent, or declare or accept it in the flow")


def _check_service(service: str, told: Mapping[str, Any], now_ns: int) -> Finding:
    silent_s = (now_ns - nanoseconds(told["last_seen_at"])) / SECOND_NS
    named = told["spans_with_order"]
    shown = f"{counted(told['spans'], 'span')} in 24 h, {named} {'names' if named == 1 else 'name'} an order"
    if not told["spans"]:
        shown = f"{_sent_instead(told)}, no spans (traces show nothing of its requests)"
    if silent_s > _SILENT_S:
        return warn(service, f"{shown}; silent for {long(silent_s)}", "see whether it runs and can reach Clew")
    if not told["spans"] and not told["stage_events"]:
        return warn(service, shown, "instrument its requests, or send stage events")
    if told["spans"] and not named:
        mend = "set the attribute order.id on its spans; without it they belong to an order only by their trace"
        return warn(service, shown, mend)
    return ok(service, shown)


def _sent_instead(told: Mapping[str, Any]) -> str:
    """What a service without spans sent in the last 24 hours."""
    if told["stage_events"]:
        return f"{counted(told['stage_events'], 'stage event')} in 24 h"
    return f"{counted(told['logs'], 'log record')} in 24 h"
