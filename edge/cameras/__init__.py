"""Cameras: everything that turns the world into frames.

This is the room's face; the modules behind it (OpenCV, Aravis) are imported when a camera is
made, so that importing this costs little.
"""

from edge.cameras.camera import Camera, CameraState, CameraStatus, EndOfStream, create_camera
from edge.cameras.frame import Frame, Image
from edge.cameras.image_file import IMAGE_SUFFIXES, decode_image, read_image
from edge.cameras.order import Order
from edge.cameras.settings import (
    CameraSettings,
    FolderSettings,
    GigESettings,
    RtspSettings,
    UvcSettings,
    VideoSettings,
)

__all__ = [
    "IMAGE_SUFFIXES",
    "Camera",
    "CameraSettings",
    "CameraState",
    "CameraStatus",
    "EndOfStream",
    "FolderSettings",
    "Frame",
    "GigESettings",
    "Image",
    "Order",
    "RtspSettings",
    "UvcSettings",
    "VideoSettings",
    "create_camera",
    "decode_image",
    "read_image",
]
