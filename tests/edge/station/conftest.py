"""A product that is really enrolled, and stations around it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge.bundle import Bundle
from edge.config import StationConfig, load_station
from edge.station.products import Products
from edge.vision.enrollment import enroll
from edge.vision.openvino import OpenVinoEngine
from tests.edge.parts import good_part

PRODUCT = "plate"

MakeStation = Callable[..., Path]
"""Writes a station file for a folder of parts; keyword arguments are sections of the file."""


@pytest.fixture(scope="session")
def enrolled(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Bundle) -> Path:
    """A data folder with one product, learned by the tiny bundle."""
    data_dir = tmp_path_factory.mktemp("enrolled")
    engine = OpenVinoEngine(tiny_bundle)
    Products(data_dir).enroll(
        PRODUCT,
        [good_part(number) for number in range(3)],
        lambda images: enroll(engine, images, bundle_id=tiny_bundle.id),
    )
    engine.close()
    return data_dir


@pytest.fixture
def make_station(tmp_path: Path, enrolled: Path, tiny_bundle: Bundle) -> MakeStation:
    """See :data:`MakeStation`; each test has a data folder of its own."""
    data_dir = tmp_path / "data"
    shutil.copytree(enrolled, data_dir)

    def make(parts: Path, camera: dict[str, Any] | None = None, **sections: Any) -> Path:
        path = tmp_path / "station.yaml"
        content = {
            "station": {"site": "plant", "line": "a", "name": "cell-3"},
            "product": PRODUCT,
            "bundle": str(tiny_bundle.path),
            "data_dir": str(data_dir),
            "camera": {"kind": "folder", "path": str(parts), **(camera or {})},
            # The test machine's disk may be fuller than a station's should be.
            "records": {"min_free_gb": 0},
        }
        path.write_text(yaml.safe_dump(content | sections))
        return path

    return make


@pytest.fixture
def station(make_station: MakeStation) -> Callable[..., StationConfig]:
    """As ``make_station``, read back."""
    return lambda parts, **sections: load_station(make_station(parts, **sections))
