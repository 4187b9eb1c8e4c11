"""What several tests of channels need."""

import subprocess

import pytest

from tests.notify.channels.house import House


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    """A certificate of localhost that signs itself, and its key."""
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost", "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture
def house(tmp_path):
    made = House(tmp_path)
    yield made
    made.end()
    made.database.close()
