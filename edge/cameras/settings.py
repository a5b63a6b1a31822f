"""The ``camera:`` section of a station file: one model per kind, told apart by ``kind``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class _Settings(BaseModel):
    """What every kind of camera has."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    name: str = Field(
        "camera",
        title="Name",
        description="The camera's name in records and on MQTT; one per camera of a station.",
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$",
    )


class FolderSettings(_Settings):
    """Images from a folder: for trials, for replays, and for cameras that write files."""

    kind: Literal["folder"] = Field(title="Kind", description="Images from a folder.")
    path: Path = Field(
        title="Folder",
        description="The folder that holds the images (JPEG, PNG, BMP, TIFF or WebP).",
    )
    subfolders: bool = Field(
        False, title="Subfolders", description="Also read the images in the folders below it."
    )
    loop: bool = Field(
        False, title="Loop", description="Start again after the last image, instead of ending the run."
    )
    watch: bool = Field(
        False,
        title="Watch",
        description="After the images that are there, wait for new ones; each is taken once it is "
        "fully written. A file that is written anew under its old name is a new part.",
    )
    settle_s: float = Field(
        0.5,
        ge=0,
        le=60,
        title="Settling time (s)",
        description="With watch: a file counts as fully written when its size and time have not "
        "changed for so many seconds, 0 to 60; 0 where files are renamed into place.",
    )
    rate_hz: float | None = Field(
        None,
        gt=0,
        le=1000,
        title="Rate (parts per second)",
        description="At most so many parts per second, up to 1000; without it, as fast as they are taken.",
    )

    @model_validator(mode="after")
    def _loop_or_watch(self) -> FolderSettings:
        if self.loop and self.watch:
            raise ValueError(
                "loop and watch exclude each other: a watched folder has no end to start again from"
            )
        return self


CameraSettings = FolderSettings
"""Any camera's settings, to be used as a field's type in the station's schema."""
