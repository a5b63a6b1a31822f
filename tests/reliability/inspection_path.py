"""The inspection path while everything around the outbox breaks: a whole station, in turns, one run.

The station is the one that a user runs (``anomalygpt-edge run``): camera, engine, records, outbox.
Its parts' times, from the camera to the verdict, are read back from its records. A turn of trouble
counts from the moment of the fault until the station has caught up: reconnecting and emptying the
outbox belong to it.
"""

from __future__ import annotations

import contextlib
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import yaml

from edge.bundle import Bundle
from edge.records import History
from tests.edge.messaging.brokers import wait_until
from tests.edge.parts import write_parts
from tests.reliability.bench import Bench
from tests.reliability.faults import Cable, fill, small_disk

_SETTLE_S = 1.0
_CATCH_UP_S = 30.0
#: Fewer say nothing of a p99.
_MIN_PARTS = 100


@dataclass
class Turn:
    """A span of one kind of trouble, or of none.

    Attributes:
        began, ended: Unix time in seconds.
    """

    trouble: str
    began: float
    ended: float


@dataclass
class Rig:
    """A whole station with what can break around it."""

    bench: Bench
    cable: Cable
    disk: Path
    process: subprocess.Popen[str]
    rate_hz: float
    turns: list[Turn] = field(default_factory=list)

    def healthy(self, seconds: float) -> None:
        """Nothing breaks."""
        began = time.time()
        time.sleep(seconds)
        self.turns.append(Turn("healthy", began, time.time()))

    def trouble(self, kind: str, seconds: float) -> None:
        """Something breaks for so long, is mended, and the station catches up."""
        began = time.time()
        TROUBLES[kind](self, seconds)
        seen = self.bench.consumer.count()
        wait_until(lambda: self.bench.consumer.count() >= seen + self.rate_hz, _CATCH_UP_S)
        self.turns.append(Turn(kind, began, time.time()))
        time.sleep(_SETTLE_S)


def _away(rig: Rig, seconds: float, number: signal.Signals) -> None:
    rig.bench.broker.kill(number)
    time.sleep(seconds)
    rig.bench.broker.start()


