"""What the tests of the vision path share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from edge.bundle import Bundle
from edge.vision.openvino import OpenVinoEngine


@pytest.fixture(scope="module")
def engine(tiny_bundle: Bundle) -> Iterator[OpenVinoEngine]:
    """Of the tiny bundle; a module that needs another one overrides it."""
    engine = OpenVinoEngine(tiny_bundle, "fp32", threads=1)
    yield engine
    engine.close()
