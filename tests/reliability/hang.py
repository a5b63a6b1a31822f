"""How soon a hung inspection is told, and how soon its process is gone after a signal."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.build_engines.tiny import tiny_bundle
from tests.edge.messaging.brokers import Mosquitto, Subscriber, wait_until
from tests.edge.parts import write_parts
from tests.edge.station.conftest import enrolled_with, station_maker


def hung_inspector(folder: Path, runs: int) -> dict[str, Any]:
    """A station whose third part hangs in a C library, so many times; the slowest, in seconds."""
    bundle = tiny_bundle(folder / "bundle")
    enrolled = enrolled_with(bundle, folder / "enrolled")
    write_parts(folder / "parts", good=3)
    told_s, gone_s = [], []
    for number in range(runs):
        (here := folder / str(number)).mkdir()
        with Mosquitto(here / "broker") as broker, Subscriber(broker.port) as plc:
            station = station_maker(here, enrolled, bundle, verdict={"decided_by": "calibration"})(
                folder / "parts",
                {"loop": True, "rate_hz": 25},
                messaging={"brokers": [{"host": "127.0.0.1", "port": broker.port}]},
            )
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.edge.station.hanging_station", "native", str(station)],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            try:
                assert wait_until(lambda plc=plc: len(plc.seqs()) >= 2, 60)  # type: ignore[misc]
                began_s = time.monotonic()
                assert wait_until(lambda plc=plc: plc.of("state")[-1]["state"] == "fault", 30)  # type: ignore[misc]
                told_s.append(time.monotonic() - began_s)
                began_s = time.monotonic()
                process.send_signal(signal.SIGTERM)
                process.wait(60)
                gone_s.append(time.monotonic() - began_s)
            finally:
                process.kill()
                process.wait()
    return {"runs": runs, "told, s": round(max(told_s), 2), "gone, s": round(max(gone_s), 2)}
