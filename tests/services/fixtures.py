"""Fixtures of real servers, each started when a test first asks for it and stopped with the run.

Every test process has servers of its own, so several runs on one machine do not meet.
"""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from tests.services.node import install_node_modules
from tests.services.packages import Unavailable
from tests.services.postgres import Postgres, start_postgres
from tests.services.rabbitmq import RabbitMQ, start_rabbitmq

VHOSTS_AT_ONCE = 8

Got = TypeVar("Got")


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMQ]:
    """A running broker, for tests that also command it."""
    broker = _or_skip(start_rabbitmq)
    yield broker
    broker.server.stop()


@pytest.fixture(scope="session")
def rabbitmq_url(rabbitmq: RabbitMQ) -> str:
    """The broker's default virtual host, shared by all tests."""
    return rabbitmq.url()


@pytest.fixture(scope="session")
def rabbitmq_vhosts(rabbitmq: RabbitMQ) -> Iterator[str]:
    """Names of virtual hosts that nobody has used."""
    return _fresh_vhosts(rabbitmq)


@pytest.fixture
def rabbitmq_vhost_url(rabbitmq: RabbitMQ, rabbitmq_vhosts: Iterator[str]) -> str:
    """A virtual host of this test alone."""
    return rabbitmq.url(next(rabbitmq_vhosts))


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A running PostgreSQL, for tests that also make databases."""
    server = _or_skip(start_postgres)
    yield server
    server.server.stop()


@pytest.fixture(scope="session")
def postgres_dsn(postgres: Postgres) -> str:
    """The server's maintenance database, shared by all tests."""
    return postgres.dsn()


@pytest.fixture(scope="session")
def postgres_database_names() -> Iterator[str]:
    """Names of databases that nobody has used."""
    return (f"test_{number}" for number in itertools.count(1))


@pytest.fixture
def postgres_database(postgres: Postgres, postgres_database_names: Iterator[str]) -> Iterator[str]:
    """The address of an empty database of this test alone."""
    name = next(postgres_database_names)
    postgres.create_database(name)
    yield postgres.dsn(name)
    postgres.drop_database(name)


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """tests/node/node_modules with the real exporters; scripts in tests/node import from it."""
    return _or_skip(install_node_modules)


def _fresh_vhosts(broker: RabbitMQ) -> Iterator[str]:
    for first in itertools.count(1, VHOSTS_AT_ONCE):
        names = [f"test-{number}" for number in range(first, first + VHOSTS_AT_ONCE)]
        broker.add_vhosts(names)
        yield from names


def _or_skip(get: Callable[[], Got]) -> Got:
    try:
        return get()
    except Unavailable as missing:
        pytest.skip(str(missing))
