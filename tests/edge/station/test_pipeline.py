"""Every part that a camera shows becomes one inspection, kept and published, whatever it is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from edge.bundle import Bundle
from edge.config import StationConfig
from edge.errors import BundleError, CameraError, ProductError
from edge.inspection import Inspection, Verdict
from edge.messaging import EmbeddedBroker, Publisher
from edge.records import History
from edge.station.health import Level
from edge.station.judging import Judged
from edge.station.opening import opened_station
from edge.station.products import Products
from edge.vision.enrollment import enroll
from edge.vision.openvino import OpenVinoEngine
from edge.vision.view import View
from tests.edge.messaging.brokers import Subscriber, free_port, wait_until
from tests.edge.parts import good_part, stained_part, write_parts

MakeConfig = Callable[..., StationConfig]


def recorded(config: StationConfig) -> list[Inspection]:
    """The history, in the order of ``seq``."""
    found = History(config.data_dir).query(limit=10_000)
    return sorted((record.inspection for record in found), key=lambda inspection: inspection.seq)


def seqs(inspections: list[Inspection]) -> list[int]:
    return [inspection.seq for inspection in inspections]


def test_good_parts_and_stained_ones_are_told_apart_recorded_and_published(
    station: MakeConfig, tmp_path: Path
) -> None:
    write_parts(tmp_path / "parts", good=4, stained=3)
    with EmbeddedBroker() as broker, Subscriber(broker.port_v311) as plc:
        brokers = [{"host": broker.host, "port": broker.port}]
        config = station(tmp_path / "parts", messaging={"brokers": brokers})
        heard: list[Judged] = []
        with opened_station(config, [heard.append]) as opened:
            counters = opened.run()
        assert wait_until(lambda: len(plc.of("result")) >= 7)
        results = plc.of("result")
        events = [event["event"] for event in plc.of("event")]
        states = [state["state"] for state in plc.of("state")]
    kept = recorded(config)
    assert [inspection.verdict for inspection in kept] == [Verdict.OK] * 4 + [Verdict.NG] * 3
    assert seqs(kept) == list(range(1, 8))
    assert [judged.inspection.id for judged in heard] == [inspection.id for inspection in kept]
    assert [(r["seq"], r["verdict"]) for r in results] == [(i.seq, i.verdict.value) for i in kept]
    assert (counters.total, counters.ok, counters.ng, counters.error) == (7, 4, 3, 0)
    assert (events[0], events[-1]) == ("started", "stopped")
    assert "running" in states and states[-1] == "offline"


BAD_INPUTS: list[tuple[str, Callable[[], bytes], bool, str]] = [
    # (file, what is in it, whether it is judged, a word of the error)
    ("empty.png", lambda: b"", False, "empty"),
    ("cut.jpg", lambda: _jpeg(good_part())[:-400], False, "cut"),
    ("dot.png", lambda: _png(np.zeros((1, 1, 3), np.uint8)), False, "1x1"),
    ("notes.jpg", lambda: b"this is no image at all", False, "image"),
    ("deep.tif", lambda: _encoded(".tif", good_part().astype(np.uint16) << 8), True, ""),
    ("grey.png", lambda: _png(cv2.cvtColor(good_part(), cv2.COLOR_BGR2GRAY)), True, ""),
    ("huge.jpg", lambda: _jpeg(cv2.resize(good_part(), (7680, 5208))), True, ""),
]


def _encoded(suffix: str, image: np.ndarray) -> bytes:
    return cv2.imencode(suffix, image)[1].tobytes()


def _png(image: np.ndarray) -> bytes:
    return _encoded(".png", image)


def _jpeg(image: np.ndarray) -> bytes:
    return _encoded(".jpg", image)


def test_bad_files_are_errors_and_odd_ones_are_judged(station: MakeConfig, tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    write_parts(parts, good=1)
    for name, make, _, _ in BAD_INPUTS:
        (parts / name).write_bytes(make())
    config = station(parts)
    with opened_station(config) as opened:
        counters = opened.run()
    by_part = {inspection.part_id: inspection for inspection in recorded(config)}
    assert len(by_part) == counters.total == len(BAD_INPUTS) + 1
    for name, _, judged, word in BAD_INPUTS:
        inspection = by_part[Path(name).stem]
        assert (inspection.verdict is not Verdict.ERROR) == judged, name
        assert word in inspection.error, name
        assert bool(inspection.error) == (not judged), name
    assert counters.error == 4


@pytest.mark.parametrize("policy", ["skip", "latest"])
def test_too_many_parts_are_errors_each_with_its_name(
    station: MakeConfig, tmp_path: Path, policy: str
) -> None:
    paths = write_parts(tmp_path / "parts", good=60)
    config = station(tmp_path / "parts", queue={"size": 1, "policy": policy})
    with opened_station(config) as opened:
        counters = opened.run()
    kept = recorded(config)
    assert [inspection.part_id for inspection in kept] == [path.stem for path in paths]
    assert seqs(kept) == list(range(1, 61))
    overrun = [inspection for inspection in kept if inspection.error.startswith("overrun:")]
    assert len(overrun) == counters.overrun == counters.error > 0
    assert policy == "skip" or kept[-1] not in overrun


def test_numbers_go_on_after_a_restart(station: MakeConfig, tmp_path: Path) -> None:
    write_parts(tmp_path / "parts", good=2)
    config = station(tmp_path / "parts")
    for _ in range(3):
        with opened_station(config) as opened:
            opened.run()
    assert seqs(recorded(config)) == list(range(1, 7))


def test_without_a_broker_everything_waits_in_the_outbox(station: MakeConfig, tmp_path: Path) -> None:
    write_parts(tmp_path / "parts", good=3)
    port = free_port()
    brokers = [{"host": "127.0.0.1", "port": port}]
    config = station(
        tmp_path / "parts", messaging={"brokers": brokers, "retry_min_s": 0.05, "retry_max_s": 0.1}
    )
    with opened_station(config) as opened:
        opened.run()
        condition = opened.health.conditions()["broker"]
    assert condition.level is Level.DEGRADED
    assert str(port) in condition.detail
    assert seqs(recorded(config)) == [1, 2, 3]
    with EmbeddedBroker() as broker, Subscriber(broker.port_v311) as plc:
        there = config.messaging.model_copy(update={"brokers": (broker.settings(),)})
        with Publisher(there, config.data_dir, station="cell-3") as publisher:
            assert wait_until(lambda: publisher.flush(1.0))
        assert wait_until(lambda: len(plc.of("result")) == 3)
        assert [result["seq"] for result in plc.of("result")] == [1, 2, 3]


def test_what_a_crash_kept_from_the_outbox_is_published_by_the_next_run(
    station: MakeConfig, tmp_path: Path
) -> None:
    write_parts(tmp_path / "parts", good=2)
    with EmbeddedBroker() as broker, Subscriber(broker.port_v311) as plc:
        online = station(
            tmp_path / "parts", messaging={"brokers": [{"host": broker.host, "port": broker.port}]}
        )
        with opened_station(online) as opened:
            opened.run()
        offline = station(tmp_path / "parts")
        with opened_station(offline) as opened:
            opened.run()  # seq 3 and 4 are recorded, and the outbox never hears of them
        online = station(
            tmp_path / "parts", messaging={"brokers": [{"host": broker.host, "port": broker.port}]}
        )
        with opened_station(online) as opened:
            opened.run()
        assert wait_until(lambda: len(plc.of("result")) == 6)
        assert [result["seq"] for result in plc.of("result")] == [1, 2, 3, 4, 5, 6]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 6 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("a file system can be mounted by root only")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """A file that takes all the room that there is."""
    filler = disk / "filler"
    with pytest.raises(OSError, match="No space left"), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    return filler


def moved(config: StationConfig, disk: Path) -> StationConfig:
    """The station with its data on another disk."""
    shutil.copytree(config.data_dir / "products", disk / "data" / "products")
    return config.model_copy(update={"data_dir": disk / "data"})


ROWS_ONLY = {"min_free_gb": 0, "keep_images": "none"}


def test_a_full_disk_stops_nothing_and_what_waited_is_kept_when_there_is_room(
    station: MakeConfig, tmp_path: Path, small_disk: Path
) -> None:
    write_parts(tmp_path / "parts", good=30)
    config = moved(station(tmp_path / "parts", records=ROWS_ONLY), small_disk)
    levels = set()

    def fill_and_free(judged: Judged) -> None:
        levels.add(opened.health.conditions()["records"].level)
        if judged.inspection.seq == 5:
            fill(small_disk)
        if judged.inspection.seq == 25:
            (small_disk / "filler").unlink()

    with opened_station(config, [fill_and_free]) as opened:
        counters = opened.run()
    assert counters.total == 30
    assert levels == {Level.OK, Level.DEGRADED}
    assert opened.lost == 0
    assert seqs(recorded(config)) == list(range(1, 31))


def test_a_disk_that_stays_full_costs_inspections_and_says_how_many(
    station: MakeConfig, tmp_path: Path, small_disk: Path
) -> None:
    write_parts(tmp_path / "parts", good=12)
    config = moved(station(tmp_path / "parts", records=ROWS_ONLY), small_disk)

    def fill_for_ever(judged: Judged) -> None:
        if judged.inspection.seq == 4:
            fill(small_disk)

    with opened_station(config, [fill_for_ever]) as opened:
        counters = opened.run()
    assert counters.total == 12
    assert opened.lost > 0
    assert "disk is full" in opened.health.conditions()["records"].detail
    assert seqs(recorded(config)) == list(range(1, 13 - opened.lost))


def test_a_station_that_cannot_start_says_why(station: MakeConfig, tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    config = station(parts)
    with opened_station(config) as opened, pytest.raises(CameraError, match="does not exist"):
        opened.run()
    unknown = config.model_copy(update={"product": "plat"})
    with pytest.raises(ProductError, match="Did you mean 'plate'"), opened_station(unknown):
        pass


@pytest.mark.parametrize("position", [0, 1000, -1])
def test_a_flipped_byte_in_the_bundle_is_refused(station: MakeConfig, tmp_path: Path, position: int) -> None:
    config = station(tmp_path / "parts")
    bundle = tmp_path / "bundle"
    shutil.copytree(str(config.bundle), bundle)
    graph = bundle / "vision.fp32.onnx"
    data = bytearray(graph.read_bytes())
    data[position] ^= 1
    graph.write_bytes(data)
    damaged = config.model_copy(update={"bundle": str(bundle)})
    with pytest.raises(BundleError, match=r"vision\.fp32\.onnx"), opened_station(damaged):
        pass


def test_a_product_of_another_bundle_is_refused_with_the_remedy(station: MakeConfig, tmp_path: Path) -> None:
    config = station(tmp_path / "parts")
    file = config.data_dir / "products" / "plate" / "product.json"
    file.write_text(re.sub(r"tiny-[0-9a-f]{8}", "tiny-00000000", file.read_text()))
    with pytest.raises(ProductError, match="enroll --product plate"), opened_station(config):
        pass


def test_stopping_inspects_what_was_captured_and_keeps_all_of_it(station: MakeConfig, tmp_path: Path) -> None:
    write_parts(tmp_path / "parts", good=2)
    config = station(tmp_path / "parts", camera={"loop": True})

    def stop_at_ten(judged: Judged) -> None:
        if judged.inspection.seq == 10:
            opened.stop()

    with opened_station(config, [stop_at_ten]) as opened:
        counters = opened.run()
    assert counters.total >= 10
    assert seqs(recorded(config)) == list(range(1, counters.total + 1))


def test_a_part_of_the_station_that_dies_ends_it_with_its_error(station: MakeConfig, tmp_path: Path) -> None:
    write_parts(tmp_path / "parts", good=2)
    config = station(tmp_path / "parts", camera={"loop": True})

    def break_down(judged: Judged) -> None:
        raise LookupError(f"no more after {judged.inspection.seq}")

    with opened_station(config, [break_down]) as opened, pytest.raises(LookupError, match="no more"):
        opened.run()


def test_a_stain_is_where_the_map_says(station: MakeConfig, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "stain.png"), stained_part())
    (tmp_path / "parts").mkdir()
    (tmp_path / "stain.png").rename(tmp_path / "parts" / "stain.png")
    config = station(tmp_path / "parts")
    heard: list[Judged] = []
    with opened_station(config, [heard.append]) as opened:
        opened.run()
    judged = heard[0]
    assert judged.inspection.verdict is Verdict.NG
    assert judged.anomaly_map is not None
    row, column = np.unravel_index(int(judged.anomaly_map.argmax()), judged.anomaly_map.shape)
    height, width = judged.anomaly_map.shape
    assert abs(column / width - 78 / 128) < 0.1
    assert abs(row / height - 62 / 96) < 0.1


def test_the_plc_changes_the_product_at_a_part_boundary(
    station: MakeConfig, tmp_path: Path, tiny_bundle: Bundle
) -> None:
    """The other product is looked at in tiles: it takes longer, and no part is lost by the change."""
    write_parts(tmp_path / "parts", good=1)
    with EmbeddedBroker() as broker, Subscriber(broker.port_v311) as plc:
        config = station(
            tmp_path / "parts",
            camera={"loop": True, "rate_hz": 50},
            messaging={"brokers": [{"host": broker.host, "port": broker.port}]},
        )
        products = Products(config.data_dir)
        with closing(OpenVinoEngine(tiny_bundle, threads=1)) as engine:
            close = View(most_looks=4)
            products.enroll(
                "ring",
                [good_part(0), good_part(1)],
                lambda images: enroll(engine, images, bundle_id=tiny_bundle.id, view=close),
            )
        assert products.view("ring").tiles != products.view("plate").tiles

        def command(name: str, product: str) -> None:
            plc.client.publish("plant/a/cell-3/cmd/product", f'{{"id":"{name}","product":"{product}"}}', 1)

        def replied(name: str) -> dict[str, Any]:
            def found() -> list[dict[str, Any]]:
                return [reply for reply in plc.of("reply") if reply["id"] == name and reply["code"] != 1]

            assert wait_until(found)
            return found()[-1]

        def talk() -> None:
            assert wait_until(lambda: plc.of("result"))
            command("first", "ring")
            assert replied("first")["reply"] == "done"
            command("second", "rong")
            assert replied("second")["reply"] == "refused"
            assert "Did you mean 'ring'?" in replied("second")["text"]
            opened.stop()

        with opened_station(config) as opened, ThreadPoolExecutor(1) as plc_side:
            talking = plc_side.submit(talk)
            talking.add_done_callback(lambda _: opened.stop())
            opened.run()
            talking.result()
        events = [(event["event"], event["text"]) for event in plc.of("event")]
    kept = recorded(config)
    assert [inspection.seq for inspection in kept] == list(range(1, len(kept) + 1))
    assert {inspection.verdict for inspection in kept} <= {Verdict.OK, Verdict.NG}
    changed = [inspection.product for inspection in kept]
    first = changed.index("ring")
    assert changed == ["plate"] * first + ["ring"] * (len(changed) - first)
    said = "ring, asked for by a sender without a name (cmd/product, id 'first')"
    assert ("product_changed", said) in events