def _flapping(rig: Rig, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        rig.bench.broker.kill(signal.SIGTERM)
        time.sleep(0.5)
        rig.bench.broker.start()
        time.sleep(1.5)


def _frozen(rig: Rig, seconds: float) -> None:
    rig.bench.broker.send(signal.SIGSTOP)
    time.sleep(seconds)
    rig.bench.broker.send(signal.SIGCONT)


def _cut(rig: Rig, seconds: float) -> None:
    rig.cable.pull()
    time.sleep(seconds)
    rig.cable.plug()


def _full(rig: Rig, seconds: float) -> None:
    fill(rig.disk)
    time.sleep(seconds)
    (rig.disk / "filler").unlink()


TROUBLES: dict[str, Callable[[Rig, float], None]] = {
    "broker gets SIGTERM and is away": lambda rig, seconds: _away(rig, seconds, signal.SIGTERM),
    "broker gets SIGKILL and is away": lambda rig, seconds: _away(rig, seconds, signal.SIGKILL),
    "broker flaps every 2 s": _flapping,
    "broker freezes": _frozen,
    "link cut": _cut,
    "disk full": _full,
}


def inspection_path(
    folder: Path, bundle: Bundle, *, rate_hz: float, turn_s: float, rounds: int, **sections: Any
) -> dict[str, Any]:
    """The p99 from camera to verdict in each trouble and without any, in turns, in one run.

    Args:
        rate_hz: parts per second.
        turn_s: how long each trouble, and each time without any, lasts.
        rounds: how often each comes.
        sections: of the station file, beside those that the rig needs.
    """
    with rigged(folder, bundle, rate_hz, **sections) as rig:
        rig.healthy(turn_s)  # not counted: the first parts find caches empty
        rig.turns.clear()
        for _ in range(rounds):
            for kind in TROUBLES:
                rig.healthy(turn_s)
                rig.trouble(kind, turn_s)
        rig.process.send_signal(signal.SIGTERM)
        said, _ = rig.process.communicate(timeout=60)
        latencies = _latencies(rig.disk / "data")
    figures: dict[str, Any] = {
        "bundle": bundle.id,
        "rate, parts per second": rate_hz,
        "station": said.strip(),
    }
    spans: dict[str, list[float]] = {}
    for turn in rig.turns:
        of_turn = [ms for at, ms in latencies if turn.began <= at <= turn.ended]
        spans.setdefault(turn.trouble, []).extend(of_turn)
        if turn.trouble != "healthy":
            spans.setdefault("any trouble", []).extend(of_turn)
    for name, sample in spans.items():
        figures[name] = _percentiles(sample)
    figures["p99 any trouble / healthy"] = round(
        figures["any trouble"]["p99 ms"] / figures["healthy"]["p99 ms"], 3
    )
    return figures


@contextlib.contextmanager
def rigged(folder: Path, bundle: Bundle, rate_hz: float, **sections: Any) -> Iterator[Rig]:
    """A broker, a consumer, a small disk, a cable, and a station at work on them."""
    with Bench(folder, 0, rate_hz).running() as bench, Cable() as cable, small_disk(folder / "disk") as disk:
        bench.listen_on(cable)
        station = _station_file(folder, disk / "data", bundle, bench, rate_hz, sections)
        with (folder / "station.log").open("w") as log:
            process = subprocess.Popen(
                [*cable.prefix, sys.executable, "-m", "edge", "run", str(station), "--plain"],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        try:
            assert wait_until(lambda: bench.consumer.count() >= rate_hz, 60), (
                folder / "station.log"
            ).read_text()
            yield Rig(bench, cable, disk, process, rate_hz)
        finally:
            process.kill()
            process.communicate()


def _station_file(
    folder: Path, data: Path, bundle: Bundle, bench: Bench, rate_hz: float, sections: dict[str, Any]
) -> Path:
    references = write_parts(folder / "references", good=3)
    subprocess.run(
        [
            *(sys.executable, "-m", "edge", "enroll", "--product", "plate", *map(str, references)),
            *("--bundle", str(bundle.path), "--data-dir", str(data)),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    write_parts(folder / "parts", good=6, stained=2)
    content = {
        "station": {"site": "plant", "line": "a", "name": "cell-3"},
        "product": "plate",
        "bundle": str(bundle.path),
        "data_dir": str(data),
        "camera": {"kind": "folder", "path": str(folder / "parts"), "loop": True, "rate_hz": rate_hz},
        "verdict": {"decided_by": "calibration"},
        "records": {"min_free_gb": 0, "keep_images": "none"},
        "messaging": {
            "keepalive_s": 3,
            "connect_timeout_s": 3,
            "retry_max_s": 2,
            "brokers": [
                {
                    "host": bench.host,
                    "port": bench.broker.port,
                    "username": "cell-3",
                    "password_file": str(bench.broker.folder / "secret"),
                    "tls": {"ca": str(bench.pki / "ca.crt")},
                }
            ],
        },
    }
    path = folder / "station.yaml"
    path.write_text(yaml.safe_dump(content | sections))
    return path


def _latencies(data: Path) -> list[tuple[float, float]]:
    """When each part was seen, Unix time in seconds, and how long its verdict took in milliseconds."""
    inspections = (record.inspection for record in History(data).query(limit=1_000_000))
    return [
        (datetime.fromisoformat(one.captured_at.replace("Z", "+00:00")).timestamp(), one.latency_ms["total"])
        for one in inspections
        if "total" in one.latency_ms
    ]


def _percentiles(sample: list[float]) -> dict[str, float | None]:
    cuts = statistics.quantiles(sample, n=100)
    p99 = round(cuts[98], 2) if len(sample) >= _MIN_PARTS else None
    return {"parts": len(sample), "p50 ms": round(cuts[49], 2), "p99 ms": p99}
