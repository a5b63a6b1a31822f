"""libaravis, loaded once, with the signatures of the few functions that a GigE Vision camera needs.

The system's library is used as it is: nothing to build, and the thread that receives packets is
the library's own, so Python's lock never holds a packet up. Names and signatures follow the
headers of Aravis 0.8.
"""

from __future__ import annotations

import ctypes
from ctypes import POINTER, byref, c_char_p, c_double, c_int, c_int64, c_size_t, c_uint, c_uint64, c_void_p
from enum import IntEnum
from functools import lru_cache
from typing import Any

from edge.errors import CameraError

LIBRARY = "libaravis-0.8.so.0"


class BufferStatus(IntEnum):
    """How a frame arrived; only ``SUCCESS`` is a whole image."""

    UNKNOWN = -1
    SUCCESS = 0
    CLEARED = 1
    TIMEOUT = 2
    MISSING_PACKETS = 3
    WRONG_PACKET_ID = 4
    SIZE_MISMATCH = 5
    FILLING = 6
    ABORTED = 7

    @classmethod
    def _missing_(cls, value: object) -> BufferStatus:  # noqa: ARG003 - the enum's own signature
        return cls.UNKNOWN  # a newer library has more reasons for a frame that is not whole


class DeviceErrorCode(IntEnum):
    """Aravis' own reasons for a refusal."""

    WRONG_FEATURE = 0
    FEATURE_NOT_FOUND = 1
    NOT_CONNECTED = 2
    PROTOCOL_ERROR = 3
    TRANSFER_ERROR = 4
    TIMEOUT = 5
    NOT_FOUND = 6
    INVALID_PARAMETER = 7
    GENICAM_NOT_FOUND = 8
    NO_STREAM_CHANNEL = 9
    NOT_CONTROLLER = 10
    UNKNOWN = 11

    @classmethod
    def _missing_(cls, value: object) -> DeviceErrorCode:  # noqa: ARG003
        return cls.UNKNOWN


class AravisError(Exception):
    """What libaravis answered instead of doing it.

    Attributes:
        code: the reason, where it is one of the device's; None where it is another part's.
    """

    def __init__(self, message: str, code: DeviceErrorCode | None) -> None:
        super().__init__(message)
        self.code = code


class _GError(ctypes.Structure):
    _fields_ = (("domain", c_uint), ("code", c_int), ("message", c_char_p))


class _GObject(ctypes.Structure):
    """How every GObject begins; the layout is part of GLib's binary interface."""

    _fields_ = (("type", c_void_p), ("references", c_uint))


DEVICE_FIELDS = ("id", "physical_id", "address", "vendor", "model", "serial_nbr")

ControlLost = ctypes.CFUNCTYPE(None, c_void_p, c_void_p)

