"""The demo's parts as a line shows them: a GigE Vision camera that the PLC triggers over MQTT.

The camera is Aravis' simulated one, a process of its own on this machine's loopback (UDP port 3956); it
needs no rights, and no packet leaves the machine. Whether the station triggers it for a part, what it
sends and under which id the image arrives is the real thing.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from edge.cameras import read_image
from edge.demo.proof import Subscriber
from edge.errors import CameraError
from edge.image_types import Image
from edge.terminal.image_files import images_in

ADDRESS = "127.0.0.1"
_LARGEST_SIDE_PX = 2048
_WINDOW_S = 10.0  # the simulated camera may share a busy machine with the model
_VERDICT_S = 30.0
_AGAIN_S = 0.3


def camera_section(picture: Image) -> dict[str, Any]:
    """The station file's ``camera`` for pictures like this one."""
    height, width = picture.shape[:2]
    scale = min(1.0, _LARGEST_SIDE_PX / max(height, width))
    return {
        "kind": "gige",
        "device": ADDRESS,
        "pixel_format": "Mono8" if picture.ndim == 2 else "RGB8",
        "region": {"width": round(width * scale), "height": round(height * scale)},
        "trigger": {"source": "software", "window_s": _WINDOW_S},
        "frame_retention_ms": 2000,
    }


class SimulatedCamera:
    """The camera's process: each trigger shows it the folder's next image. A context manager.

    Raises:
        CameraError: Aravis is missing, or the port is taken.
    """

    def __init__(self, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> SimulatedCamera:
        assert self._process.stdout is not None
        said = self._process.stdout.readline().strip()
        if said != "ready":
            self._process.communicate()
            raise CameraError(
                said or "The simulated camera did not start.", "Run the demo without --camera gige."
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()  # its input ends, and so does it


class SimulatedPlc:
    """Plays the line's PLC: triggers part after part and waits for each verdict. A context manager.

    Args:
        plc: hears the results.
        parts: their ids, in the order in which the camera sees them.
        rate_hz: at most so many a second.
        ended: called after the last verdict.
    """

    def __init__(
        self, plc: Subscriber, parts: Sequence[str], rate_hz: float, ended: Callable[[], None]
    ) -> None:
        self._plc = plc
        self._parts = parts
        self._period_s = 1 / rate_hz
        self._ended = ended
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="demo-line")

    def __enter__(self) -> SimulatedPlc:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        for part in self._parts:
            while not self._plc.trigger(part) and not self._stopping.wait(_AGAIN_S):
                pass  # the camera is not there yet
            if self._stopping.is_set() or not self._plc.wait_for_part(part, _VERDICT_S):
                break
            if self._stopping.wait(self._period_s):
                break
        self._ended()


def _main() -> None:
    """Show a folder's images, in the order of their names, until the input ends."""
    from edge.cameras.aravis_fake import FakeGigECamera

    files = images_in(Path(sys.argv[1]))
    shown = map(read_image, itertools.chain(files, itertools.repeat(files[-1])))
    try:
        with FakeGigECamera(ADDRESS, "DEMO", lambda: next(shown)):
            print("ready", flush=True)
            sys.stdin.read()
    except CameraError as error:
        print(error, flush=True)


if __name__ == "__main__":
    _main()
