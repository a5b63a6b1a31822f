"""A program that reads a GigE Vision camera and reports each frame, to be killed by a test and started again.

Every frame is one line of JSON on its output, stamped by the machine's monotonic clock, which all
processes share.
"""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge.cameras import EndOfStream, GigESettings, create_camera


@dataclass(frozen=True, slots=True)
class Report:
    """One frame as the program saw it; the counters are the camera's ``status`` after it."""

    at_s: float
    frame_id: int
    error: str
    missed: int
    total_frames: int
    total_errors: int
    total_missed: int
    losses: int

    @property
    def is_loss(self) -> bool:
        return "is lost" in self.error


class GigEClient:
    """The program as a process of its own, in the network namespace of whoever starts it.

    Attributes:
        reports: of every frame since the program was started.
        began_s: when it began to look for the camera; a busy machine imports Python for seconds.
    """

    def __init__(self, **settings: Any) -> None:
        self._settings = json.dumps({"kind": "gige", **settings})
        self.start()

    def start(self) -> None:
        self.reports: list[Report] = []
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - as long as the program
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, self._settings],
            cwd=Path(__file__).parents[3],
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        threading.Thread(target=self._listen, args=(self._process, self._lines), daemon=True).start()
        self.began_s = float(self._lines.get(timeout=20))

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()

    def next(self, timeout_s: float) -> Report:
        """The next frame's report; kept in ``reports``."""
        try:
            report = Report(**json.loads(self._lines.get(timeout=timeout_s)))
        except queue.Empty:
            self._log.seek(0)
            how = f"no frame for {timeout_s:g} s; the program's exit code: {self._process.poll()}"
            raise AssertionError(f"{how}; it said:\n{self._log.read()}") from None
        self.reports.append(report)
        return report

    def catch_up(self) -> None:
        """Take what was reported already."""
        while not self._lines.empty():
            self.next(1)

    @staticmethod
    def _listen(process: subprocess.Popen[str], lines: queue.SimpleQueue[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                lines.put(line)


def _main() -> None:
    import edge.cameras.gige  # noqa: F401 - counted as the program's start

    print(time.monotonic(), flush=True)
    with create_camera(GigESettings.model_validate_json(sys.argv[1])) as camera:
        while True:
            try:
                frame = camera.read(timeout_s=1)
            except EndOfStream:
                return
            if frame is None:
                continue
            status = camera.status
            report = {
                "at_s": time.monotonic(),
                "frame_id": frame.frame_id,
                "error": frame.error,
                "missed": frame.missed,
                "total_frames": status.frames,
                "total_errors": status.errors,
                "total_missed": status.missed,
                "losses": status.losses,
            }
            print(json.dumps(report), flush=True)


if __name__ == "__main__":
    _main()
