"""A product that is really enrolled, and stations around it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge.bundle import Bundle
from edge.config import StationConfig, load_station
from edge.station.products import Products
from edge.vision.enrollment import enroll
from edge.vision.openvino import OpenVinoEngine
from tests.edge.messaging.brokers import Mosquitto
from tests.edge.parts import good_part, write_parts

PRODUCT = "plate"

MakeStation = Callable[..., Path]
"""Writes a station file for a folder of parts; keyword arguments are sections of the file."""


@pytest.fixture(scope="session")
def enrolled(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Bundle) -> Path:
    """A data folder with one product, learned by the tiny bundle."""
    return enrolled_with(tiny_bundle, tmp_path_factory.mktemp("enrolled"))


@pytest.fixture(scope="session")
def speaking_enrolled(tmp_path_factory: pytest.TempPathFactory, speaking_bundle: Bundle) -> Path:
    """The same, learned by the bundle that has a language half."""
    return enrolled_with(speaking_bundle, tmp_path_factory.mktemp("speaking-enrolled"))


def enrolled_with(bundle: Bundle, data_dir: Path) -> Path:
    """Learns the product in ``data_dir``."""
    engine = OpenVinoEngine(bundle, threads=1)
    Products(data_dir).enroll(
        PRODUCT,
        [good_part(number) for number in range(3)],
        lambda images: enroll(engine, images, bundle_id=bundle.id),
        "a bright disc on a dark plate",
    )
    engine.close()
    return data_dir


@pytest.fixture
def make_station(tmp_path: Path, enrolled: Path, tiny_bundle: Bundle) -> MakeStation:
    """See :data:`MakeStation`; each test has a data folder of its own. The calibrated score decides."""
    return station_maker(tmp_path, enrolled, tiny_bundle, verdict={"decided_by": "calibration"})


@pytest.fixture
def make_speaking_station(tmp_path: Path, speaking_enrolled: Path, speaking_bundle: Bundle) -> MakeStation:
    """The same with a language model, which decides and has all the time that a busy machine needs."""
    sections = {"verdict": {"timeout_s": 60}, "language": {"threads": 1}}
    return station_maker(tmp_path, speaking_enrolled, speaking_bundle, **sections)


def station_maker(tmp_path: Path, enrolled: Path, bundle: Bundle, **usual: Any) -> MakeStation:
    """Makes stations in ``tmp_path`` with the sections ``usual`` where a test gives no others."""
    data_dir = tmp_path / "data"
    shutil.copytree(enrolled, data_dir)

    def make(parts: Path, camera: dict[str, Any] | None = None, **sections: Any) -> Path:
        path = tmp_path / "station.yaml"
        content = {
            "station": {"site": "plant", "line": "a", "name": "cell-3"},
            "product": PRODUCT,
            "bundle": str(bundle.path),
            "data_dir": str(data_dir),
            "camera": {"kind": "folder", "path": str(parts), **(camera or {})},
            # The test machine's disk may be fuller than a station's should be.
            "records": {"min_free_gb": 0},
        }
        path.write_text(yaml.safe_dump(content | usual | sections))
        return path

    return make


@pytest.fixture
def station(make_station: MakeStation) -> Callable[..., StationConfig]:
    """As ``make_station``, read back."""
    return lambda parts, **sections: load_station(make_station(parts, **sections))


@pytest.fixture
def speaking_station(make_speaking_station: MakeStation) -> Callable[..., StationConfig]:
    """As ``make_speaking_station``, read back."""
    return lambda parts, **sections: load_station(make_speaking_station(parts, **sections))


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path / "broker") as broker:
        yield broker


@pytest.fixture
def rate_hz() -> float:
    """Of the parts of :func:`looping`; a module that needs another rate overrides it."""
    return 25


@pytest.fixture
def looping(make_station: MakeStation, tmp_path: Path, broker: Mosquitto, rate_hz: float) -> Path:
    """A station with a real broker that goes on until it is stopped."""
    write_parts(tmp_path / "parts", good=2, stained=1)
    return make_station(
        tmp_path / "parts",
        camera={"loop": True, "rate_hz": rate_hz},
        messaging={
            "brokers": [{"host": "127.0.0.1", "port": broker.port}],
            "retry_min_s": 0.1,
            "retry_max_s": 0.2,
        },
    )
