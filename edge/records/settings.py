"""The ``records`` section of a station file: which images are kept, and for how long."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from edge.choices import WhichParts
from edge.section import Section


class RecordsSettings(Section):
    """What the history of inspections keeps.

    Every inspection has its row. Images cost most of the space, so the oldest images go first; rows
    go when they are old, or when no image is left to make room with.
    """

    keep_images: WhichParts = Field(
        default="ng",
        title="Images to keep",
        description="all: of every part. ng: of parts that are ng, an error or marked for review. none: of "
        "no part.",
    )
    image_format: Literal["jpeg", "png"] = Field(
        default="jpeg",
        title="Image format",
        description="jpeg: quality 95, small and quick. png: without loss, for future references.",
    )
    overlay: bool = Field(
        default=True,
        title="Keep the overlay",
        description="Also keep a picture of the anomaly map over each image that is kept.",
    )
    max_size_gb: float | None = Field(
        default=20.0,
        gt=0,
        title="Largest size, GB",
        description="Images and database together; the oldest images are deleted first. null: no limit.",
    )
    images_max_days: float | None = Field(
        default=90.0,
        gt=0,
        title="Oldest image, days",
        description="Images older than this are deleted; their rows stay. null: no limit.",
    )
    rows_max_days: float | None = Field(
        default=730.0,
        gt=0,
        title="Oldest row, days",
        description="Inspections older than this are deleted, with their images. null: no limit.",
    )
    min_free_gb: float = Field(
        default=1.0,
        ge=0,
        title="Disk space left free, GB",
        description="With less than this free, old images are deleted and no image is written, "
        "so that rows and the outbox keep their place.",
    )
