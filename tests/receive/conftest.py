import pytest

from tests.receive.otlp import GrpcClient, HttpClient
from tests.receive.serving import RealServer


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """The receiver over the real embedded store."""
    real = RealServer(tmp_path_factory.mktemp("receive"))
    yield real
    assert real.close() == 0


@pytest.fixture
def http(server):
    client = HttpClient(server.http)
    yield client
    client.close()


@pytest.fixture
def grpc(server):
    client = GrpcClient(server.grpc)
    yield client
    client.close()
