"""The schema of a station file: every section, every key, every default."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from edge import paths
from edge.cameras import CameraSettings
from edge.choices import DecidedBy, QueuePolicy, RequestedPrecision, RequestedRuntime, WaitPolicy, WhichParts
from edge.errors import MessagingError
from edge.messaging import MessagingSettings, check_level
from edge.records import RecordsSettings
from edge.section import Section


class StationIdentity(Section):
    """Which station this is: ``<site>/<line>/<name>`` begins every topic on the broker."""

    site: str = Field(default="site", title="Site", description="The plant; first level of every topic.")
    line: str = Field(default="line", title="Line", description="The line; second level of every topic.")
    name: str = Field(
        title="Name",
        description="The station; third level of every topic, and the station in every record.",
    )

    @field_validator("site", "line", "name")
    @classmethod
    def _is_topic_level(cls, value: str) -> str:
        try:
            return check_level(value)
        except MessagingError as error:
            raise ValueError(str(error)) from None


class QueueSettings(Section):
    """The parts between camera and inspection."""

    size: int = Field(
        default=4,
        ge=0,
        le=1000,
        title="Size, parts",
        description="Captured parts that may wait for inspection; their images are held in memory. 0 (with "
        "wait): none does, the camera is asked for a part when the previous one is judged.",
    )
    policy: QueuePolicy = Field(
        default="wait",
        title="When it is full",
        description="wait: the camera waits. skip: the newest part becomes an error inspection (overrun). "
        "latest: the part that has waited longest becomes one.",
    )

    @model_validator(mode="after")
    def _only_a_camera_that_waits_needs_no_room(self) -> QueueSettings:
        if self.size == 0 and self.policy != "wait":
            raise ValueError(
                f"size 0 is for policy: wait; with policy: {self.policy} every part would be an error"
            )
        return self


class PartIdSettings(Section):
    """How parts get their names."""

    source: Literal["camera", "plc"] = Field(
        default="camera",
        title="Source",
        description="camera: the camera names its images. plc: cmd/trigger announces each part before the "
        "camera sees it; an image without an announcement, or the reverse, is an error.",
    )
    window_s: float = Field(
        default=2.0,
        gt=0,
        le=60,
        title="Window, seconds",
        description="With plc: an image must be taken within this time after its announcement; shorter than "
        "the time between two parts.",
    )
    views_s: float = Field(
        default=5.0,
        gt=0,
        le=600,
        title="Waiting for views, seconds",
        description="Of a product that several cameras see: a part whose other images have not come this "
        "long after the first is an error. With plc: longer than the window.",
    )

    @model_validator(mode="after")
    def _views_come_after_the_window(self) -> PartIdSettings:
        if self.source == "plc" and self.views_s <= self.window_s:
            raise ValueError(
                f"views_s is {self.views_s:g} and window_s {self.window_s:g}, so a part would be given up "
                "before its images are due. Set views_s above window_s"
            )
        return self


class VerdictSettings(Section):
    """Who says ok or ng. No key here is a threshold: the boundary comes from the good parts."""

    decided_by: DecidedBy = Field(
        default="language",
        title="Decided by",
        description="language: the language model's Yes or No. calibration: the map's score on the product's "
        "own scale. either: ng if either of the two says so.",
    )
    on_language_error: Literal["calibration", "error"] = Field(
        default="calibration",
        title="When the language model gives no verdict",
        description="calibration: the calibrated verdict, marked for review. error: the part is an error.",
    )
    timeout_s: float = Field(
        default=5.0,
        gt=0,
        le=60,
        title="Time for a verdict, seconds",
        description="The language model must answer within this time, including a restart of its "
        "process. While it is known to be down, no part waits.",
    )
    hang_s: float = Field(
        default=2.0,
        gt=0,
        le=600,
        title="Time until an inspection hangs, seconds",
        description="An inspection that takes longer than this, and more than four times the "
        "usual time, is a fault: the heartbeat stops until it has ended.",
    )


class LanguageSettings(Section):
    """The language model's process. Of no use with ``verdict.decided_by: calibration``."""

    words: WhichParts = Field(
        default="ng",
        title="Words",
        description="Which parts get a sentence, after their verdict has been sent.",
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        title="Threads",
        description="CPU threads of the language model; null: one for each core, at most four.",
    )
    wait_policy: WaitPolicy = Field(
        default="passive",
        title="Between two pieces of work",
        description="passive: its threads release their cores. active: they spin, which is faster "
        "on cores that nothing else uses.",
    )


