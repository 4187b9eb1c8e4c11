"""A PostgreSQL of the test run's own: cluster, socket and port in one temporary directory, durable as by default."""

import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from tests.services.packages import ensure_installed
from tests.services.process import Server, free_port, private_directory, start

INSTALLED = Path("/usr/lib/postgresql")


@dataclass(frozen=True)
class Postgres:
    """A running PostgreSQL with one superuser, `clew`, who needs no password on loopback."""

    server: Server
    port: int

    def dsn(self, database: str = "postgres") -> str:
        """Where clients connect."""
        return f"postgresql://clew@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str) -> None:
        """An empty database."""
        self._run(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def drop_database(self, name: str) -> None:
        """Gone, with every connection to it."""
        self._run(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _run(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(statement)


def start_postgres() -> Postgres:
    """Installs PostgreSQL where it may and must, and starts it; raises Unavailable with what to do by hand."""
    programs = ensure_installed("PostgreSQL", _newest_programs, ("postgresql",))
    user = "postgres" if os.geteuid() == 0 else None  # the server refuses to run as root
    directory, port = private_directory("postgres", user), free_port()
    _make_cluster(programs, directory, user)
    command = [str(programs / "postgres"), "-D", "data", "-p", str(port), "-h", "127.0.0.1", "-k", str(directory)]
    server = start("PostgreSQL", directory, [command], lambda: _answers(port), user=user, stop_signal=signal.SIGINT)
    return Postgres(server, port)


def _newest_programs() -> Path | None:
    found = [path.parent for path in INSTALLED.glob("*/bin/initdb")]
    return max(found, key=lambda path: int(path.parent.name), default=None)


def _make_cluster(programs: Path, directory: Path, user: str | None) -> None:
    command = [str(programs / "initdb"), "-D", "data", "-U", "clew", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"]
    done = subprocess.run(
        [*command, "--no-sync"],
        cwd=directory,
        user=user,
        group=user,
        extra_groups=[] if user else None,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        shutil.rmtree(directory)
        raise RuntimeError(f"initdb failed: {done.stderr[-2000:]}")


def _answers(port: int) -> bool:
    try:
        psycopg.connect(host="127.0.0.1", port=port, user="clew", dbname="postgres", connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
