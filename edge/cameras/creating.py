"""From settings to the camera that they describe."""

from __future__ import annotations

from edge.cameras.camera import Camera
from edge.cameras.settings import CameraSettings, FolderSettings, GigESettings, RtspSettings, UvcSettings


def create_camera(settings: CameraSettings) -> Camera:
    """The camera that the settings describe, not yet open."""
    # Each kind's library is loaded when such a camera is wanted, and not before.
    if isinstance(settings, FolderSettings):
        from edge.cameras.folder import FolderCamera

        return FolderCamera(settings)
    if isinstance(settings, GigESettings):
        from edge.cameras.gige import gige_camera

        return gige_camera(settings)
    from edge.cameras import opencv

    if isinstance(settings, RtspSettings):
        return opencv.rtsp_camera(settings)
    if isinstance(settings, UvcSettings):
        return opencv.uvc_camera(settings)
    return opencv.video_camera(settings)
