"""A server as users get it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from servers import running

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))  # builders, shared by all tests


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Its address."""
    with running() as server:
        yield server.address


@pytest.fixture(scope="module")
def channel(address: str) -> Iterator[grpc.Channel]:
    """A bare channel to it."""
    with grpc.insecure_channel(address) as opened:
        yield opened