class EngineSettings(Section):
    """How the vision graph is computed."""

    runtime: RequestedRuntime = Field(
        default="auto",
        title="Runtime",
        description="auto: TensorRT if a GPU responds and the bundle was compiled for it, otherwise "
        "OpenVINO.",
    )
    precision: RequestedPrecision = Field(
        default="auto",
        title="Precision",
        description="auto: the fastest on this machine that passed its checks.",
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        title="Threads",
        description="CPU threads of the graph; null: one for each core.",
    )
    accept_failed_parity: bool = Field(
        default=False,
        title="Accept a failed parity check",
        description="true: also use a precision, if precision names it, that failed its parity check or was "
        "never measured. The state says so all the time.",
    )


class StationConfig(Section):
    """Everything a station needs to know that it cannot find out by itself.

    From :func:`~edge.config.load_station`, every path in it is absolute.
    """

    station: StationIdentity = Field(title="Station", description="Which station this is.")
    product: str = Field(
        min_length=1,
        title="Product",
        description="The enrolled product that is inspected when the station starts.",
    )
    bundle: str | None = Field(
        default=None,
        min_length=1,
        title="Model bundle",
        description="A bundle's name, or its folder (a path has a slash). null: the default bundle.",
    )
    data_dir: Path = Field(
        default_factory=paths.data_dir,
        title="Data folder",
        description="Products, records, outbox; by default $ANOMALYGPT_EDGE_DATA or the user's data folder.",
    )
    cameras: tuple[CameraSettings, ...] = Field(
        default=(),
        max_length=64,
        title="Cameras",
        description="Several cameras instead of camera: a list of sections with the keys of camera, each "
        "with a name of its own. They share one engine and are served in turn.",
    )
    camera: CameraSettings | None = Field(
        default=None,
        validate_default=True,
        title="Camera",
        description="Where the images come from. A station has camera or cameras.",
    )
    queue: QueueSettings = Field(
        default_factory=QueueSettings, title="Queue", description="The parts between camera and inspection."
    )
    part_ids: PartIdSettings = Field(
        default_factory=PartIdSettings, title="Part ids", description="How parts get their names."
    )
    verdict: VerdictSettings = Field(
        default_factory=VerdictSettings, title="Verdict", description="Who says ok or ng."
    )
    language: LanguageSettings = Field(
        default_factory=LanguageSettings, title="Language", description="The language model's process."
    )
    engine: EngineSettings = Field(
        default_factory=EngineSettings, title="Engine", description="How the vision graph is computed."
    )
    records: RecordsSettings = Field(
        default_factory=RecordsSettings, title="Records", description="What is kept, and for how long."
    )
    messaging: MessagingSettings = Field(
        default_factory=lambda: MessagingSettings.model_validate({}),
        title="Messaging",
        description="Where verdicts are published; without it, nowhere.",
    )

    @property
    def all_cameras(self) -> tuple[CameraSettings, ...]:
        """The station's cameras, one or more."""
        return self.cameras if self.camera is None else (self.camera,)

    @field_validator("cameras")
    @classmethod
    def _names_differ(cls, cameras: tuple[CameraSettings, ...]) -> tuple[CameraSettings, ...]:
        names = [camera.name for camera in cameras]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"has two cameras named {twice[0]}; give each its own name")
        return cameras

    @field_validator("camera")
    @classmethod
    def _one_or_several(cls, camera: CameraSettings | None, info: ValidationInfo) -> CameraSettings | None:
        several = info.data.get("cameras")  # not there where they are wrong, which is said already
        if camera is None and several == ():
            raise PydanticCustomError("missing", "is missing")
        if camera is not None and several:
            raise ValueError("cannot be combined with cameras; keep one of the two")
        return camera

    @model_validator(mode="after")
    def _one_part_in_a_window(self) -> StationConfig:
        for camera in self.all_cameras:
            rate_hz = camera.known_rate_hz
            if self.part_ids.source == "plc" and rate_hz and self.part_ids.window_s >= 1 / rate_hz:
                raise ValueError(
                    f"part_ids.window_s is {self.part_ids.window_s:g} and the rate of camera "
                    f"{camera.name} "
                    f"lets parts follow {1 / rate_hz:g} s apart, so an image could belong to "
                    "either of two parts. Set "
                    "the window below that"
                )
        return self

    @model_validator(mode="after")
    def _parts_have_one_name(self) -> StationConfig:
        triggered = [one for one in self.all_cameras if one.kind == "gige" and one.trigger.is_software]
        if self.part_ids.source == "plc" and triggered:
            raise ValueError(
                "part_ids.source: plc is for a camera that the station does not trigger; a software trigger "
                "names its image already"
            )
        return self
