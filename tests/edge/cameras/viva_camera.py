"""A second, independent implementation of GigE Vision as a peer: viva-genicam's fake camera.

Run as a program inside the cameras' namespace; each line on its input is a method to call, whose
result is its answer.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.edge.cameras.gige_network import ADDRESSES


class VivaCamera:
    """The peer as a process of its own.

    It answers a search only when asked at its own address, so it must be named by that.
    """

    address = ADDRESSES[0]

    def __init__(self, namespace: str, **options: Any) -> None:
        self._process = subprocess.Popen(
            ["ip", "netns", "exec", namespace, sys.executable, "-m", __name__, json.dumps(options)],
            cwd=Path(__file__).parents[3],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._answer() is True

    def ask(self, method: str) -> Any:
        """Call a method of ``viva_genicam.testing.FakeGigeCamera``."""
        assert self._process.stdin is not None
        self._process.stdin.write(method + "\n")
        self._process.stdin.flush()
        return self._answer()

    def power_off(self) -> None:
        with self._process:  # closes its pipes too
            self._process.kill()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


def _main() -> None:
    from viva_genicam.testing import FakeGigeCamera

    options = json.loads(sys.argv[1])
    options["drop_packets"] = [tuple(packet) for packet in options.get("drop_packets", [])]
    with FakeGigeCamera(bind_ip=VivaCamera.address, **options) as camera:
        print(json.dumps(True), flush=True)
        for line in sys.stdin:
            print(json.dumps(getattr(camera, line.strip())()), flush=True)


if __name__ == "__main__":
    _main()
