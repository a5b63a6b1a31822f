"""GigE Vision cameras, their streams and their buffers, as objects over libaravis."""

from __future__ import annotations

import ctypes
import threading
import time
from collections.abc import Callable, Sequence
from ctypes import POINTER, byref, c_char_p, c_double, c_int, c_int64, c_size_t, c_uint, c_uint64, c_void_p
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.cameras.aravis_library import (
    DEVICE_FIELDS,
    NUMBERS,
    AravisError,
    BufferStatus,
    ControlLost,
    DeviceErrorCode,
    call,
    load_library,
    plain,
    reference_count,
    text,
)


@dataclass(frozen=True, slots=True)
class Device:
    """A camera that answered the search.

    Attributes:
        id: Aravis' name for it, vendor, model and serial joined.
        mac: its hardware address.
        address: its IP address.
        vendor, model, serial: as it says itself.
    """

    id: str
    mac: str
    address: str
    vendor: str
    model: str
    serial: str


_MOST_HELD_S = 5.0

_searching = threading.Lock()  # the library's list of devices is one for the process


def find_devices() -> list[Device]:
    """Broadcast a search on every interface that is up and wait about a second for the answers.

    Raises:
        CameraError: the library is not installed.
    """
    with _searching:
        plain("arv_update_device_list")
        return [
            Device(*(text(plain(f"arv_get_device_{field}", index)) for field in DEVICE_FIELDS))
            for index in range(plain("arv_get_n_devices"))
        ]


class ArvStream:
    """The library's receiving thread and its buffers."""

    def __init__(self, pointer: int, payload: int, buffers: int) -> None:
        self._pointer = pointer
        for _ in range(buffers):
            plain("arv_stream_push_buffer", pointer, plain("arv_buffer_new_allocate", payload))

    def set_socket_buffer(self, size_bytes: int) -> None:
        """Give the socket a buffer of its own size: the default loses most frames without CAP_NET_RAW."""
        fixed = 0
        self._set(b"socket-buffer", fixed)
        self._set(b"socket-buffer-size", size_bytes)

    def set_packet_resend(self, wanted: bool) -> None:
        """Ask the camera again for packets that did not arrive, or never."""
        self._set(b"packet-resend", int(wanted))

    def set_frame_retention(self, retention_ms: int) -> None:
        """How long a frame waits for its next packet before it counts as incomplete."""
        self._set(b"frame-retention", retention_ms * 1000)

    def _set(self, name: bytes, value: int) -> None:
        # A variadic function: each argument's type must be said.
        load_library().g_object_set(c_void_p(self._pointer), c_char_p(name), c_int(value), c_void_p(None))

    def pop(self, timeout_s: float) -> ArvBuffer | None:
        """The next frame, whole or not; None where none came in time. Give it back with ``push``."""
        pointer = plain("arv_stream_timeout_pop_buffer", self._pointer, int(timeout_s * 1e6))
        return ArvBuffer(pointer) if pointer else None

    def push(self, buffer: ArvBuffer) -> None:
        """Give a frame's memory back; its data must not be used any more."""
        plain("arv_stream_push_buffer", self._pointer, buffer.pointer)

    def statistics(self) -> dict[str, int]:
        """The library's own counts: completed, failed, underrun, resent, missing_packets."""
        values = [c_uint64() for _ in range(5)]
        plain("arv_stream_get_statistics", self._pointer, *(byref(value) for value in values[:3]))
        plain("arv_gv_stream_get_statistics", self._pointer, *(byref(value) for value in values[3:]))
        names = ("completed", "failed", "underrun", "resent", "missing_packets")
        return {name: value.value for name, value in zip(names, values, strict=True)}

    def close(self) -> None:
        """End the thread and free the buffers."""
        plain("g_object_unref", self._pointer)


