"""Settings: one YAML file, ``CLEW_*`` variables over it, defaults under it; read once into a frozen value.

The variable of a key is its dotted name in capitals with underscores: ``otlp.http`` is ``CLEW_OTLP_HTTP``.
A wrong value stops the start; the message names every wrong key with its value and the mend.
"""

from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from clew.flow.durations import UNITS_NS, parse_duration
from clew.flow.nodes import Reader
from clew.model.errors import Problem, SettingsError
from clew.model.secret import Secret

_SIZES = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


@dataclass(frozen=True, slots=True)
class Address:
    """A host and a port to listen on; port 0 takes a free one."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        """``host:port``."""
        return f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a user may set. Sizes are bytes; days of 0 keep for ever."""

    data: Path = Path("clew-data")
    flow: tuple[Path, ...] = ()
    rules: Path | None = None
    notify: Path | None = None
    reactions: Path | None = None
    control_url: Secret = field(default_factory=lambda: Secret(""))
    otlp_http: Address = Address("127.0.0.1", 4318)
    otlp_grpc: Address = Address("127.0.0.1", 4317)
    otlp_memory: int = 64 << 20
    otlp_max_request: int = 64 << 20
    api_listen: Address = Address("127.0.0.1", 4380)
    api_public_url: str = ""
    api_hosts: tuple[str, ...] = ()
    allow_plain: bool = False
    encryption_key: Secret = field(default_factory=lambda: Secret(""))
    retention_spans_days: int = 30
    retention_events_days: int = 400
    retention_figures_days: int = 400
    masking_removed: tuple[str, ...] | None = None
    masking_shortened: tuple[str, ...] | None = None
    masking_urls: tuple[str, ...] | None = None
    engine_memory: int = 1_000_000_000
    log_level: str = "info"


def parse_address(text: str) -> Address:
    """``host:port``, ``[::1]:port`` or a port alone (on loopback). Raises ValueError with the mend."""
    host, _, port = text.rpartition(":")
    if not re.fullmatch(r"[0-9]{1,5}", port) or int(port) > 65535:
        raise ValueError("write host:port, for example 127.0.0.1:4318")
    return Address(host.strip("[]") or "127.0.0.1", int(port))


def parse_size(text: str) -> int:
    """Bytes of ``64MiB``, ``1GiB``, ``500KiB`` or a plain number. Raises ValueError with the mend."""
    match = re.fullmatch(r"([0-9]{1,15}) ?(B|KiB|MiB|GiB)?", text)
    if match is None:
        raise ValueError("write a size such as 64MiB or 1GiB")
    return int(match.group(1)) * _SIZES[match.group(2) or ""]


def _at_least(least: int, parse: Callable[[str], int]) -> Callable[[str], int]:
    def parse_bounded(text: str) -> int:
        if (size := parse(text)) < least:
            raise ValueError(f"must be at least {least >> 20} MiB")
        return size

    return parse_bounded


def _days(text: str) -> int:
    if text in {"0", "never"}:
        return 0
    try:
        length_ns = parse_duration(text)
    except ValueError as error:
        raise ValueError("write days such as 30d, or never") from error
    if length_ns % UNITS_NS["d"]:
        raise ValueError("write whole days such as 30d")
    return length_ns // UNITS_NS["d"]


def _flag(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise ValueError("write true or false")
    return text.lower() == "true"


def _site(text: str) -> str:
    if not re.fullmatch(r"https?://[^\s/?#@]+(/[^\s?#]*)?", text):
        raise ValueError("write the address as a browser asks for it, such as https://clew.example.org")
    return text.rstrip("/")


def _level(text: str) -> str:
    if text.lower() not in {"debug", "info", "warning", "error"}:
        raise ValueError("write debug, info, warning or error")
    return text.lower()


def _key(text: str) -> Secret:
    # An empty one is no wish for no encryption: it is a secret that nobody filled in.
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise ValueError("must be 64 hexadecimal digits (AES-256); make a key with: openssl rand -hex 32")
    return Secret(text.lower())


def _database(text: str) -> Secret:
    if not re.match(r"postgresql(\+psycopg)?://", text):
        raise ValueError(
            "write postgresql://user:password@host/database, or leave it out: SQLite in the data directory"
        )
    return Secret(text)


def _in_file(parse: Callable[[str], Secret]) -> Callable[[str], Secret]:
    def read(text: str) -> Secret:
        try:
            return parse(Path(text).read_text(encoding="utf-8").strip())
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"can't be read: {error}") from error

    return read


def _names(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (part.strip() for part in text.split(","))))


def _hosts(text: str) -> tuple[str, ...]:
    hosts = _names(text)
    if not all(re.fullmatch(r"[\w-]+(\.[\w-]+)*|[0-9a-fA-F:.]*::?[0-9a-fA-F:.]*", each, re.ASCII) for each in hosts):
        raise ValueError("write names or addresses alone, without port, such as clew.example.org, 10.0.0.7")
    return hosts


def _paths(text: str) -> tuple[Path, ...]:
    return tuple(map(Path, _names(text)))


