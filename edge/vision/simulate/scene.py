"""The good image that a defect is drawn on, prepared once for many defects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.image_types import Array, Image, Mask
from edge.vision.simulate.foreground import find_foreground


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of an image in pixels; right and bottom are exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        return self.right - self.left

    @property
    def height(self) -> int:
        return self.bottom - self.top

    @property
    def slices(self) -> tuple[slice, slice]:
        return slice(self.top, self.bottom), slice(self.left, self.right)


@dataclass(frozen=True, slots=True)
class ProposedDefect:
    """What a kind of defect proposes: new pixels float32 (h, w, 3) for one window."""

    window: Window
    pixels: Array


@dataclass(frozen=True)
class Scene:
    """A good image with what the kinds of defects need to know about it.

    Attributes:
        image: uint8 (H, W, 3) BGR.
        grey: True where all channels are equal, so that no defect brings in a colour.
        object_mask: uint8 (H, W), 255 on the object.
        background: float32 (3,) colour of the plain background, or None.
        sources: images uint8 (h, w, 3) to cut patches from: this one first, then the donors.
    """

    image: Image
    grey: bool
    object_mask: Mask
    background: Array | None
    sources: tuple[Image, ...]
    object_points: npt.NDArray[np.int32]

    @property
    def height(self) -> int:
        return int(self.image.shape[0])

    @property
    def width(self) -> int:
        return int(self.image.shape[1])

    @property
    def object_area_px(self) -> float:
        return float(np.count_nonzero(self.object_mask))

    @classmethod
    def of(cls, image: Image, donors: Sequence[Image] = ()) -> Scene:
        """Prepare a good image, uint8 (H, W) or (H, W, 3), and the donors of patches."""
        colour = as_bgr(image)
        foreground = find_foreground(colour)
        # A coarse list of object pixels is enough to draw a place from, whatever the image's size.
        step = max(1, min(colour.shape[:2]) // 128)
        rows, columns = np.nonzero(foreground.mask[::step, ::step])
        points = (np.stack([columns, rows], axis=1) * step + step // 2).astype(np.int32)
        return cls(
            image=colour,
            grey=image.ndim == 2 or _is_colourless(colour),
            object_mask=foreground.mask,
            background=foreground.background,
            sources=(colour, *(as_bgr(donor) for donor in donors)),
            object_points=points,
        )

    def place(self, rng: np.random.Generator) -> tuple[float, float]:
        """A point (x, y) on the object, every part of it alike."""
        x, y = self.object_points[rng.integers(len(self.object_points))]
        return float(x), float(y)

    def window(self, x: float, y: float, half_width: float, half_height: float) -> Window:
        """The part of a rectangle around (x, y) that lies in the image."""
        return Window(
            max(0, int(np.floor(x - half_width))),
            max(0, int(np.floor(y - half_height))),
            min(self.width, int(np.ceil(x + half_width)) + 1),
            min(self.height, int(np.ceil(y + half_height)) + 1),
        )

    def crop(self, window: Window) -> Array:
        """The good pixels of a window: float32 (h, w, 3)."""
        return self.image[window.slices].astype(np.float32)

    def on_object(self, window: Window) -> npt.NDArray[np.bool_]:
        """Where a window shows the object: bool (h, w)."""
        return self.object_mask[window.slices] > 0


def as_bgr(image: Image) -> Image:
    """A grey uint8 (H, W) image as (H, W, 3); a colour image as it is."""
    return np.repeat(image[:, :, None], 3, axis=2) if image.ndim == 2 else image


def _is_colourless(image: Image) -> bool:
    """True where a colour image has three equal channels."""
    import cv2

    blue, green, red = cv2.split(image)
    return bool(cv2.norm(blue, green, cv2.NORM_INF) == 0 and cv2.norm(green, red, cv2.NORM_INF) == 0)
