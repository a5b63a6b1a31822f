"""The network that the GigE Vision tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.edge.cameras.gige_network import GigENetwork, inside, need_gige_peers


@pytest.fixture(scope="session")
def cable() -> Iterator[GigENetwork]:
    """The two namespaces, made once."""
    need_gige_peers()
    network = GigENetwork()
    try:
        network.build()
        yield network
    finally:
        network.remove()


@pytest.fixture
def network(cable: GigENetwork) -> Iterator[GigENetwork]:
    """The network, with the test inside its station's end and no camera on it yet."""
    with inside(cable.station):
        yield cable
    cable.clear()