# Result and arguments of each function; those below take a GError** after their arguments.
_PLAIN: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "arv_update_device_list": (None, ()),
    "arv_get_n_devices": (c_uint, ()),
    "arv_disable_interface": (None, (c_char_p,)),
    "arv_device_error_quark": (c_uint, ()),
    **{f"arv_get_device_{field}": (c_char_p, (c_uint,)) for field in DEVICE_FIELDS},
    "arv_camera_get_device": (c_void_p, (c_void_p,)),
    "arv_camera_set_range_check_policy": (None, (c_void_p, c_int)),
    "arv_camera_create_chunk_parser": (c_void_p, (c_void_p,)),
    "arv_device_get_feature": (c_void_p, (c_void_p, c_char_p)),
    "arv_gv_device_is_controller": (c_int, (c_void_p,)),
    "arv_gv_device_get_interface_address": (c_void_p, (c_void_p,)),
    "g_inet_socket_address_get_address": (c_void_p, (c_void_p,)),
    "g_inet_address_to_string": (c_void_p, (c_void_p,)),
    "arv_stream_push_buffer": (None, (c_void_p, c_void_p)),
    "arv_stream_timeout_pop_buffer": (c_void_p, (c_void_p, c_uint64)),
    "arv_stream_get_statistics": (None, (c_void_p, POINTER(c_uint64), POINTER(c_uint64), POINTER(c_uint64))),
    "arv_gv_stream_get_statistics": (None, (c_void_p, POINTER(c_uint64), POINTER(c_uint64))),
    "arv_buffer_new_allocate": (c_void_p, (c_size_t,)),
    "arv_buffer_get_status": (c_int, (c_void_p,)),
    "arv_buffer_get_frame_id": (c_uint64, (c_void_p,)),
    "arv_buffer_get_timestamp": (c_uint64, (c_void_p,)),
    "arv_buffer_get_system_timestamp": (c_uint64, (c_void_p,)),
    "arv_buffer_get_image_data": (c_void_p, (c_void_p, POINTER(c_size_t))),
    "arv_buffer_get_image_pixel_format": (c_uint, (c_void_p,)),
    "arv_buffer_get_image_width": (c_int, (c_void_p,)),
    "arv_buffer_get_image_height": (c_int, (c_void_p,)),
    "arv_buffer_get_image_padding": (None, (c_void_p, POINTER(c_int), POINTER(c_int))),
    "g_object_unref": (None, (c_void_p,)),
    "g_clear_error": (None, (POINTER(POINTER(_GError)),)),
    "g_free": (None, (c_void_p,)),
    "g_signal_connect_data": (c_uint64, (c_void_p, c_char_p, ControlLost, c_void_p, c_void_p, c_int)),
    "g_signal_handler_disconnect": (None, (c_void_p, c_uint64)),
}
NUMBERS = ("exposure_time", "gain", "frame_rate")
_SIDES = ("width", "height", "x_offset", "y_offset")
_CAN_FAIL: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "arv_camera_new": (c_void_p, (c_char_p,)),
    "arv_camera_create_stream": (c_void_p, (c_void_p, c_void_p, c_void_p)),
    "arv_camera_start_acquisition": (None, (c_void_p,)),
    "arv_camera_stop_acquisition": (None, (c_void_p,)),
    "arv_camera_software_trigger": (None, (c_void_p,)),
    "arv_camera_set_trigger": (None, (c_void_p, c_char_p)),
    "arv_camera_clear_triggers": (None, (c_void_p,)),
    "arv_camera_get_payload": (c_uint, (c_void_p,)),
    "arv_camera_get_vendor_name": (c_char_p, (c_void_p,)),
    "arv_camera_get_model_name": (c_char_p, (c_void_p,)),
    "arv_camera_get_device_serial_number": (c_char_p, (c_void_p,)),
    "arv_camera_get_string": (c_char_p, (c_void_p, c_char_p)),
    "arv_camera_set_pixel_format": (None, (c_void_p, c_uint)),
    "arv_camera_get_pixel_format": (c_uint, (c_void_p,)),
    "arv_camera_dup_available_pixel_formats": (c_void_p, (c_void_p, POINTER(c_uint))),
    "arv_camera_dup_available_trigger_sources": (c_void_p, (c_void_p, POINTER(c_uint))),
    "arv_camera_set_region": (None, (c_void_p, c_int, c_int, c_int, c_int)),
    "arv_camera_get_region": (None, (c_void_p, *(POINTER(c_int),) * 4)),
    "arv_camera_set_chunks": (None, (c_void_p, c_char_p)),
    "arv_chunk_parser_get_integer_value": (c_int64, (c_void_p, c_void_p, c_char_p)),
    "arv_chunk_parser_get_float_value": (c_double, (c_void_p, c_void_p, c_char_p)),
    "arv_chunk_parser_get_string_value": (c_char_p, (c_void_p, c_void_p, c_char_p)),
    "arv_camera_set_acquisition_mode": (None, (c_void_p, c_int)),
    "arv_camera_is_feature_available": (c_int, (c_void_p, c_char_p)),
    "arv_camera_set_exposure_time_auto": (None, (c_void_p, c_int)),
    "arv_camera_set_gain_auto": (None, (c_void_p, c_int)),
    "arv_camera_is_exposure_auto_available": (c_int, (c_void_p,)),
    "arv_camera_is_gain_auto_available": (c_int, (c_void_p,)),
    "arv_camera_gv_set_packet_size": (None, (c_void_p, c_int)),
    "arv_camera_gv_get_packet_size": (c_uint, (c_void_p,)),
    "arv_camera_gv_set_packet_delay": (None, (c_void_p, c_int64)),
    "arv_camera_gv_get_packet_delay": (c_int64, (c_void_p,)),
    "arv_gc_feature_node_set_value_from_string": (None, (c_void_p, c_char_p)),
    "arv_gc_feature_node_get_value_as_string": (c_char_p, (c_void_p,)),
    **{f"arv_camera_set_{number}": (None, (c_void_p, c_double)) for number in NUMBERS},
    **{f"arv_camera_get_{number}": (c_double, (c_void_p,)) for number in NUMBERS},
    **{f"arv_camera_is_{number}_available": (c_int, (c_void_p,)) for number in NUMBERS},
    **{f"arv_camera_get_{n}_bounds": (None, (c_void_p, *(POINTER(c_double),) * 2)) for n in NUMBERS},
    **{f"arv_camera_get_{side}_bounds": (None, (c_void_p, *(POINTER(c_int),) * 2)) for side in _SIDES},
    **{f"arv_camera_get_{side}_increment": (c_int, (c_void_p,)) for side in _SIDES},
}


@lru_cache(maxsize=1)
def load_library() -> ctypes.CDLL:
    """libaravis with every function's signature.

    Raises:
        CameraError: it is not on this machine.
    """
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise CameraError(
            "GigE Vision needs the Aravis library, which is not installed on this machine.",
            "Install it: sudo apt-get install libaravis-0.8-0",
        ) from error
    for name, (result, arguments) in _PLAIN.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    for name, (result, arguments) in _CAN_FAIL.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, (*arguments, POINTER(POINTER(_GError)))
    library.arv_disable_interface(b"USB3Vision")
    return library


def plain(name: str, *arguments: Any) -> Any:
    return getattr(load_library(), name)(*arguments)


def reference_count(pointer: int) -> int:
    """How many hold a GObject."""
    return int(_GObject.from_address(pointer).references)


def call(name: str, *arguments: Any) -> Any:
    """Call a function that reports errors through a GError.

    Raises:
        AravisError: it reported one.
    """
    library = load_library()
    error = POINTER(_GError)()
    result = getattr(library, name)(*arguments, byref(error))
    if not error:
        return result
    is_device = error.contents.domain == library.arv_device_error_quark()
    code = DeviceErrorCode(error.contents.code) if is_device else None
    message = (error.contents.message or b"").decode(errors="replace")
    library.g_clear_error(byref(error))
    raise AravisError(message, code)


def text(raw: bytes | None) -> str:
    return (raw or b"").decode(errors="replace")
