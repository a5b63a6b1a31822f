"""Aravis' simulated GigE Vision camera, showing given pictures: a real device on a real network stack.

It speaks the whole protocol (search, control, registers, streaming) through the same library that
production receives with, and is what the demo films with where no camera is at hand.
"""

from __future__ import annotations

import ctypes
import socket
from collections.abc import Callable
from ctypes import c_char_p, c_int, c_size_t, c_uint32, c_void_p
from typing import Any

import numpy as np

from edge.cameras.aravis_library import load_library
from edge.cameras.pixel_formats import PIXEL_FORMATS
from edge.errors import CameraError
from edge.image_types import Image

_FillPattern = ctypes.CFUNCTYPE(None, c_void_p, c_void_p, c_uint32, c_uint32, c_uint32)

_FUNCTIONS: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "arv_gv_fake_camera_new": (c_void_p, (c_char_p, c_char_p)),
    "arv_gv_fake_camera_get_fake_camera": (c_void_p, (c_void_p,)),
    "arv_fake_camera_read_register": (c_int, (c_void_p, c_uint32, ctypes.POINTER(c_uint32))),
    "arv_fake_camera_set_fill_pattern": (None, (c_void_p, _FillPattern, c_void_p)),
    "arv_buffer_get_data": (c_void_p, (c_void_p, ctypes.POINTER(c_size_t))),
}

_WIDTH_REGISTER, _HEIGHT_REGISTER = 0x100, 0x104  # as arvfakecamera.h names them

CONTROL_PORT = 3956
"""Of every GigE Vision camera."""

LARGEST_SIDE_PX = 2048
"""Of its sensor."""


class FakeGigECamera:
    """A simulated camera on one address of this machine; it needs no rights. A context manager.

    Args:
        address: IPv4 address of an interface; ``127.0.0.1`` is seen by this machine alone.
        serial: what it says of itself.
        next_picture: gives what the camera sees now; called for each frame, on the camera's thread.
            It is scaled to the region and converted to Mono8 or RGB8, whichever is set.

    Raises:
        CameraError: the library is missing, or the address cannot be used.
    """

    def __init__(self, address: str, serial: str, next_picture: Callable[[], Image]) -> None:
        self._library = load_library()
        for name, (result, arguments) in _FUNCTIONS.items():
            function = getattr(self._library, name)
            function.restype, function.argtypes = result, arguments
        self._usable_size = ctypes.CDLL(None).malloc_usable_size
        self._usable_size.restype, self._usable_size.argtypes = c_size_t, (c_void_p,)
        self._next_picture = next_picture
        _check_port(address)
        self._camera = self._library.arv_gv_fake_camera_new(address.encode(), serial.encode())
        # The library keeps the bare function pointer: the object must live as long as the camera.
        self._fill_pattern = _FillPattern(self._fill)
        self._device = self._library.arv_gv_fake_camera_get_fake_camera(self._camera)
        self._library.arv_fake_camera_set_fill_pattern(self._device, self._fill_pattern, None)

    def close(self) -> None:
        """Switch the camera off."""
        if self._camera is not None:
            self._library.g_object_unref(self._camera)
            self._camera = None

    def __enter__(self) -> FakeGigECamera:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _fill(self, buffer: int, _data: int, _exposure_us: int, _gain: int, pixel_format: int) -> None:
        width, height = self._register(_WIDTH_REGISTER), self._register(_HEIGHT_REGISTER)
        pixels = _as_sent(self._next_picture(), width, height, pixel_format).tobytes()
        # The library tells how much it received into a buffer, not how much one holds: the allocator knows.
        address = self._library.arv_buffer_get_data(buffer, None)
        ctypes.memmove(address, pixels, min(len(pixels), self._usable_size(address)))

    def _register(self, address: int) -> int:
        value = c_uint32()
        self._library.arv_fake_camera_read_register(self._device, address, ctypes.byref(value))
        return value.value


def _check_port(address: str) -> None:
    # The library shares its port with whoever has it, and then each gets some of the packets.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, CONTROL_PORT))
        except OSError as error:
            raise CameraError(
                f"No simulated camera can start on {address}, UDP port {CONTROL_PORT}: {error.strerror}.",
                f"End the program that uses it (ss -lunp sport = :{CONTROL_PORT}), or choose another "
                f"address.",
            ) from error


def _as_sent(picture: Image, width: int, height: int, pixel_format: int) -> Image:
    """The picture in the camera's region and format."""
    import cv2

    if picture.shape[:2] != (height, width):
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)
    coloured = pixel_format == PIXEL_FORMATS["RGB8"].code
    if coloured and picture.ndim == 2:
        return np.repeat(picture[:, :, None], 3, axis=2)
    if coloured:
        return np.ascontiguousarray(picture[:, :, ::-1])
    return picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY).astype(np.uint8)
