"""A station's publishing half in a process of its own, to be cut off, starved and killed.

One thread makes inspections at a steady rate and hands them over; another makes them durable, as the
station's writer does. What is durable is printed.
"""

from __future__ import annotations

import argparse
import queue
import signal
import sys
import threading
import time
from pathlib import Path

from edge.errors import MessagingError
from edge.inspection import Inspection, Verdict, utc_timestamp
from edge.messaging import BrokerSettings, EventCode, MessagingSettings, Publisher, StationState, TlsSettings

EVENT_EVERY = 10
BATCH = 50


def make_inspection(seq: int, camera: str) -> Inspection:
    verdict = Verdict.NG if seq % 7 == 0 else Verdict.OK
    return Inspection(
        id=f"01J{seq:023d}",
        seq=seq,
        station="cell-3",
        product="bottle",
        part_id=f"part-{seq}",
        camera=camera,
        captured_at=utc_timestamp(),
        verdict=verdict,
        score=1.25,
        p_anomaly=0.5,
        words="No, there is no anomaly in the image.",
    )


class Line:
    """The two threads, from the first missing number to the last."""

    def __init__(self, publisher: Publisher, first: int, last: int, period_s: float) -> None:
        self._publisher = publisher
        self._numbers = range(first, last + 1)
        self._period_s = period_s
        self._handed: queue.Queue[Inspection | None] = queue.Queue()
        self.stop = threading.Event()

    def run(self) -> None:
        writer = threading.Thread(target=self._write)
        writer.start()
        due = time.monotonic()
        for seq in self._numbers:
            due += self._period_s
            self.stop.wait(max(0.0, due - time.monotonic()))
            if self.stop.is_set():
                break
            self._handed.put(make_inspection(seq, ("top", "side")[seq % 2]))
        self._handed.put(None)
        writer.join()

    def _write(self) -> None:
        running = True
        while running:
            batch = [self._handed.get()]
            while len(batch) < BATCH and not self._handed.empty():
                batch.append(self._handed.get_nowait())
            running = batch[-1] is not None
            inspections = [one for one in batch if one is not None]
            if not inspections:
                continue
            try:
                self._publisher.publish_inspections(inspections)
            except MessagingError as error:
                sys.stdout.write(f"lost {error}\n")
            for one in inspections:
                if one.seq % EVENT_EVERY == 0:
                    self._publisher.event(EventCode.OVERRUN, f"after part {one.seq}")
            self._publisher.heartbeat()
            sys.stdout.write(f"durable {inspections[-1].seq}\n")
            sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("ca", type=Path)
    parser.add_argument("secret", type=Path)
    parser.add_argument("--last", type=int, required=True)
    parser.add_argument("--rate", type=float, required=True)
    arguments = parser.parse_args()
    broker = BrokerSettings(
        host=arguments.host,
        port=arguments.port,
        tls=TlsSettings(ca=arguments.ca),
        username="cell-3",
        password_file=arguments.secret,
    )
    settings = MessagingSettings(
        site="plant", line="a", brokers=(broker,), keepalive_s=3, connect_timeout_s=3, retry_max_s=2
    )
    publisher = Publisher(settings, arguments.data, station="cell-3")
    publisher.start()
    publisher.set_state(StationState.RUNNING)
    line = Line(publisher, publisher.last_result_seq() + 1, arguments.last, 1 / arguments.rate)
    stopping = threading.Event()

    def stop(*_: object) -> None:
        line.stop.set()
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    line.run()
    while not stopping.is_set() and not publisher.flush(0.5):
        stopping.wait(0.1)
    dropped = sum(publisher.status().dropped.values())
    publisher.stop(1.0)
    sys.stdout.write(f"dropped {dropped}\nend\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
