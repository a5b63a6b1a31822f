"""Making a GigE Vision camera and reading it, with an end to every wait."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from edge.cameras import CameraState, CameraStatus, Frame, GigESettings, create_camera
from edge.cameras.live import LiveCamera


def camera_with(**settings: Any) -> LiveCamera:
    camera = create_camera(GigESettings.model_validate({"kind": "gige", **settings}))
    assert isinstance(camera, LiveCamera)
    return camera


def take(camera: LiveCamera, count: int, timeout_s: float = 20) -> list[Frame]:
    """So many frames, good and bad, before the time is over."""
    deadline = time.monotonic() + timeout_s
    frames: list[Frame] = []
    while len(frames) < count:
        assert time.monotonic() < deadline, f"{len(frames)} of {count} frames; {camera.status}"
        if frame := camera.read(timeout_s=0.5):
            frames.append(frame)
    return frames


def wait_for(
    camera: LiveCamera, condition: Callable[[CameraStatus], bool], timeout_s: float = 20
) -> list[Frame]:
    """Read until the camera's status is as wanted; the frames that came meanwhile."""
    deadline = time.monotonic() + timeout_s
    frames: list[Frame] = []
    while not condition(camera.status):
        assert time.monotonic() < deadline, camera.status
        if frame := camera.read(timeout_s=0.1):
            frames.append(frame)
    return frames


def is_streaming(status: CameraStatus) -> bool:
    return status.state is CameraState.STREAMING
