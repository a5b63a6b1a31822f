"""A hung inspection is told at once, its heart stops, and the process ends when it is told to."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.cameras import Frame
from edge.cameras.folder import FolderCamera
from edge.config import StationConfig
from edge.inspection import Verdict
from edge.station.judging import Judged
from edge.station.opening import opened_station
from tests.edge.messaging.brokers import MOSQUITTO, Mosquitto, Subscriber, wait_until
from tests.edge.parts import write_parts
from tests.edge.station.slow_engine import Hold, held_engine
from tests.edge.station.test_commands import Commander, commanded, plc
from tests.edge.station.test_pipeline import recorded
from tests.edge.station.test_process import recorded_verdicts

__all__ = ["plc"]

#: A loaded machine may be late; the PLC's three seconds are what is promised on a free one.
TOLD_S = 3.0


def test_a_hung_inspection_is_a_fault_without_a_heartbeat_until_it_goes_on(
    station: Callable[..., StationConfig], tmp_path: Path, plc: Commander, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_parts(tmp_path / "parts", good=2)
    config = station(
        tmp_path / "parts",
        camera={"loop": True, "rate_hz": 20},
        messaging={"brokers": [plc.broker], "heartbeat_s": 0.2},
    )
    with held_engine(monkeypatch) as hold:

        def talk() -> None:
            assert wait_until(lambda: len(plc.of("result")) >= 3 and len(plc.of("heartbeat")) >= 3)
            hold.close()
            assert hold.entered.wait(10)
            hung_s = time.monotonic()
            assert wait_until(lambda: plc.of("state")[-1]["state"] == "fault")
            assert time.monotonic() - hung_s < TOLD_S
            assert "has not ended in 2 s" in plc.of("state")[-1]["text"]
            assert wait_until(lambda: "component" in [alarm["alarm"] for alarm in plc.of("alarm")])
            beats = len(plc.of("heartbeat"))
            time.sleep(1.0)
            assert len(plc.of("heartbeat")) == beats
            hold.open()
            assert wait_until(lambda: plc.of("state")[-1]["state"] == "running")
            assert wait_until(lambda: len(plc.of("heartbeat")) > beats)

        kept = commanded(config, talk)
    assert all(one.verdict is not Verdict.ERROR for one in kept)


def test_a_camera_that_does_not_come_back_from_a_read_is_a_fault_too(
    station: Callable[..., StationConfig], tmp_path: Path, plc: Commander, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.station.pipeline.CAMERA_HANG_S", 1.0)
    write_parts(tmp_path / "parts", good=2)
    config = station(
        tmp_path / "parts",
        camera={"loop": True, "rate_hz": 20},
        messaging={"brokers": [plc.broker], "heartbeat_s": 0.2},
    )
    hold, read = Hold(), FolderCamera.read

    def held(self: FolderCamera, timeout_s: float) -> Frame | None:
        hold.wait()
        return read(self, timeout_s)

    monkeypatch.setattr(FolderCamera, "read", held)

    def talk() -> None:
        try:
            assert wait_until(lambda: plc.of("result") and plc.of("heartbeat"))
            hold.close()
            assert wait_until(lambda: "has not answered in 1 s" in plc.of("state")[-1]["text"])
            beats = len(plc.of("heartbeat"))
            time.sleep(1.0)
            assert len(plc.of("heartbeat")) <= beats + 1
        finally:
            hold.open()
        assert wait_until(lambda: plc.of("state")[-1]["state"] == "running")

    commanded(config, talk)


def test_a_language_worker_that_is_stopped_is_a_fault_long_before_its_time_is_over(
    speaking_station: Callable[..., StationConfig], tmp_path: Path, plc: Commander
) -> None:
    write_parts(tmp_path / "parts", good=2)
    config = speaking_station(
        tmp_path / "parts", camera={"loop": True, "rate_hz": 4}, messaging={"brokers": [plc.broker]}
    )
    stopped: list[int] = []

    def stop(judged: Judged) -> None:
        decider = opened._rooms.judge.decider
        if judged.inspection.seq == 5 and decider is not None and decider.worker.pid is not None:
            os.kill(decider.worker.pid, signal.SIGSTOP)
            stopped.append(decider.worker.pid)

    def talk() -> None:
        try:
            assert wait_until(lambda: bool(stopped), 60)
            assert wait_until(lambda: "has not ended in" in plc.of("state")[-1]["text"], 30)
            assert plc.of("state")[-1]["state"] == "fault"
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
        assert wait_until(lambda: plc.of("state")[-1]["state"] == "running")

    with opened_station(config, [stop]) as opened, ThreadPoolExecutor(1) as plc_side:
        talking = plc_side.submit(talk)
        talking.add_done_callback(lambda _: opened.stop())
        opened.run()
        talking.result()
    assert all(one.verdict is not Verdict.ERROR for one in recorded(config))


@contextmanager
def hanging(kind: str, station: Path, **environment: str) -> Iterator[subprocess.Popen[str]]:
    """A station's process whose third part hangs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.edge.station.hanging_station", kind, str(station)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
@pytest.mark.parametrize(
    ("kind", "within_s"), [("native", 12), pytest.param("python", 12, marks=pytest.mark.slow), ("frozen", 22)]
)
def test_a_hung_station_is_gone_in_time_after_a_signal(
    looping: Path, broker: Mosquitto, kind: str, within_s: float
) -> None:
    with Subscriber(broker.port) as plc, hanging(kind, looping) as process:
        assert wait_until(lambda: len(plc.seqs()) >= 2, 60)
        time.sleep(4 if kind == "frozen" else 1)  # the part that hangs is under way
        told_s = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=60)
        assert time.monotonic() - told_s < within_s
        assert process.returncode == 1
        verdicts = recorded_verdicts(looping)
        if kind == "frozen":  # nothing can be written down any more; the last will tells
            assert "Timeout (0:00:15)!" in err
            assert wait_until(lambda: plc.of("state")[-1]["state"] == "offline", 30)
            return
        assert "ended by force" in err
        assert [verdict.value for verdict in verdicts[:2]] == ["ok", "ok"]
        assert len(verdicts) > 2 and {verdict.value for verdict in verdicts[2:]} == {"error"}


@pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")
def test_systemd_hears_that_it_is_ready_and_nothing_more_once_it_hangs(looping: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(60)
        with hanging("native", looping, NOTIFY_SOCKET=str(tmp_path / "notify")) as process:
            assert systemd.recv(1000) == b"READY=1"
            heard = []
            while b"STATUS=fault" not in (message := systemd.recv(1000)):
                heard.append(message)
            assert heard.count(b"WATCHDOG=1") > 2
            systemd.settimeout(2)
            with pytest.raises(TimeoutError):
                systemd.recv(1000)
            assert process.poll() is None
