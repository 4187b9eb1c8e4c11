"""The engine's server settings, written beside the data: memory, caches, backups and the encrypted disk."""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.sax.saxutils import escape

from clew.model.errors import SettingsError

KEY_VARIABLE = "CLEW_ENGINE_KEY"
ENCRYPTED_DISK = "sealed"

_CACHES = {
    "mark_cache_size": 64 << 20,
    "primary_index_cache_size": 64 << 20,
    "index_mark_cache_size": 32 << 20,
    "query_condition_cache_size": 16 << 20,
    "uncompressed_cache_size": 0,
}


@dataclass(frozen=True, slots=True)
class EngineLimits:
    """Memory the engine may use, in bytes; a statement over it fails instead of the process."""

    memory: int = 1_000_000_000
    background_threads: int = 2


def check_key(key: str) -> str:
    """The key in lower case. Raises SettingsError unless it is 64 hex digits (AES-256)."""
    if not re.fullmatch(r"[0-9a-fA-F]{64}", key):
        raise SettingsError(
            "encryption.key must be 64 hexadecimal digits (256 bits); make one with: openssl rand -hex 32"
        )
    return key.lower()


def engine_config(data: str, limits: EngineLimits, encrypted: bool) -> str:
    """The engine's XML config for a data directory. The key itself stays in the environment (``KEY_VARIABLE``)."""
    caches = "".join(f"<{name}>{size}</{name}>" for name, size in _CACHES.items())
    disks = ""
    if encrypted:
        disks = (
            "<storage_configuration><disks>"
            f"<plain><type>local</type><path>{escape(data)}/sealed/</path></plain>"
            f"<{ENCRYPTED_DISK}><type>encrypted</type><disk>plain</disk><path>aes/</path>"
            f'<algorithm>AES_256_CTR</algorithm><key_hex from_env="{KEY_VARIABLE}"/></{ENCRYPTED_DISK}>'
            "</disks></storage_configuration>"
        )
    return (
        "<clickhouse>"
        f"<max_server_memory_usage>{limits.memory}</max_server_memory_usage>"
        f"<background_pool_size>{limits.background_threads}</background_pool_size>"
        f"<merge_tree><number_of_free_entries_in_pool_to_execute_mutation>1</number_of_free_entries_in_pool_to_execute_mutation>"
        f"<number_of_free_entries_in_pool_to_lower_max_size_of_merge>1</number_of_free_entries_in_pool_to_lower_max_size_of_merge></merge_tree>"
        f"{caches}<timezone>UTC</timezone>"
        f"<backups><allowed_path>{escape(data)}/backups/</allowed_path></backups>{disks}"
        "</clickhouse>"
    )