class ArvBuffer:
    """One received frame, in the library's memory."""

    def __init__(self, pointer: int) -> None:
        self.pointer = pointer

    @property
    def status(self) -> BufferStatus:
        return BufferStatus(plain("arv_buffer_get_status", self.pointer))

    @property
    def frame_id(self) -> int:
        return int(plain("arv_buffer_get_frame_id", self.pointer))

    @property
    def device_time_ns(self) -> int:
        """The camera's clock when it exposed."""
        return int(plain("arv_buffer_get_timestamp", self.pointer))

    @property
    def received_at_ns(self) -> int:
        """This machine's clock, ns since 1970, when the frame began to arrive; 0 where unknown."""
        return int(plain("arv_buffer_get_system_timestamp", self.pointer))

    @property
    def pixel_format(self) -> int:
        return int(plain("arv_buffer_get_image_pixel_format", self.pointer))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return (
            int(plain("arv_buffer_get_image_width", self.pointer)),
            int(plain("arv_buffer_get_image_height", self.pointer)),
        )

    @property
    def row_padding(self) -> int:
        """Bytes that the camera adds to each row."""
        x, y = c_int(), c_int()
        plain("arv_buffer_get_image_padding", self.pointer, byref(x), byref(y))
        return x.value

    def data(self) -> npt.NDArray[np.uint8]:
        """The payload, uint8 (N,), in the library's memory: valid until the buffer is given back."""
        size = c_size_t()
        address = plain("arv_buffer_get_image_data", self.pointer, byref(size))
        if not address:
            return np.empty(0, np.uint8)
        return np.ctypeslib.as_array(ctypes.cast(address, POINTER(ctypes.c_uint8)), (size.value,))


class ArvChunks:
    """Reads what a camera says beside the pixels, such as the exposure that it really made."""

    def __init__(self, pointer: int, names: Sequence[str]) -> None:
        self._pointer = pointer
        self._kinds = dict.fromkeys(names, "")

    def read(self, buffer: ArvBuffer) -> dict[str, int | float | str]:
        """The chunks of a frame, by their names.

        Raises:
            AravisError: one of them is not in the frame.
        """
        return {name: self._value(buffer, name) for name in self._kinds}

    def _value(self, buffer: ArvBuffer, name: str) -> int | float | str:
        # Of what type a chunk is, the library does not say: the first frame shows it.
        refusals = []
        for kind in [self._kinds[name]] if self._kinds[name] else ["integer", "float", "string"]:
            try:
                value: int | float | bytes | None = call(
                    f"arv_chunk_parser_get_{kind}_value",
                    self._pointer,
                    buffer.pointer,
                    f"Chunk{name}".encode(),
                )
            except AravisError as error:
                refusals.append(str(error))
            else:
                self._kinds[name] = kind
                return value if isinstance(value, int | float) else text(value)
        raise AravisError("; ".join(refusals), None)

    def close(self) -> None:
        plain("g_object_unref", self._pointer)


