"""A RabbitMQ of the test run's own: node name, ports, cookie and data in one temporary directory."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.services.packages import ensure_installed
from tests.services.process import Server, free_port, private_directory, start

SCRIPTS = Path("/usr/lib/rabbitmq/bin")
AMQP_HEADER = b"AMQP\x00\x00\x09\x01"
# Two idle cores are shared with the tests: the emulator must sleep, not spin, while it waits.
QUIET_EMULATOR = "+sbwt none +sbwtdcpu none +sbwtdio none"
ADD_VHOST = """fun(Name) ->
    rabbit_vhost:add(Name, <<"test">>),
    rabbit_auth_backend_internal:set_permissions(<<"guest">>, Name, <<".*">>, <<".*">>, <<".*">>, <<"test">>)
end"""


@dataclass(frozen=True)
class RabbitMQ:
    """A running broker and how to command it."""

    server: Server
    port: int
    environment: dict[str, str]

    def url(self, vhost: str = "") -> str:
        """Where clients connect: the default virtual host unless another is named."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/{vhost}"

    def control(self, *arguments: str) -> str:
        """The output of one rabbitmqctl command."""
        command = [str(SCRIPTS / "rabbitmqctl"), "--quiet", *arguments]
        done = subprocess.run(
            command, env={**os.environ, **self.environment}, check=True, capture_output=True, text=True
        )
        return done.stdout

    def add_vhosts(self, names: Sequence[str]) -> None:
        """Virtual hosts open to the user guest; one command for all of them, as each costs half a second."""
        binaries = ", ".join(f'<<"{name}">>' for name in names)
        self.control("eval", f"lists:foreach({ADD_VHOST}, [{binaries}]).")


def start_rabbitmq() -> RabbitMQ:
    """Installs RabbitMQ where it may and must, and starts it; raises Unavailable with what to do by hand."""
    ensure_installed("RabbitMQ", _scripts, ("rabbitmq-server",))
    directory = private_directory("rabbitmq")
    port, distribution_port, names_port = free_port(), free_port(), free_port()
    environment = _environment(directory, port, distribution_port, names_port)
    epmd = [shutil.which("epmd") or "/usr/bin/epmd", "-address", "127.0.0.1", "-port", str(names_port)]
    server = start(
        "RabbitMQ",
        directory,
        [epmd, [str(SCRIPTS / "rabbitmq-server")]],
        lambda: _speaks_amqp(port),
        environment=environment,
        stop_signal=signal.SIGKILL,  # its data are thrown away, and an orderly stop takes seconds
    )
    return RabbitMQ(server, port, environment)


def _scripts() -> Path | None:
    return SCRIPTS if (SCRIPTS / "rabbitmq-server").exists() else None


def _environment(directory: Path, port: int, distribution_port: int, names_port: int) -> dict[str, str]:
    (directory / "plugins").write_text("[].\n")
    return {
        "HOME": str(directory),
        "ERL_EPMD_PORT": str(names_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"clew-{port}@localhost",
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(distribution_port),
        "RABBITMQ_MNESIA_BASE": str(directory / "data"),
        "RABBITMQ_LOG_BASE": str(directory / "log"),
        "RABBITMQ_PID_FILE": str(directory / "pid"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(directory / "plugins"),
        "RABBITMQ_CONFIG_FILE": str(directory / "rabbitmq"),
        "RABBITMQ_CONF_ENV_FILE": str(directory / "rabbitmq-env.conf"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": QUIET_EMULATOR,
    }


def _speaks_amqp(port: int) -> bool:
    """Whether the broker answers the protocol header with a method frame (type 1), its Connection.Start."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(AMQP_HEADER)
            return connection.recv(1) == b"\x01"
    except OSError:
        return False
