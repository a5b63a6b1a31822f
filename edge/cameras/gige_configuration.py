"""A GigE Vision camera's settings: checked against its ranges, set, and read back.

Names of features differ between cameras (``ExposureTime``, ``ExposureTimeAbs``), so what Aravis
knows by meaning goes through Aravis. A refusal names what the camera allows.
"""

from __future__ import annotations

import math
import socket

from edge.cameras.aravis import ArvCamera
from edge.cameras.aravis_library import AravisError, DeviceErrorCode
from edge.cameras.pixel_formats import PIXEL_FORMATS
from edge.cameras.settings import GigESettings, RegionSettings, TriggerSettings
from edge.errors import CameraError

_NAMES = {pixel_format.code: name for name, pixel_format in PIXEL_FORMATS.items()}

# Cameras round times and gains to steps of their own; further away than this it is another value.
_ROUNDING = 0.1

_LARGEST_PACKET_BYTES = 9000
_TRIGGER_DELAY = ("TriggerDelay", "TriggerDelayAbs")
_PTP = ("PtpEnable", "GevIEEE1588")
_OFF, _CONTINUOUS = 0, 0


def configure(camera: ArvCamera, settings: GigESettings) -> tuple[str, float | None]:
    """Apply the settings.

    Returns:
        What the camera is and how it is set, one sentence; and after how many seconds without an
        image it counts as lost (None: silence is normal).

    Raises:
        CameraError: a value that the camera does not take, with those that it does.
        AravisError: the camera did not answer, or refused for another reason.
    """
    # A controller that crashed leaves its camera acquiring, for an address where nobody listens any more.
    camera.call("stop_acquisition")
    camera.call("set_acquisition_mode", _CONTINUOUS)
    pixel_format = _set_pixel_format(camera, settings.pixel_format)
    if settings.region is not None:
        _set_region(camera, settings.region)
    # The frame rate goes before the trigger: setting it switches triggers off.
    if settings.frame_rate_hz is not None:
        if not settings.trigger.is_free:
            raise CameraError(
                "camera.frame_rate_hz applies only to a free-running camera.", "Remove it, or the trigger."
            )
        _set_number(camera, "frame_rate", settings.frame_rate_hz, "camera.frame_rate_hz")
    if settings.exposure_us is not None:
        _switch_off_automatic(camera, "exposure")
        _set_number(camera, "exposure_time", settings.exposure_us, "camera.exposure_us")
    if settings.gain is not None:
        _switch_off_automatic(camera, "gain")
        _set_number(camera, "gain", settings.gain, "camera.gain")
    _set_trigger(camera, settings.trigger)
    if settings.strobe_line is not None:
        _set_strobe(camera, settings.strobe_line)
    if settings.ptp is not None:
        _set_first(camera, "camera.ptp", _PTP, settings.ptp)
    for name, value in settings.features.items():
        _set_feature(camera, name, value)
    packet_bytes = _set_packets(camera, settings)
    _, _, width, height = camera.region()
    model = f"{camera.text('get_vendor_name')} {camera.text('get_model_name')}"
    serial = camera.text("get_device_serial_number")
    exposure = _describe_number(camera, "exposure_time", "us")
    description = (
        f"{model} {serial}, {width}x{height} {pixel_format}{exposure}, packets of {packet_bytes} bytes"
    )
    return description, _no_frame_s(camera, settings)


def _set_pixel_format(camera: ArvCamera, name: str | None) -> str:
    offered = {_NAMES[code] for code in camera.pixel_formats() if code in _NAMES}
    allowed = ", ".join(sorted(offered)) or "none that is understood here"
    if name is not None:
        if name not in offered:
            raise CameraError(
                f"camera.pixel_format {name} is not offered by the camera.", f"It offers {allowed}."
            )
        camera.call("set_pixel_format", PIXEL_FORMATS[name].code)
    code = int(camera.call("get_pixel_format"))
    if code not in _NAMES or (name is not None and _NAMES[code] != name):
        raise CameraError(
            f"The camera is set to pixel format 0x{code:08x}.",
            f"Set camera.pixel_format; it offers {allowed}.",
        )
    return _NAMES[code]


def _set_region(camera: ArvCamera, region: RegionSettings) -> None:
    # At the origin the size has its full range; offsets have theirs once the size is set.
    _, _, width, height = camera.region()
    camera.call("set_region", 0, 0, width, height)
    _check_side(camera, "width", region.width)
    _check_side(camera, "height", region.height)
    camera.call("set_region", 0, 0, region.width, region.height)
    _check_side(camera, "x_offset", region.x, "x")
    _check_side(camera, "y_offset", region.y, "y")
    wanted = (region.x, region.y, region.width, region.height)
    camera.call("set_region", *wanted)
    if camera.region() != wanted:
        raise CameraError(
            f"camera.region: the camera changed {wanted} to {camera.region()}.",
            "Use the value that the camera chose.",
        )


def _check_side(camera: ArvCamera, name: str, value: int, key: str | None = None) -> None:
    low, high = camera.bounds(name)
    step = max(1, int(camera.call(f"get_{name}_increment")))
    if not low <= value <= high or (value - int(low)) % step:
        raise CameraError(
            f"camera.region.{key or name} {value} is not possible with this camera.",
            f"It takes {int(low)} to {int(high)} in steps of {step}.",
        )


