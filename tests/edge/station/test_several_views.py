"""Several views make a part: one inspection, the worst view's verdict, and what each of them says."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest
import yaml

from edge.bundle import Bundle
from edge.cameras.live import LiveCamera
from edge.config import StationConfig, load_station
from edge.errors import ProductError
from edge.inspection import Inspection, Verdict
from edge.messaging import ReplyCode
from edge.station.opening import opened_station
from edge.station.products import Products
from edge.vision.enrollment import enroll
from edge.vision.openvino import OpenVinoEngine
from edge.vision.view import WHOLE_FRAME, View
from tests.edge.cameras.gige_network import ADDRESSES, GigENetwork
from tests.edge.messaging.brokers import wait_until
from tests.edge.parts import good_part, stained_part, write_parts
from tests.edge.station.conftest import MakeStation, station_maker
from tests.edge.station.test_commands import Commander, commanded, plc
from tests.edge.station.test_pipeline import recorded
from tests.edge.station.test_right_part import LineCamera

__all__ = ["plc"]

MakeCameras = Callable[..., StationConfig]
LOWER_RIGHT = View((96, 128), roi=(64, 48, 48, 40))


@pytest.fixture(scope="session")
def two_views(tmp_path_factory: pytest.TempPathFactory, tiny_bundle: Bundle) -> Path:
    """``plate`` with the views main and side; ``label`` with main and a region of the same image."""
    data_dir = tmp_path_factory.mktemp("two-views")
    engine = OpenVinoEngine(tiny_bundle, threads=1)
    products = Products(data_dir)

    def learn(name: str, first: int, view: str | None = None, looks_at: View = WHOLE_FRAME) -> None:
        where, key = products.of_view(name, view)
        where.enroll(
            key,
            [good_part(number) for number in range(first, first + 3)],
            lambda images: enroll(engine, images, bundle_id=tiny_bundle.id, view=looks_at),
        )

    learn("plate", 0)
    learn("plate", 20, "side")
    learn("label", 0)
    learn("label", 0, "corner", LOWER_RIGHT)
    learn("single", 0)
    engine.close()
    return data_dir


@pytest.fixture
def make_cameras(two_views: Path, tmp_path: Path, tiny_bundle: Bundle) -> MakeCameras:
    """A station with these cameras; keyword arguments are sections of the file."""
    make: MakeStation = station_maker(tmp_path, two_views, tiny_bundle, verdict={"decided_by": "calibration"})

    def made(*cameras: dict[str, Any], **sections: Any) -> StationConfig:
        path = make(tmp_path, **sections)
        content = yaml.safe_load(path.read_text())
        del content["camera"]
        path.write_text(yaml.safe_dump(content | {"cameras": list(cameras)}))
        return load_station(path)

    return made


def folder(name: str, **settings: Any) -> dict[str, Any]:
    return {"name": name, "kind": "folder", "path": name, **settings}


def run(config: StationConfig) -> list[Inspection]:
    with opened_station(config) as opened:
        counters = opened.run()
    kept = recorded(config)
    assert counters.total == len(kept)
    assert [one.seq for one in kept] == list(range(1, len(kept) + 1))
    return kept


def said(inspection: Inspection) -> dict[str, tuple[str, Verdict]]:
    return {each.view: (each.camera, each.verdict) for each in inspection.views}


def test_two_cameras_one_part_one_inspection(make_cameras: MakeCameras, tmp_path: Path) -> None:
    """The third part is stained on top, the fourth at its side."""
    write_parts(tmp_path / "top", good=2, stained=2)
    write_parts(tmp_path / "side", good=2, stained=2)
    for camera, number in (("side", 2), ("top", 3)):
        assert cv2.imwrite(str(tmp_path / camera / f"part-{number:03}.png"), good_part(40 + number))
    kept = run(make_cameras(folder("top"), folder("side"), records={"min_free_gb": 0, "keep_images": "all"}))
    assert [one.part_id for one in kept] == [f"part-{number:03}" for number in range(4)]
    assert [one.verdict for one in kept] == [Verdict.OK, Verdict.OK, Verdict.NG, Verdict.NG]
    assert [one.view for one in kept[2:]] == ["main", "side"]
    assert [one.camera for one in kept[2:]] == ["top", "side"]
    assert said(kept[2]) == {"main": ("top", Verdict.NG), "side": ("side", Verdict.OK)}
    assert said(kept[3]) == {"main": ("top", Verdict.OK), "side": ("side", Verdict.NG)}
    assert kept[3].location and kept[3].regions == kept[3].views[1].regions
    assert kept[3].score == kept[3].views[1].score
    images = {path.name for path in (tmp_path / "data" / "images").rglob("*")}
    for one in kept:
        other = {"main": "side", "side": "main"}[one.view]
        assert {f"{one.verdict.value}-{one.id}.jpg", f"{one.verdict.value}-{one.id}-{other}.overlay.jpg"} <= {
            name.split("-", 1)[1] for name in images if "-" in name
        }


def test_a_view_that_does_not_come_is_an_error(make_cameras: MakeCameras, tmp_path: Path) -> None:
    """The side camera misses the second part; the stain of the first part's top is still told of."""
    write_parts(tmp_path / "top", good=3)
    write_parts(tmp_path / "side", good=3)
    (tmp_path / "side" / "part-001.png").unlink()
    assert cv2.imwrite(str(tmp_path / "top" / "part-001.png"), stained_part())
    kept = {one.part_id: one for one in run(make_cameras(folder("top"), folder("side")))}
    assert sorted(kept) == ["part-000", "part-001", "part-002"]
    missed = kept.pop("part-001")
    assert {one.verdict for one in kept.values()} == {Verdict.OK}
    assert missed.verdict is Verdict.ERROR and missed.view == "side"
    assert "View side: Camera side showed no image of this part in time" in missed.error
    assert said(missed) == {"main": ("top", Verdict.NG), "side": ("side", Verdict.ERROR)}


