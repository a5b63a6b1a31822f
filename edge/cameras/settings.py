"""The ``camera:`` section of a station file: one model per kind, told apart by ``kind``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from edge.cameras.pixel_formats import FAMILIES, PIXEL_FORMATS
from edge.image_size import MIN_SIDE_PX
from edge.section import Section


class _CameraSection(Section):
    """What every kind of camera has."""

    name: str = Field(
        default="camera",
        title="Name",
        description="The camera's name in records and on MQTT; one per camera of a station.",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$",
    )
    views: tuple[str, ...] = Field(
        default=(),
        title="Views",
        description="Of a product with several views: those that this camera sees. Without it, the view with "
        "the camera's name, or else the main one; a station's only camera sees all.",
    )

    @property
    def names_parts(self) -> bool:
        """Whether its parts have names by which other cameras' images of the same parts can be told."""
        return False

    @property
    def known_rate_hz(self) -> float | None:
        """How fast parts come at most, parts per second; None where the settings do not say."""
        return None


class FolderSettings(_CameraSection):
    """Images from a folder: for trials, for replays, and for cameras that write files."""

    kind: Literal["folder"] = Field(title="Kind", description="Images from a folder.")
    path: Path = Field(
        title="Folder",
        description="The folder that holds the images (JPEG, PNG, BMP, TIFF or WebP).",
    )
    subfolders: bool = Field(
        default=False, title="Subfolders", description="Also read the images in the folders below it."
    )
    loop: bool = Field(
        default=False,
        title="Loop",
        description="Start again after the last image, instead of ending the run.",
    )
    watch: bool = Field(
        default=False,
        title="Watch",
        description="After the images that are there, wait for new ones; each is taken once it is "
        "fully written. A file that is overwritten is a new part.",
    )
    settle_s: float = Field(
        default=0.5,
        ge=0,
        le=60,
        title="Settling time (s)",
        description="With watch: a file counts as fully written when its size and time have not "
        "changed for this many seconds; use 0 if files are renamed into place.",
    )
    again: bool = Field(
        default=False,
        title="Again",
        description="With watch: at every start, inspect files again that were inspected before.",
    )
    rate_hz: float | None = Field(
        default=None,
        gt=0,
        le=1000,
        title="Rate (parts per second)",
        description="The most parts per second; without it, as fast as they are inspected.",
    )

    @property
    def names_parts(self) -> bool:
        return True  # by its files' names

    @property
    def known_rate_hz(self) -> float | None:
        return self.rate_hz

    @model_validator(mode="after")
    def _loop_or_watch(self) -> FolderSettings:
        if self.loop and self.watch:
            raise ValueError(
                "loop and watch cannot be combined: a watched folder has no end after which to start again"
            )
        return self


class TriggerSettings(Section):
    """What makes a GigE Vision camera take an image."""

    source: str = Field(
        default="free",
        title="Source",
        description="free: image after image; software: one image per command of the station; "
        "otherwise the name of one of the camera's input lines, such as Line0 or Line1.",
        min_length=1,
    )
    activation: Literal["RisingEdge", "FallingEdge"] = Field(
        default="RisingEdge", title="Edge", description="With a line: the edge that triggers."
    )
    delay_us: float | None = Field(
        default=None,
        ge=0,
        title="Delay (us)",
        description="With a line: microseconds between edge and exposure; without it, the camera's own.",
    )
    window_s: float = Field(
        default=1.0,
        gt=0,
        le=60,
        title="Window (s)",
        description="With software: the image must arrive within this many seconds, or the part is an error.",
    )

    @property
    def is_free(self) -> bool:
        return self.source == "free"

    @property
    def is_software(self) -> bool:
        return self.source == "software"


