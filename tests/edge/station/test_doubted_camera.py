"""A camera that misses an announced part: the part is an error, and the camera is doubted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from edge.config import load_station
from edge.messaging import ReplyCode
from edge.station.opening import opened_station
from tests.edge.cameras.gige_network import GigENetwork
from tests.edge.station.conftest import MakeStation
from tests.edge.station.test_commands import Commander, plc
from tests.edge.station.test_pipeline import recorded

__all__ = ["plc"]


@pytest.mark.netns
def test_a_part_that_no_image_came_of_is_an_error_and_the_camera_is_lost(
    network: GigENetwork, make_station: MakeStation, tmp_path: Path, plc: Commander
) -> None:
    """Nothing ever pulls the fake's line."""
    network.camera()
    path = make_station(
        tmp_path, messaging={"brokers": [plc.broker]}, part_ids={"source": "plc", "window_s": 1}
    )
    content = yaml.safe_load(path.read_text())
    content["camera"] = {"kind": "gige", "trigger": {"source": "Line0"}}
    path.write_text(yaml.safe_dump(content))
    config = load_station(path)

    def talk() -> None:
        plc.await_running()
        for number in range(20):  # the first come before the camera was there long enough to be doubted
            assert plc.done("trigger", part_id=f"part-{number}")["code"] == ReplyCode.DONE
            plc.result_for(f"part-{number}")
            if "camera_lost" in [event["event"] for event in plc.of("event")]:
                return
        raise AssertionError("the camera was never doubted")

    with opened_station(config) as opened, ThreadPoolExecutor(1) as plc_side:
        talking = plc_side.submit(talk)
        talking.add_done_callback(lambda _: opened.stop())
        opened.run()
        talking.result()
    kept = recorded(config)
    assert [one.part_id for one in kept] == [f"part-{number}" for number in range(len(kept))]
    assert all("took no image within 1 s after the trigger" in one.error for one in kept)