def test_regions_of_one_image_are_views_too(make_cameras: MakeCameras, tmp_path: Path) -> None:
    write_parts(tmp_path / "top", good=1, stained=1)
    good, stained = run(make_cameras(folder("top"), product="label"))
    assert said(good) == {"main": ("top", Verdict.OK), "corner": ("top", Verdict.OK)}
    assert said(stained) == {"main": ("top", Verdict.NG), "corner": ("top", Verdict.NG)}
    x, y = stained.views[1].regions[0].x, stained.views[1].regions[0].y
    assert 64 <= x <= 112 and 48 <= y <= 88, "in pixels of the whole image"


def test_cameras_that_cannot_see_every_view_are_no_station(make_cameras: MakeCameras) -> None:
    config = make_cameras(folder("top"), folder("below"))
    with (
        pytest.raises(ProductError, match="The view main of plate is seen by the cameras top and below"),
        opened_station(config),
    ):
        pass


class Line:
    """Two cameras that take an image of a part when they are shown it, and a PLC that announces each."""

    def __init__(self, plc: Commander) -> None:
        self.plc = plc
        self.top, self.side = LineCamera(), LineCamera()

    def live(self, name: str) -> LiveCamera:
        session = self.top if name == "top" else self.side
        return LiveCamera(name, lambda _: session)

    def passes(self, part_id: str, *, misses_side: bool = False) -> None:
        """A good part goes by; the next one comes when it has been judged."""
        assert self.plc.done("trigger", part_id=part_id)["code"] == ReplyCode.DONE
        self.top.sees(good_part(51))
        if not misses_side:
            self.side.sees(good_part(52))
        self.plc.result_for(part_id)


@pytest.fixture
def line(plc: Commander, monkeypatch: pytest.MonkeyPatch) -> Iterator[Line]:
    line = Line(plc)
    monkeypatch.setattr("edge.station.opening.create_camera", lambda settings: line.live(settings.name))
    yield line


def test_a_camera_that_misses_a_trigger_costs_that_part_and_no_other(
    make_cameras: MakeCameras, line: Line
) -> None:
    """Exact accounting: ten parts are announced, the side camera misses the fourth and the eighth."""
    config = make_cameras(
        folder("top"),
        folder("side"),
        part_ids={"source": "plc", "window_s": 1.5, "views_s": 30},
        messaging={"brokers": [line.plc.broker], "alarms": {"on_error": False}},
    )

    def talk() -> None:
        line.plc.await_running()
        for number in range(10):
            line.passes(f"P{number}", misses_side=number in (3, 7))

    kept = commanded(config, talk)
    assert [one.part_id for one in kept] == [f"P{number}" for number in range(10)]
    assert [number for number, one in enumerate(kept) if one.verdict is Verdict.ERROR] == [3, 7]
    assert all(len(one.views) == 2 for one in kept)
    assert "took no image within 1.5 s after the trigger" in kept[3].error
    results = line.plc.of("result")
    assert [result["views"] for result in results[2:4]] == ["main=1 side=1", "main=1 side=3"]
    assert [result["view"] for result in results[3:4]] == ["side"]
    assert [result["seq"] for result in results] == list(range(1, 11))


