"""Through the whole station: a verdict is the part's whose image it was made from, or an error."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from edge.cameras.live import LiveCamera
from edge.cameras.session import Capture
from edge.config import StationConfig, load_station
from edge.errors import ConfigError
from edge.image_types import Image
from edge.inspection import Verdict
from edge.messaging import ReplyCode
from tests.edge.messaging.brokers import wait_until
from tests.edge.parts import good_part, stained_part, write_parts
from tests.edge.station.conftest import MakeStation
from tests.edge.station.slow_engine import held_engine
from tests.edge.station.test_commands import Commander, commanded, plc

__all__ = ["plc"]

MakeConfig = Callable[..., StationConfig]


class LineCamera:
    """A session whose images the test takes, each dated by a wall clock that is set now and then."""

    description = "in the test's hand"
    no_frame_s: float | None = None

    def __init__(self) -> None:
        self._images: queue.SimpleQueue[Capture] = queue.SimpleQueue()
        self.clock_is_off_s = 0.0
        self._taken = 0

    def sees(self, image: Image) -> None:
        self._taken += 1
        dated = datetime.now(timezone.utc) + timedelta(seconds=self.clock_is_off_s)
        self._images.put(Capture(self._taken, dated, image))

    def next(self, timeout_s: float) -> Capture | None:
        try:
            return self._images.get(timeout=timeout_s)
        except queue.Empty:
            return None

    def trigger(self) -> None:
        self.sees(good_part(0))

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def camera(monkeypatch: pytest.MonkeyPatch) -> LineCamera:
    """In place of the one that the station file names; it cannot be triggered by command."""
    session = LineCamera()
    live = LiveCamera("camera", lambda _: session)
    monkeypatch.setattr("edge.station.opening.create_camera", lambda _: live)
    return session


@pytest.mark.parametrize(("window_s", "judged"), [(0.35, 7), (1.4, 2)])
def test_a_missed_image_and_a_clock_that_jumps_turn_no_defect_into_an_ok(
    station: MakeConfig, tmp_path: Path, plc: Commander, camera: LineCamera, window_s: float, judged: int
) -> None:
    """Every second part is stained, and the camera misses the third."""
    write_parts(tmp_path / "parts", good=1)
    config = station(
        tmp_path / "parts",
        part_ids={"source": "plc", "window_s": window_s},
        messaging={"brokers": [plc.broker], "alarms": {"on_error": False}},
    )
    images = [stained_part(number) if number % 2 else good_part(number) for number in range(8)]
    steps_s = [0.0, -0.9, -0.9, 0.9, 30 * 86400.0, 30 * 86400.0, -30 * 86400.0, 0.0]

    def talk() -> None:
        plc.await_running()
        due_s = time.monotonic()
        for number, image in enumerate(images):
            due_s += 0.7
            time.sleep(max(0.0, due_s - time.monotonic()))
            assert plc.done("trigger", part_id=f"P{number}")["code"] == ReplyCode.DONE
            camera.clock_is_off_s = steps_s[number]
            if number != 2:
                camera.sees(image)
        wanted = {f"P{number}" for number in range(8)}
        assert wait_until(lambda: wanted <= {result["part_id"] for result in plc.of("result")})
        if judged < 7:
            assert wait_until(lambda: "part_ids.window_s" in plc.of("state")[-1]["text"])
            assert wait_until(lambda: "component" in [alarm["alarm"] for alarm in plc.of("alarm")])

    kept = commanded(config, talk)
    verdicts = {one.part_id: one.verdict for one in kept}
    truth = {f"P{number}": Verdict.NG if number % 2 else Verdict.OK for number in range(8)}
    given = {part: verdict for part, verdict in verdicts.items() if verdict is not Verdict.ERROR}
    assert given == {part: truth[part] for part in given}
    assert verdicts["P2"] is Verdict.ERROR
    assert len(given) == judged


@pytest.mark.parametrize("part_id", ["", "same"])
def test_a_late_result_is_never_the_next_acquisitions(
    station: MakeConfig, tmp_path: Path, plc: Commander, monkeypatch: pytest.MonkeyPatch, part_id: str
) -> None:
    """Part 1 is good and its inspection late; part 2, under the same name or none, is stained."""
    session = LineCamera()
    shown = [good_part(1), stained_part(2)]
    monkeypatch.setattr(session, "trigger", lambda: session.sees(shown.pop(0)))
    live = LiveCamera("camera", lambda _: session, trigger_window_s=2)
    monkeypatch.setattr("edge.station.opening.create_camera", lambda _: live)
    write_parts(tmp_path / "parts", good=1)
    config = station(
        tmp_path / "parts",
        verdict={"decided_by": "calibration", "hang_s": 60},
        messaging={"brokers": [plc.broker], "handshake": {"enabled": True, "result_timeout_s": 1.5}},
    )
    named = {"part_id": part_id} if part_id else {}
    with held_engine(monkeypatch) as hold:

        def talk() -> None:
            assert plc.sees(ready=1)
            hold.close()
            assert plc.done("trigger", **named)["code"] == ReplyCode.DONE
            assert hold.entered.wait(10)
            assert plc.sees(valid=1, code=3, acquisition=1)
            plc.done("result_ack", acquisition=1)
            assert plc.done("trigger", **named)["code"] == ReplyCode.DONE
            hold.open()
            assert plc.sees(valid=1, acquisition=2)
            assert wait_until(lambda: len(plc.of("result")) == 2)

        kept = commanded(config, talk)
    assert [(one.acquisition, one.verdict) for one in kept] == [(1, Verdict.OK), (2, Verdict.NG)]
    valid = [(one["acquisition"], one["code"]) for one in plc.of("handshake") if one["valid"]]
    assert valid == [(1, 3), (2, 2)]


def test_a_window_that_the_known_rate_makes_too_long_is_refused(
    make_station: MakeStation, tmp_path: Path
) -> None:
    (tmp_path / "parts").mkdir()
    camera = {"watch": True, "rate_hz": 1}
    assert load_station(make_station(tmp_path / "parts", camera, part_ids={"source": "plc", "window_s": 0.9}))
    with pytest.raises(ConfigError, match="Set the window below"):
        load_station(make_station(tmp_path / "parts", camera, part_ids={"source": "plc", "window_s": 2}))
