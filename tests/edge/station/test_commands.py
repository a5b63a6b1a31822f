"""The PLC commands a whole station: pause and resume, enroll from the line, announce parts."""

from __future__ import annotations

import queue
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import cv2
import pytest

from edge.cameras.live import LiveCamera
from edge.cameras.session import Capture
from edge.config import StationConfig
from edge.inspection import Inspection, Verdict
from edge.messaging import AlarmCode, EmbeddedBroker, EventCode, MessagingSettings, ReplyCode, StationState
from edge.station.opening import opened_station
from edge.station.products import Products
from tests.edge.messaging.brokers import wait_until
from tests.edge.messaging.test_plc import Plc
from tests.edge.parts import good_part, write_parts
from tests.edge.station.test_pipeline import recorded

MakeConfig = Callable[..., StationConfig]

#: What a station's file says that may be taught over the broker.
ALL_COMMANDS = [*MessagingSettings().commands, "enroll"]


class Commander(Plc):
    """A PLC that waits for the last word on what it commanded."""

    broker: dict[str, Any]

    def await_running(self) -> None:
        """Wait as a PLC does: a station that is starting may have no camera yet."""
        assert wait_until(
            lambda: any(state["code"] == StationState.RUNNING for state in self.of("state")), 60
        )

    def done(self, name: str, **fields: Any) -> dict[str, Any]:
        reply = self.command(name, **fields)
        assert wait_until(lambda: self._replies(reply["id"])[-1]["code"] != ReplyCode.ACCEPTED, 200)
        return self._replies(reply["id"])[-1]

    def result_of(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Wait for a result that is wanted; the first one."""
        assert wait_until(lambda: any(map(wanted, self.of("result"))))
        return next(filter(wanted, self.of("result")))

    def result_for(self, part_id: str) -> dict[str, Any]:
        return self.result_of(lambda result: bool(result["part_id"] == part_id))


@pytest.fixture
def plc() -> Iterator[Commander]:
    with EmbeddedBroker() as broker, Commander(broker.port_v311) as plc:
        plc.broker = {"host": broker.host, "port": broker.port}
        yield plc


@pytest.fixture
def looping(station: MakeConfig, tmp_path: Path, plc: Commander) -> StationConfig:
    """A station whose line never ends; its product was learned from other parts."""
    (tmp_path / "parts").mkdir()
    for number in range(50, 53):
        assert cv2.imwrite(str(tmp_path / "parts" / f"{number}.png"), good_part(number))
    return station(tmp_path / "parts", camera={"loop": True, "rate_hz": 50}, messaging=messaging(plc))


def messaging(plc: Commander) -> dict[str, Any]:
    return {"brokers": [plc.broker], "commands": ALL_COMMANDS}


def commanded(config: StationConfig, talk: Callable[[], None]) -> list[Inspection]:
    """Run a station while the PLC talks to it; all that it inspected."""

    with opened_station(config) as opened, ThreadPoolExecutor(1) as plc_side:
        talking = plc_side.submit(talk)
        talking.add_done_callback(lambda _: opened.stop())
        opened.run()
        talking.result()
    kept = recorded(config)
    assert [one.seq for one in kept] == list(range(1, len(kept) + 1))
    return kept


def test_while_paused_every_part_is_an_error_and_none_is_unseen(
    looping: StationConfig, plc: Commander
) -> None:
    def talk() -> None:
        plc.result_of(lambda result: result["code"] != 3)
        assert plc.done("pause")["code"] == ReplyCode.DONE
        assert "cmd/resume" in plc.result_of(lambda result: result["code"] == 3)["error"]
        assert wait_until(lambda: plc.of("state")[-1]["state"] == "paused")
        refused = plc.done("trigger", part_id="p")
        assert refused["code"] == ReplyCode.REFUSED and "paused" in refused["text"]
        assert plc.done("resume")["code"] == ReplyCode.DONE
        last = plc.of("result")[-1]["seq"]
        plc.result_of(lambda result: result["seq"] > last and result["code"] != 3)
        assert wait_until(lambda: plc.of("state")[-1]["state"] == "running")

    kept = commanded(looping, talk)
    codes = "".join(str(one.code) for one in kept)
    assert codes.strip("12") == codes.count("3") * "3", "one pause, and every part of it an error"
    assert wait_until(lambda: plc.of("event")[-1]["event"] == "stopped")
    assert [event["event"] for event in plc.of("event")] == ["started", "paused", "resumed", "stopped"]


def test_a_pause_that_comes_too_late_is_not_done(looping: StationConfig, plc: Commander) -> None:
    def talk() -> None:
        plc.result_of(bool)
        assert plc.command("pause", expires=int(time.time() * 1000) - 1)["code"] == ReplyCode.EXPIRED

    assert all(one.verdict is not Verdict.ERROR for one in commanded(looping, talk))


@pytest.mark.parametrize("product", ["cup", "plate"])
def test_the_next_parts_are_learned_from_and_it_is_said_who_asked(
    looping: StationConfig, plc: Commander, product: str
) -> None:
    before = Products(looping.data_dir).get("plate").version

    def talk() -> None:
        plc.result_of(bool)
        reply = plc.done("enroll", product=product, count=2, by="line manager", id="e-1")
        assert reply["code"] == ReplyCode.DONE, reply
        assert f"{product}: version" in reply["text"]
        assert wait_until(lambda: "enrolled" in [event["event"] for event in plc.of("event")])
        assert wait_until(lambda: AlarmCode.PRODUCT in [alarm["code"] for alarm in plc.of("alarm")])
        event = next(one for one in plc.of("event") if one["code"] == EventCode.ENROLLED)
        alarm = next(one for one in plc.of("alarm") if one["code"] == AlarmCode.PRODUCT)
        assert (alarm["active"], alarm["acked"]) == (1, 0)
        for said in (event["text"], alarm["text"]):
            assert f"{product}: version" in said and "'line manager'" in said and "'e-1'" in said
        last = plc.of("result")[-1]["seq"]
        plc.result_of(lambda result: result["seq"] > last + 1)  # it goes on, with what it learned

    kept = commanded(looping, talk)
    used = [one for one in kept if one.verdict is Verdict.ERROR]
    assert [one.error for one in used] == [
        f"No verdict: taken as a reference for {product}, {number} of 2." for number in (1, 2)
    ]
    learned = Products(looping.data_dir).get(product)
    assert len(learned.version.references) == (2 if product == "cup" else len(before.references) + 2)
    assert not (looping.data_dir / "enrolling").exists()
    if product == "plate":  # the product on the line: what it learned is used at once
        assert kept[-1].references == len(learned.version.references)


def test_an_enrollment_that_cannot_be_is_refused_and_one_that_waits_ends_with_a_pause(
    station: MakeConfig, tmp_path: Path, plc: Commander
) -> None:
    (tmp_path / "parts").mkdir()
    config = station(tmp_path / "parts", camera={"watch": True}, messaging=messaging(plc))

    def talk() -> None:
        plc.await_running()
        for fields, said in (
            ({"product": "a/b", "count": 2}, "cannot be the name"),
            ({"product": "cup", "count": 101}, "1 to 100"),
        ):
            refused = plc.done("enroll", **fields)
            assert refused["code"] == ReplyCode.REFUSED and said in refused["text"]
        assert plc.command("enroll", id="waits", product="cup", count=2)["code"] == ReplyCode.ACCEPTED
        assert "being enrolled already" in plc.done("enroll", product="cup", count=2)["text"]
        plc.done("pause")
        assert wait_until(lambda: plc._replies("waits")[-1]["code"] == ReplyCode.REFUSED)
        assert "paused" in plc._replies("waits")[-1]["text"]

    commanded(config, talk)
    assert Products(config.data_dir).names() == ["plate"]


@pytest.fixture
def defective(station: MakeConfig, tmp_path: Path, plc: Commander) -> StationConfig:
    """A line on which every part is ng."""
    write_parts(tmp_path / "parts", good=0, stained=3)
    return station(tmp_path / "parts", camera={"loop": True, "rate_hz": 25}, messaging=messaging(plc))


def test_one_message_cannot_turn_defects_into_good_parts(defective: StationConfig, plc: Commander) -> None:
    before = Products(defective.data_dir).get("plate").version

    def talk() -> None:
        plc.result_of(lambda result: result["code"] == 2)
        reply = plc.done("enroll", product="plate", count=5, by="whoever")
        assert reply["code"] == ReplyCode.REFUSED and "ng according to the version in use" in reply["text"]
        assert wait_until(lambda: EventCode.ENROLLMENT_HELD in [one["code"] for one in plc.of("event")])
        held = next(one for one in plc.of("event") if one["code"] == EventCode.ENROLLMENT_HELD)
        assert "whoever" in held["text"] and held["product"] == "plate"
        last = plc.of("result")[-1]["seq"]
        plc.result_of(lambda result: result["seq"] > last + 3)

    kept = commanded(defective, talk)
    assert {one.verdict for one in kept} == {Verdict.NG}, "not one part of it was anything else"
    assert Products(defective.data_dir).get("plate").version == before
    (folder,) = (defective.data_dir / "held").iterdir()
    assert folder.name.startswith("plate-") and len(list(folder.glob("*.png"))) == 1


def test_references_are_added_to_the_product_on_the_line_alone(
    looping: StationConfig, plc: Commander
) -> None:
    shutil.copytree(looping.data_dir / "products" / "plate", looping.data_dir / "products" / "other")

    def talk() -> None:
        plc.result_of(bool)
        reply = plc.done("enroll", product="other", count=2)
        assert reply["code"] == ReplyCode.REFUSED and "send cmd/product first" in reply["text"]

    commanded(looping, talk)
    assert len(Products(looping.data_dir).get("other").versions) == 1


def test_a_station_takes_no_enrollment_that_its_file_does_not_allow(
    station: MakeConfig, tmp_path: Path, plc: Commander
) -> None:
    write_parts(tmp_path / "parts", good=1, stained=0)
    config = station(
        tmp_path / "parts", camera={"loop": True, "rate_hz": 25}, messaging={"brokers": [plc.broker]}
    )

    def talk() -> None:
        plc.result_of(bool)
        reply = plc.done("enroll", product="cup", count=1)
        assert reply["code"] == ReplyCode.REFUSED and "messaging.commands" in reply["text"]

    assert all(one.verdict is not Verdict.ERROR for one in commanded(config, talk))
    assert Products(config.data_dir).names() == ["plate"]


def test_a_change_of_product_says_who_asked_for_it(looping: StationConfig, plc: Commander) -> None:
    shutil.copytree(looping.data_dir / "products" / "plate", looping.data_dir / "products" / "other")

    def talk() -> None:
        plc.result_of(bool)
        assert plc.done("product", product="other", by="shift 2")["code"] == ReplyCode.DONE
        assert wait_until(lambda: EventCode.PRODUCT_CHANGED in [one["code"] for one in plc.of("event")])
        text = next(one for one in plc.of("event") if one["code"] == EventCode.PRODUCT_CHANGED)["text"]
        assert text.startswith("other, ") and "'shift 2'" in text

    commanded(looping, talk)


def test_a_station_that_stops_ends_its_enrollment(
    station: MakeConfig, tmp_path: Path, plc: Commander
) -> None:
    (tmp_path / "parts").mkdir()
    config = station(tmp_path / "parts", camera={"watch": True}, messaging=messaging(plc))

    def talk() -> None:
        plc.await_running()
        plc.command("enroll", id="waits", product="cup", count=2)

    commanded(config, talk)
    assert wait_until(lambda: plc._replies("waits")[-1]["code"] == ReplyCode.REFUSED)
    assert "stopped" in plc._replies("waits")[-1]["text"]


def test_announced_parts_and_images_are_matched_and_what_is_left_over_is_an_error(
    station: MakeConfig, tmp_path: Path, plc: Commander
) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    config = station(
        parts,
        camera={"watch": True, "settle_s": 0},
        part_ids={"source": "plc", "window_s": 3},
        messaging={"brokers": [plc.broker], "handshake": {"enabled": True}},
    )

    def show(name: str) -> None:
        assert cv2.imwrite(str(tmp_path / f"{name}.png"), good_part())
        (tmp_path / f"{name}.png").rename(parts / f"{name}.png")

    def talk() -> None:
        assert plc.sees(ready=1)
        assert plc.done("trigger", part_id="p-1")["code"] == ReplyCode.DONE
        show("first")
        assert plc.sees(valid=1, part_id="p-1", code=plc.result_of(bool)["code"])
        assert plc.result_of(bool)["part_id"] == "p-1"
        plc.done("result_ack", acquisition=1)
        show("stray")
        assert "no trigger" in plc.result_of(lambda result: result["part_id"] == "stray")["error"]
        plc.done("trigger", part_id="p-2")  # and the camera sees nothing
        assert plc.sees(valid=1, part_id="p-2", code=3)
        assert "after the trigger" in plc.result_of(lambda result: result["part_id"] == "p-2")["error"]

    kept = commanded(config, talk)
    assert [(one.part_id, one.verdict is Verdict.ERROR) for one in kept] == [
        ("p-1", False),
        ("stray", True),
        ("p-2", True),
    ]


def test_a_camera_that_takes_no_trigger_says_so(looping: StationConfig, plc: Commander) -> None:
    def talk() -> None:
        refused = plc.done("trigger", part_id="p")
        assert refused["code"] == ReplyCode.REFUSED and "part_ids.source" in refused["text"]

    commanded(looping, talk)


class TriggeredSession:
    """A camera that takes an image of a good part whenever it is triggered."""

    description = "triggered"
    no_frame_s: float | None = None

    def __init__(self) -> None:
        self._images: queue.SimpleQueue[Capture] = queue.SimpleQueue()

    def next(self, timeout_s: float) -> Capture | None:
        try:
            return self._images.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def trigger(self) -> None:
        self._images.put(Capture(1, datetime.now(timezone.utc), good_part()))

    def close(self) -> None:
        """Nothing is open."""


def test_a_software_triggered_camera_takes_an_image_of_the_part_that_the_plc_names(
    looping: StationConfig, plc: Commander, monkeypatch: pytest.MonkeyPatch
) -> None:
    camera = LiveCamera("top", lambda _: TriggeredSession(), trigger_window_s=2)
    monkeypatch.setattr("edge.station.opening.create_camera", lambda _: camera)

    def talk() -> None:
        plc.await_running()
        assert plc.done("trigger", part_id="p-1")["code"] == ReplyCode.DONE
        plc.result_of(lambda result: result["part_id"] == "p-1")
        assert plc.done("trigger", id="no-part-id")["code"] == ReplyCode.DONE
        plc.result_of(lambda result: result["part_id"] == "no-part-id")

    kept = commanded(looping, talk)
    assert [one.part_id for one in kept] == ["p-1", "no-part-id"]
    assert all(one.verdict is not Verdict.ERROR for one in kept)