def test_a_product_with_other_views_is_changed_to_between_two_parts(
    make_cameras: MakeCameras, line: Line
) -> None:
    """Each image is a part of the single product; the product that no camera sees whole is refused."""
    config = make_cameras(
        folder("top"),
        folder("side"),
        part_ids={"source": "plc", "window_s": 1.5, "views_s": 30},
        messaging={"brokers": [line.plc.broker]},
    )

    def talk() -> None:
        line.plc.await_running()
        line.passes("both")
        refused = line.plc.done("product", product="label")
        assert refused["code"] == ReplyCode.REFUSED and "view main of label is seen by" in refused["text"]
        assert line.plc.done("product", product="single")["code"] == ReplyCode.DONE
        line.passes("each")
        assert wait_until(lambda: len(line.plc.of("result")) == 3)
        assert line.plc.done("product", product="plate")["code"] == ReplyCode.DONE
        time.sleep(1.6)  # the window of the part before
        line.passes("again")

    kept = commanded(config, talk)
    assert [(one.part_id, one.product, len(one.views)) for one in kept] == [
        ("both", "plate", 2),
        ("each", "single", 0),
        ("each", "single", 0),
        ("again", "plate", 2),
    ]
    assert {one.verdict for one in kept} == {Verdict.OK}


def test_a_message_does_not_teach_a_product_with_several_views(make_cameras: MakeCameras, line: Line) -> None:
    """Its parts have images of both views, and a command names none."""
    config = make_cameras(
        folder("top"),
        folder("side"),
        part_ids={"source": "plc", "window_s": 1.5, "views_s": 30},
        messaging={"brokers": [line.plc.broker], "commands": ["trigger", "enroll"]},
    )

    def talk() -> None:
        line.plc.await_running()
        line.plc.command("enroll", id="teach", product="plate", count=2)
        line.passes("first")
        assert wait_until(lambda: line.plc._replies("teach")[-1]["code"] == ReplyCode.REFUSED)
        assert "has several views" in line.plc._replies("teach")[-1]["text"]

    (first,) = commanded(config, talk)
    assert first.verdict is Verdict.OK


@pytest.mark.netns
def test_two_gige_cameras_are_triggered_for_one_part_until_one_loses_power(
    network: GigENetwork, make_cameras: MakeCameras, plc: Commander
) -> None:
    """Each of the parts has one inspection with two views, also the one that the side camera cannot see."""
    fakes = [network.camera(f"GV0{number}", ADDRESSES[number]) for number in range(2)]
    cameras = [
        {
            "name": name,
            "kind": "gige",
            "device": address,
            "region": {"width": 128, "height": 96},
            "trigger": {"source": "software", "window_s": 3},
        }
        for name, address in zip(("top", "side"), ADDRESSES, strict=False)
    ]
    config = make_cameras(
        *cameras,
        part_ids={"views_s": 8},
        messaging={"brokers": [plc.broker], "alarms": {"on_error": False}},
    )

    def talk() -> None:
        plc.await_running()
        for number in range(4):
            assert plc.done("trigger", part_id=f"P{number}")["code"] == ReplyCode.DONE
            plc.result_for(f"P{number}")
        fakes[1].power_off()
        plc.done("trigger", part_id="P4")
        plc.result_for("P4")

    kept = [one for one in commanded(config, talk) if one.part_id.startswith("P")]
    assert [one.part_id for one in kept] == [f"P{number}" for number in range(5)]
    assert all([each.camera for each in one.views] == ["top", "side"] for one in kept)
    errors = [[each.verdict is Verdict.ERROR for each in one.views] for one in kept]
    assert errors == [*[[False, False]] * 4, [False, True]]