class RegionSettings(Section):
    """The part of the sensor that the camera sends."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    x: int = Field(default=0, ge=0, title="Left (px)", description="First column, in pixels.")
    y: int = Field(default=0, ge=0, title="Top (px)", description="First row, in pixels.")
    width: int = Field(ge=MIN_SIDE_PX, title="Width (px)", description="Columns, in pixels, 32 or more.")
    height: int = Field(ge=MIN_SIDE_PX, title="Height (px)", description="Rows, in pixels, 32 or more.")


class GigESettings(_CameraSection):
    """A GigE Vision camera. What is not set here stays as the camera has it."""

    kind: Literal["gige"] = Field(title="Kind", description="A GigE Vision camera, through Aravis.")
    device: str | None = Field(
        default=None,
        min_length=1,
        title="Device",
        description="The camera's serial number, MAC or IP address, user-defined name, or Aravis' id; "
        "without it, the only camera on the network.",
    )
    pixel_format: str | None = Field(
        default=None, title="Pixel format", description="GenICam name, such as Mono8, BayerRG8 or RGB8."
    )
    region: RegionSettings | None = Field(
        default=None, title="Region", description="The part of the sensor that the camera sends."
    )
    exposure_us: float | None = Field(
        default=None,
        gt=0,
        title="Exposure (us)",
        description="Exposure time in microseconds; switches automatic exposure off.",
    )
    gain: float | None = Field(
        default=None,
        title="Gain",
        description="Gain in the camera's own unit, most often dB; switches automatic gain off.",
    )
    frame_rate_hz: float | None = Field(
        default=None,
        gt=0,
        title="Frame rate (1/s)",
        description="Images per second when running free.",
    )
    trigger: TriggerSettings = Field(
        default=TriggerSettings(), title="Trigger", description="What makes the camera take an image."
    )
    strobe_line: str | None = Field(
        default=None,
        min_length=1,
        title="Strobe line",
        description="The output line that is active during the exposure, such as Line2.",
    )
    ptp: bool | None = Field(
        default=None,
        title="PTP",
        description="true: the camera's clock, which stamps every frame, is synchronised over the network "
        "(IEEE 1588).",
    )
    features: dict[str, bool | int | float | str] = Field(
        default_factory=dict,
        title="Features",
        description="Any other GenICam feature by its name (gamma, white balance …), in this order.",
    )
    chunks: tuple[str, ...] = Field(
        default=(),
        title="Chunks",
        description="What the camera sends along with the pixels of every frame, by GenICam's chunk names, "
        "such as ExposureTime or LineStatusAll.",
    )
    packet_size_bytes: int | None = Field(
        default=None,
        ge=576,
        le=16384,
        title="Packet size (bytes)",
        description="Size of a packet including its headers; without it, the MTU of the network "
        "interface, up to 9000.",
    )
    packet_delay_ns: int | None = Field(
        default=None,
        ge=0,
        title="Packet delay (ns)",
        description="Pause between packets in nanoseconds, so that several cameras share one link.",
    )
    packet_resend: bool = Field(
        default=True,
        title="Packet resend",
        description="Ask the camera again for packets that did not arrive.",
    )
    frame_retention_ms: int = Field(
        default=100,
        ge=10,
        le=10_000,
        title="Frame retention (ms)",
        description="A frame counts as incomplete when none of its packets has arrived for this "
        "many milliseconds.",
    )
    socket_buffer_bytes: int = Field(
        default=4 << 20,
        ge=1 << 16,
        le=1 << 30,
        title="Socket buffer (bytes)",
        description="Receive buffer, 64 KiB to 1 GiB; net.core.rmem_max must allow it.",
    )
    buffers: int = Field(
        default=16,
        ge=2,
        le=256,
        title="Buffers",
        description="Images that may be in transfer or waiting for the station; each occupies memory.",
    )
    no_frame_s: float | None = Field(
        default=None,
        gt=0,
        le=3600,
        title="Silence (s)",
        description="The camera counts as lost when no image has arrived for this many seconds; "
        "without it, 1.5 s or "
        "three frame periods running free, and never with a trigger.",
    )

    @property
    def names_parts(self) -> bool:
        return self.trigger.is_software

    @property
    def known_rate_hz(self) -> float | None:
        return self.frame_rate_hz if self.trigger.is_free else None

    @field_validator("pixel_format")
    @classmethod
    def _known_format(cls, name: str | None) -> str | None:
        if name is not None and name not in PIXEL_FORMATS:
            raise ValueError(f"is not one of these: {FAMILIES}")
        return name


class _StreamSettings(_CameraSection):
    """What cameras have that send image after image whether anyone looks or not."""

    buffers: int = Field(
        default=2,
        ge=1,
        le=256,
        title="Buffers",
        description="Images that may wait for the station; when full, the oldest is replaced by the newest.",
    )
    no_frame_s: float = Field(
        default=2.0,
        gt=0,
        le=3600,
        title="Silence (s)",
        description="The camera counts as lost when no image has arrived for this many seconds.",
    )


class RtspSettings(_StreamSettings):
    """An IP camera's RTSP stream, over TCP."""

    kind: Literal["rtsp"] = Field(title="Kind", description="An IP camera's RTSP stream.")
    url: str = Field(
        pattern=r"^rtsps?://[^@\s]+$",
        title="Address",
        description="rtsp://host:port/path, without user and password.",
    )
    user: str | None = Field(default=None, title="User", description="The camera's account.")
    password_file: Path | None = Field(
        default=None, title="Password file", description="A file that contains only the account's password."
    )


class UvcSettings(_StreamSettings):
    """A USB camera (UVC)."""

    kind: Literal["uvc"] = Field(title="Kind", description="A USB camera.")
    device: str = Field(
        default="/dev/video0",
        pattern=r"^/dev/.+",
        title="Device",
        description="The camera's device; a name under /dev/v4l/by-id/ does not change between boots.",
    )
    width: int | None = Field(
        default=None, ge=MIN_SIDE_PX, title="Width (px)", description="Columns, in pixels."
    )
    height: int | None = Field(
        default=None, ge=MIN_SIDE_PX, title="Height (px)", description="Rows, in pixels."
    )
    frame_rate_hz: float | None = Field(
        default=None, gt=0, title="Frame rate (1/s)", description="Images per second."
    )


class VideoSettings(_CameraSection):
    """A video file, each of its frames a part."""

    kind: Literal["video"] = Field(title="Kind", description="A video file.")
    path: Path = Field(title="File", description="The video file.")
    loop: bool = Field(
        default=False,
        title="Loop",
        description="Start again after the last frame, instead of ending the run.",
    )
    rate_hz: float | None = Field(
        default=None,
        gt=0,
        le=1000,
        title="Rate (parts per second)",
        description="The most frames per second; without it, as fast as they are inspected.",
    )

    @property
    def known_rate_hz(self) -> float | None:
        return self.rate_hz


CameraSettings = Annotated[
    FolderSettings | GigESettings | RtspSettings | UvcSettings | VideoSettings, Field(discriminator="kind")
]
"""Any camera's settings, to be used as a field's type in the station's schema."""
