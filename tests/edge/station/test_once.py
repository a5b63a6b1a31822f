"""A file of a watched folder is inspected once, whatever ends the station in between."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from edge.config import StationConfig, load_station
from edge.inspection import Inspection, Verdict
from edge.station.opening import opened_station
from tests.edge.messaging.brokers import wait_until
from tests.edge.parts import good_part, write_parts
from tests.edge.station.conftest import MakeStation
from tests.edge.station.test_pipeline import recorded
from tests.edge.station.test_process import recorded_parts

MakeConfig = Callable[..., StationConfig]


@pytest.fixture
def watching(station: MakeConfig, tmp_path: Path) -> Callable[..., StationConfig]:
    (tmp_path / "parts").mkdir()
    return lambda **camera: station(
        tmp_path / "parts", camera={"watch": True, "settle_s": 0, **camera}, records={"min_free_gb": 0}
    )


def run_until(config: StationConfig, count: int, for_s: float = 0.5) -> list[Inspection]:
    """Run a station until so many inspections are recorded, and a little longer; all that are."""
    with opened_station(config) as opened, ThreadPoolExecutor(1) as aside:

        def wait() -> None:
            wait_until(lambda: opened.counters.total >= count, 20)
            time.sleep(for_s)
            opened.stop()

        aside.submit(wait)
        opened.run()
    return recorded(config)


def test_three_starts_inspect_every_file_once(watching: MakeConfig, tmp_path: Path) -> None:
    write_parts(tmp_path / "parts", good=9)
    run_until(watching(), 9)
    run_until(watching(), 0)
    kept = run_until(watching(), 0)
    assert sorted(one.part_id for one in kept) == [f"part-{number:03}" for number in range(9)]


def test_a_file_that_is_written_anew_is_a_new_part_and_so_is_a_new_one(
    watching: MakeConfig, tmp_path: Path
) -> None:
    paths = write_parts(tmp_path / "parts", good=3)
    run_until(watching(), 3)
    assert cv2.imwrite(str(paths[1]), good_part(77))
    shutil.copy(paths[0], tmp_path / "parts" / "new.png")
    kept = run_until(watching(), 2)
    assert [one.part_id for one in kept[3:]] in (["part-001", "new"], ["new", "part-001"])


def test_again_inspects_them_all_once_more(watching: MakeConfig, tmp_path: Path) -> None:
    write_parts(tmp_path / "parts", good=3)
    run_until(watching(), 3)
    assert len(run_until(watching(again=True), 3)) == 6
    assert len(run_until(watching(), 0)) == 6


def test_a_folder_that_is_away_for_a_while_is_not_new(watching: MakeConfig, tmp_path: Path) -> None:
    parts, aside = tmp_path / "parts", tmp_path / "aside"
    write_parts(parts, good=3)
    run_until(watching(), 3)
    parts.rename(aside)
    parts.mkdir()  # a mount point whose disk is not there yet
    run_until(watching(), 0)
    parts.rmdir()
    aside.rename(parts)
    assert len(run_until(watching(), 0)) == 3


def test_a_part_that_was_moved_away_and_comes_back_is_new(watching: MakeConfig, tmp_path: Path) -> None:
    """What left the folder is forgotten, so that months of parts need no room."""
    paths = write_parts(tmp_path / "parts", good=2)
    config = watching()
    with opened_station(config) as opened, ThreadPoolExecutor(1) as aside:

        def move() -> None:
            assert wait_until(lambda: opened.counters.total == 2)
            time.sleep(0.5)
            paths[0].rename(tmp_path / "away.png")
            time.sleep(0.5)
            (tmp_path / "away.png").rename(paths[0])
            assert wait_until(lambda: opened.counters.total == 3)

        moving = aside.submit(move)
        moving.add_done_callback(lambda _: opened.stop())
        opened.run()
        moving.result()
    assert Counter(one.part_id for one in recorded(config)) == {"part-000": 2, "part-001": 1}


# -- processes that are killed, and files that kill them ---------------------------------------------


def station_process(station: Path, *options: str, dies: bool = False) -> subprocess.Popen[bytes]:
    module = ["tests.edge.station.hanging_station", "dies"] if dies else ["edge", "run", "--plain"]
    return subprocess.Popen(
        [sys.executable, "-m", *module, *options, str(station)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_the_command_can_be_told_to_inspect_again(make_station: MakeStation, tmp_path: Path) -> None:
    write_parts(tmp_path / "parts", good=3)
    station = make_station(
        tmp_path / "parts", {"watch": True, "settle_s": 0}, verdict={"decided_by": "calibration"}
    )
    for options, count in (([], 3), (["--again"], 6)):
        process = station_process(station, *options)
        assert wait_until(lambda count=count: len(recorded_parts(station)) == count, 60)  # type: ignore[misc]
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


@pytest.mark.parametrize("kills", [3, pytest.param(15, marks=pytest.mark.slow)])
def test_killed_at_any_moment_it_inspects_every_file_once(
    make_station: MakeStation, tmp_path: Path, kills: int
) -> None:
    """Each run is killed somewhere in its work; files keep coming."""
    chance = random.Random(kills)
    parts = tmp_path / "parts"
    parts.mkdir()
    station = make_station(
        parts, {"watch": True, "settle_s": 0, "rate_hz": 40}, verdict={"decided_by": "calibration"}
    )
    image = cv2.imencode(".png", good_part())[1].tobytes()
    names: list[str] = []

    def deliver(count: int) -> None:
        for _ in range(count):
            names.append(f"p{len(names):04}")
            (tmp_path / "next.png").write_bytes(image)
            (tmp_path / "next.png").rename(parts / f"{names[-1]}.png")

    for _ in range(kills):
        deliver(40)
        before = len(recorded_parts(station))
        process = station_process(station)
        wait_until(lambda before=before: len(recorded_parts(station)) > before, 60)  # type: ignore[misc]
        time.sleep(chance.uniform(0, 0.8))
        process.kill()
        process.wait()
    process = station_process(station)
    assert wait_until(lambda: len(recorded_parts(station)) >= len(names), 90)
    time.sleep(1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert Counter(recorded_parts(station)) == Counter(names)


def test_a_file_that_ends_the_process_is_not_met_first_again_and_after_two_ends_is_skipped(
    make_station: MakeStation, tmp_path: Path
) -> None:
    parts = tmp_path / "parts"
    write_parts(parts, good=6)
    assert cv2.imwrite(str(parts / "white.png"), np.full((96, 128, 3), 255, np.uint8))
    os.utime(parts / "white.png", (1e9, 1e9))  # the oldest: met first
    station = make_station(parts, {"watch": True, "settle_s": 0}, verdict={"decided_by": "calibration"})
    for _ in range(2):
        before = len(recorded_parts(station))
        assert station_process(station, dies=True).wait(60) == -signal.SIGSEGV
    assert before < len(recorded_parts(station)), "other files came before it at the second start"
    process = station_process(station, dies=True)
    assert wait_until(lambda: len(recorded_parts(station)) == 7, 60)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    kept = {one.part_id: one for one in recorded(load_station(station))}
    assert len(kept) == 7
    white = kept.pop("white")
    assert white.verdict is Verdict.ERROR and "the station ended 2 times while" in white.error
    assert all(one.verdict is not Verdict.ERROR for one in kept.values())
