"""Cameras: everything that turns the world into frames.

This is the room's face; the modules behind it (OpenCV, Aravis) are imported when a camera is
made, so that importing this costs little.
"""

from edge.cameras.camera import Camera, CameraState, CameraStatus, EndOfStream
from edge.cameras.creating import create_camera
from edge.cameras.frame import Frame
from edge.cameras.image_file import IMAGE_SUFFIXES, decode_image, read_image
from edge.cameras.order import ArrivalOrder
from edge.cameras.settings import CameraSettings, FolderSettings, GigESettings

__all__ = [
    "IMAGE_SUFFIXES",
    "ArrivalOrder",
    "Camera",
    "CameraSettings",
    "CameraState",
    "CameraStatus",
    "EndOfStream",
    "FolderSettings",
    "Frame",
    "GigESettings",
    "aravis_fake",
    "create_camera",
    "decode_image",
    "figures",
    "folder",
    "folder_listing",
    "gige",
    "gige_host",
    "lens",
    "read_image",
]