class ArvCamera:
    """One camera under this process's control.

    Args:
        name: Aravis' id, or anything else that Aravis finds it by (MAC, user name, IP).
        on_control_lost: called once, on the library's thread, when the camera stops answering.

    Raises:
        AravisError: it cannot be opened.
    """

    def __init__(self, name: str, on_control_lost: Callable[[], None]) -> None:
        with _searching:
            self._pointer = call("arv_camera_new", name.encode())
        self._device = plain("arv_camera_get_device", self._pointer)
        # The library keeps the bare function pointer: the object must live as long as the camera.
        self._callback = ControlLost(lambda _device, _data: on_control_lost())
        self._handler = plain(
            "g_signal_connect_data", self._device, b"control-lost", self._callback, None, None, 0
        )
        self._references = reference_count(self._device)
        check_always = 1
        plain("arv_camera_set_range_check_policy", self._pointer, check_always)

    def call(self, name: str, *arguments: Any) -> Any:
        """``arv_camera_<name>`` on this camera.

        Raises:
            AravisError: the camera refused.
        """
        return call(f"arv_camera_{name}", self._pointer, *arguments)

    def text(self, name: str) -> str:
        """``arv_camera_<name>`` as text."""
        return text(self.call(name))

    def bounds(self, name: str) -> tuple[float, float]:
        """The smallest and largest value that ``arv_camera_set_<name>`` takes now."""
        kind = c_double if name in NUMBERS else c_int
        low, high = kind(), kind()
        self.call(f"get_{name}_bounds", byref(low), byref(high))
        return low.value, high.value

    def region(self) -> tuple[int, int, int, int]:
        """x, y, width and height of what the camera sends."""
        values = [c_int() for _ in range(4)]
        self.call("get_region", *(byref(value) for value in values))
        x, y, width, height = (value.value for value in values)
        return x, y, width, height

    def is_controller(self) -> bool:
        """Whether this process may set the camera: another program may have been first."""
        return bool(plain("arv_gv_device_is_controller", self._device))

    def interface_address(self) -> str:
        """The IP address of this machine's interface towards the camera."""
        endpoint = plain("arv_gv_device_get_interface_address", self._device)
        raw = plain("g_inet_address_to_string", plain("g_inet_socket_address_get_address", endpoint))
        address = text(ctypes.string_at(raw))
        plain("g_free", raw)
        return address

    def pixel_formats(self) -> list[int]:
        """The codes of the formats that the camera can send."""
        count = c_uint()
        array = self.call("dup_available_pixel_formats", byref(count))
        codes = [value & 0xFFFFFFFF for value in ctypes.cast(array, POINTER(c_int64))[: count.value]]
        plain("g_free", array)
        return codes

    def trigger_sources(self) -> list[str]:
        """The names of what can trigger the camera."""
        count = c_uint()
        array = self.call("dup_available_trigger_sources", byref(count))
        names = [text(name) for name in ctypes.cast(array, POINTER(c_char_p))[: count.value]]
        plain("g_free", array)
        return names

    def has_feature(self, name: str) -> bool:
        """Whether the camera has a GenICam feature of that name, available now."""
        return bool(self.call("is_feature_available", name.encode()))

    def set_feature(self, name: str, value: str) -> str:
        """Set a GenICam feature of any type from text, and read it back as text.

        Raises:
            AravisError: no such feature, or a value that it does not take.
        """
        node = plain("arv_device_get_feature", self._device, name.encode())
        if not node:
            raise AravisError(f"there is no feature {name}", DeviceErrorCode.FEATURE_NOT_FOUND)
        call("arv_gc_feature_node_set_value_from_string", node, value.encode())
        return self.get_feature(name)

    def get_feature(self, name: str) -> str:
        """A GenICam feature of any type as text.

        Raises:
            AravisError: no such feature.
        """
        node = plain("arv_device_get_feature", self._device, name.encode())
        if not node:
            raise AravisError(f"there is no feature {name}", DeviceErrorCode.FEATURE_NOT_FOUND)
        return text(call("arv_gc_feature_node_get_value_as_string", node))

    def send_chunks(self, names: Sequence[str]) -> ArvChunks:
        """Let the camera send these chunks with every frame, and none else.

        Raises:
            AravisError: it has no such chunk.
        """
        for name in names:
            if not plain("arv_device_get_feature", self._device, f"Chunk{name}".encode()):
                raise AravisError(f"there is no chunk {name}", DeviceErrorCode.FEATURE_NOT_FOUND)
        self.call("set_chunks", ",".join(names).encode())
        return ArvChunks(plain("arv_camera_create_chunk_parser", self._pointer), names)

    def create_stream(self, buffers: int) -> ArvStream:
        """Start receiving into so many buffers of the payload's present size."""
        stream = self.call("create_stream", None, None)
        return ArvStream(stream, int(self.call("get_payload")), buffers)

    def close(self) -> None:
        """Give control back; takes seconds when the camera does not answer any more."""
        plain("g_signal_handler_disconnect", self._device, self._handler)
        self._await_other_threads()
        plain("g_object_unref", self._pointer)

    def _await_other_threads(self) -> None:
        """The library's heartbeat thread holds the device while it says that control was lost.

        Were its hold the last one, that thread would end the device and with it itself, which GLib answers
        by ending the process.
        """
        deadline = time.monotonic() + _MOST_HELD_S
        while reference_count(self._device) > self._references and time.monotonic() < deadline:
            time.sleep(0.005)