def _set_number(camera: ArvCamera, name: str, value: float, key: str) -> None:
    if not camera.call(f"is_{name}_available"):
        raise CameraError(f"{key}: the camera has no such setting.", f"Remove {key}.")
    low, high = camera.bounds(name)
    if not low <= value <= high:
        raise CameraError(f"{key} {value:g} is out of the camera's range.", f"It takes {low:g} to {high:g}.")
    camera.call(f"set_{name}", value)
    made = float(camera.call(f"get_{name}"))
    if not math.isclose(made, value, rel_tol=_ROUNDING, abs_tol=_ROUNDING):
        raise CameraError(
            f"{key}: the camera changed {value:g} to {made:g}.", "Use the value that the camera chose."
        )


def _switch_off_automatic(camera: ArvCamera, name: str) -> None:
    if camera.call(f"is_{name}_auto_available"):
        setter = "set_exposure_time_auto" if name == "exposure" else "set_gain_auto"
        camera.call(setter, _OFF)


def _set_trigger(camera: ArvCamera, trigger: TriggerSettings) -> None:
    if trigger.is_free:
        camera.call("clear_triggers")
        return
    source = "Software" if trigger.is_software else trigger.source
    offered = camera.trigger_sources()
    if source not in offered:
        raise CameraError(
            f"camera.trigger.source {trigger.source} is not a trigger of this camera.",
            f"It offers {', '.join(offered).replace('Software', 'software')}, and free.",
        )
    camera.call("set_trigger", source.encode())
    if trigger.is_software:
        return
    _set_feature(camera, "TriggerActivation", trigger.activation)
    if trigger.delay_us is not None:
        _set_first(camera, "camera.trigger.delay_us", _TRIGGER_DELAY, trigger.delay_us)


def _set_strobe(camera: ArvCamera, line: str) -> None:
    """Let a line be on while the camera exposes."""
    _set_feature(camera, "LineSelector", line)
    if camera.has_feature("LineMode"):  # a line that is an output for good has none
        _set_feature(camera, "LineMode", "Output")
    _set_feature(camera, "LineSource", "ExposureActive")


def _set_first(camera: ArvCamera, key: str, names: tuple[str, ...], value: bool | float) -> None:
    """Set the first of these features that the camera has: their names changed with the years."""
    name = next((name for name in names if camera.has_feature(name)), None)
    if name is None:
        raise CameraError(f"{key}: the camera has no such setting.", f"Remove {key}.")
    _set_feature(camera, name, value)


def _set_feature(camera: ArvCamera, name: str, value: bool | int | float | str) -> None:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    try:
        made = camera.set_feature(name, text)
    except AravisError as error:
        if error.code is DeviceErrorCode.FEATURE_NOT_FOUND:
            raise CameraError(f"The camera has no feature {name}.", "Remove it.") from error
        if error.code is None:  # the feature's own refusal, which names its range
            raise CameraError(
                f"The camera refuses {name} {text}: {error}.", "Use a value that it accepts."
            ) from error
        raise
    if not _same(made, text):
        raise CameraError(
            f"{name}: the camera changed {text} to {made}.", "Use the value that the camera chose."
        )


def _same(made: str, wanted: str) -> bool:
    truths = {"true": "1", "false": "0"}
    made, wanted = (truths.get(value.lower(), value) for value in (made, wanted))
    if made == wanted:
        return True
    try:
        return math.isclose(float(made), float(wanted), rel_tol=_ROUNDING)
    except ValueError:
        return False


def _set_packets(camera: ArvCamera, settings: GigESettings) -> int:
    wanted = settings.packet_size_bytes or _mtu_to(camera)
    if wanted:
        camera.call("gv_set_packet_size", wanted)
    if settings.packet_delay_ns is not None:
        camera.call("gv_set_packet_delay", settings.packet_delay_ns)
    made = int(camera.call("gv_get_packet_size"))
    if settings.packet_size_bytes and made != settings.packet_size_bytes:
        raise CameraError(
            f"camera.packet_size_bytes: the camera changed {settings.packet_size_bytes} to {made}.",
            "Use the value that the camera chose, or remove the key.",
        )
    return made


def _mtu_to(camera: ArvCamera) -> int | None:
    """The largest packet that the interface towards the camera passes, None where that is unknown."""
    import psutil

    own = camera.interface_address()
    for interface, addresses in psutil.net_if_addrs().items():
        if any(address.family is socket.AF_INET and address.address == own for address in addresses):
            mtu = min(int(psutil.net_if_stats()[interface].mtu), _LARGEST_PACKET_BYTES)
            return mtu - mtu % 4
    return None


def _describe_number(camera: ArvCamera, name: str, unit: str) -> str:
    if not camera.call(f"is_{name}_available"):
        return ""
    return f", exposure {float(camera.call(f'get_{name}')):g} {unit}"


def _no_frame_s(camera: ArvCamera, settings: GigESettings) -> float | None:
    if settings.no_frame_s is not None or not settings.trigger.is_free:
        return settings.no_frame_s
    rate_hz = float(camera.call("get_frame_rate")) if camera.call("is_frame_rate_available") else 0.0
    return max(1.5, 3 / rate_hz) if rate_hz > 0 else 1.5
