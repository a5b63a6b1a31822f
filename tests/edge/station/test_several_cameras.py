"""Several cameras in one station: each in its own thread, one engine, and every part accounted for."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from edge.cameras import Frame
from edge.config import StationConfig, load_station
from edge.errors import CameraError
from edge.inspection import Verdict
from edge.station.judging import Judge, Judged
from edge.station.opening import opened_station
from tests.edge.cameras.gige_network import ADDRESSES, GigENetwork
from tests.edge.parts import write_parts
from tests.edge.station.conftest import MakeStation
from tests.edge.station.test_pipeline import recorded

MakeCameras = Callable[..., StationConfig]


@pytest.fixture
def several(make_station: MakeStation, tmp_path: Path) -> MakeCameras:
    """A station with these cameras; keyword arguments are sections of the file."""

    def make(*cameras: dict[str, Any], **sections: Any) -> StationConfig:
        path = make_station(tmp_path)
        content = yaml.safe_load(path.read_text())
        del content["camera"]
        path.write_text(yaml.safe_dump(content | {"cameras": list(cameras)} | sections))
        return load_station(path)

    return make


def test_each_part_of_each_camera_is_inspected_once_and_in_turn(several: MakeCameras, tmp_path: Path) -> None:
    names = {"top": 9, "side": 9, "below": 4}
    for name, count in names.items():
        write_parts(tmp_path / name, good=count)
    config = several(*({"name": name, "kind": "folder", "path": name} for name in names))
    with opened_station(config) as opened:
        counters = opened.run()
    kept = recorded(config)
    assert [one.seq for one in kept] == list(range(1, 23))
    assert counters.total == 22
    for name, count in names.items():
        parts = [one.part_id for one in kept if one.camera == name]
        assert parts == [f"part-{number:03}" for number in range(count)]
    assert Counter(one.camera for one in kept[3:12])["below"] >= 2  # not after the others


def test_one_camera_that_cannot_be_opened_ends_the_start(several: MakeCameras, tmp_path: Path) -> None:
    write_parts(tmp_path / "top", good=1)
    config = several(
        {"name": "top", "kind": "folder", "path": "top", "loop": True},
        {"name": "side", "kind": "folder", "path": "nowhere"},
    )
    with (
        opened_station(config) as opened,
        pytest.raises(CameraError, match=r"Camera side: .* does not exist"),
    ):
        opened.run()


@pytest.mark.netns
def test_four_gige_cameras_get_equal_shares_of_the_engine(
    network: GigENetwork,
    several: MakeCameras,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All four send more than the engine can take, and wait for it: 100 parts a second."""
    quick = Judge.judge

    def slowed(self: Judge, frame: Frame, seq: int = 0, arrived_s: float | None = None) -> Judged:
        time.sleep(0.01)
        return quick(self, frame, seq, arrived_s)

    monkeypatch.setattr(Judge, "judge", slowed)
    cameras = []
    for number, address in enumerate(ADDRESSES):
        network.camera(f"GV0{number}", address)
        cameras.append(
            {
                "name": f"camera-{number}",
                "kind": "gige",
                "device": address,
                "frame_rate_hz": 150,
                "region": {"width": 128, "height": 96},
            }
        )
    config = several(*cameras, queue={"size": 2})
    seen: Counter[str] = Counter()
    there: set[str] = set()

    def count(judged: Judged) -> None:
        inspection = judged.inspection
        if inspection.verdict is Verdict.ERROR:
            return
        there.add(inspection.camera)
        if len(there) == len(cameras):
            seen[inspection.camera] += 1
            if seen.total() >= 400:
                opened.stop()

    with opened_station(config, [count]) as opened:
        counters = opened.run()
    shares = {name: number / seen.total() for name, number in sorted(seen.items())}
    with capsys.disabled():
        print(
            f"\n{counters}; shares of {seen.total()}: "
            + ", ".join(f"{share:.1%}" for share in shares.values())
        )
    assert len(shares) == 4
    assert max(shares.values()) - min(shares.values()) <= 0.05 * 0.25
    kept = recorded(config)
    assert [one.seq for one in kept] == list(range(1, counters.total + 1))