_KEYS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "data": ("data", Path),
    "flow": ("flow", _paths),
    "rules": ("rules", Path),
    "notify": ("notify", Path),
    "reactions": ("reactions", Path),
    "control.url": ("control_url", _database),
    "control.url_file": ("control_url", _in_file(_database)),
    "otlp.http": ("otlp_http", parse_address),
    "otlp.grpc": ("otlp_grpc", parse_address),
    "otlp.memory": ("otlp_memory", _at_least(1 << 20, parse_size)),
    "otlp.max_request": ("otlp_max_request", _at_least(1 << 20, parse_size)),
    "api.listen": ("api_listen", parse_address),
    "api.public_url": ("api_public_url", _site),
    "api.hosts": ("api_hosts", _hosts),
    "allow_plain": ("allow_plain", _flag),
    "encryption.key": ("encryption_key", _key),
    "encryption.key_file": ("encryption_key", _in_file(_key)),
    "retention.spans": ("retention_spans_days", _days),
    "retention.events": ("retention_events_days", _days),
    "retention.figures": ("retention_figures_days", _days),
    "masking.removed": ("masking_removed", _names),
    "masking.shortened": ("masking_shortened", _names),
    "masking.urls": ("masking_urls", _names),
    "engine.memory": ("engine_memory", _at_least(256 << 20, parse_size)),
    "log.level": ("log_level", _level),
}
# Files that need not be there: an empty one is not set.
_FILE_KEYS = {"flow", "rules", "notify", "reactions"}
# A secret, and the key by which a file that holds it is named instead.
_SECRET_KEYS = {"encryption.key": "encryption.key_file", "control.url": "control.url_file"}


def variable_of(key: str) -> str:
    """The environment variable of a dotted key."""
    return "CLEW_" + key.upper().replace(".", "_")


def load_settings(path: Path | None, env: Mapping[str, str], overrides: Mapping[str, str] | None = None) -> Settings:
    """Settings from a file (None: no file), the environment over it and the command line's values over both.

    Raises SettingsError that lists every mistake with key, value and mend.
    """
    reader = Reader()
    texts = _from_file(path, reader) if path else {}
    texts |= _from_env(env, reader)
    texts |= overrides or {}
    found: dict[str, Any] = {}
    for key, text in texts.items():
        if not text and key in _FILE_KEYS:
            continue  # an empty path would be the folder itself
        name, parse = _KEYS[key]
        try:
            found[name] = parse(text)
        except ValueError as error:
            shown = "…" if key in _SECRET_KEYS else repr(text)
            reader.report(key, f"{key} = {shown}", str(error))
    for secret, file in _SECRET_KEYS.items():
        if texts.keys() >= {secret, file}:
            reader.report(file, f"{secret} and {file} are both set", "set one of them")
    settings = Settings(**found)
    _check_plain(settings, reader)
    if reader.problems:
        raise SettingsError(_message(path, reader.problems))
    return settings


def _from_file(path: Path, reader: Reader) -> dict[str, str]:
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise SettingsError(f"can't read the settings file {path}: {error.strerror}; check --config") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not YAML: {error}") from error
    texts: dict[str, str] = {}
    groups = {key.split(".")[0] for key in _KEYS}
    for group, node in reader.mapping(root, "", sorted(groups)).items() if root else ():
        if group in _KEYS:
            texts[group] = _scalar(node, group, reader)
            continue
        known = [key.split(".")[1] for key in _KEYS if key.startswith(f"{group}.")]
        for name, inner in reader.mapping(node, group, known).items():
            texts[f"{group}.{name}"] = _scalar(inner, f"{group}.{name}", reader)
    return texts


def _scalar(node: yaml.Node, key: str, reader: Reader) -> str:
    if isinstance(node, yaml.SequenceNode):
        return ",".join(reader.texts(node, key))
    return reader.text(node, key)


def _from_env(env: Mapping[str, str], reader: Reader) -> dict[str, str]:
    variables = {variable_of(key): key for key in _KEYS}
    for name in sorted(env):
        if name.startswith("CLEW_") and name not in variables and name not in _OTHER_VARIABLES:
            reader.report(name, f"unknown variable {name}", f"known here: {', '.join(sorted(variables))}")
    return {key: env[name] for name, key in variables.items() if name in env}


_OTHER_VARIABLES = {"CLEW_URL", "CLEW_CONFIG", "CLEW_ENGINE_KEY"}


def _check_plain(settings: Settings, reader: Reader) -> None:
    for key in ("otlp.http", "otlp.grpc", "api.listen"):
        address: Address = getattr(settings, _KEYS[key][0])
        if not address.loopback and not settings.allow_plain:
            reader.report(
                key,
                f"{key} = '{address}' would take unencrypted connections from other machines",
                "listen on 127.0.0.1 behind a TLS proxy or Collector, or set allow_plain: true in a trusted network",
            )


def _message(path: Path | None, problems: list[Problem]) -> str:
    lines = []
    for problem in problems:
        place = f"{path}:{problem.line}: " if path and problem.line > 1 else ""
        lines.append(f"  {place}{problem.cause}; {problem.mend}" if problem.mend else f"  {place}{problem.cause}")
    return "these settings are wrong:\n" + "\n".join(lines)


def log_level(settings: Settings) -> int:
    """The level for the logging module."""
    return int(getattr(logging, settings.log_level.upper()))
