"""A view as a person asks for it, over the one that a product has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from edge.choices import Locate, RequestedLocate
from edge.errors import ProductError
from edge.vision.view.areas import Polygon, box_of, polygon_of, polygons_of_mask
from edge.vision.view.view import View

NOTHING = "none"
MILLIMETRES = "mm"


@dataclass(frozen=True)
class AskedView:
    """What was asked for; what was not stays as it is.

    Attributes:
        roi: a box as text, or ``none``.
        ignore: areas as text, or ``none`` alone.
        mask: a painted image.
        locate: whether and how the part is found; ``auto`` leaves it to who enrolls.
        detail: the side of the smallest defect that must be seen, in pixels of the references, in
            millimetres with ``mm``, or ``none``.
        mm_per_px: of the references.
        looks: at most so many at each part; 0: as many as the detail takes.
    """

    roi: str | None = None
    ignore: Sequence[str] = ()
    mask: Path | None = None
    locate: RequestedLocate | None = None
    detail: str | None = None
    mm_per_px: float | None = None
    looks: int | None = None

    def over(self, kept: View, shape: tuple[int, int]) -> View:
        """The view of a product whose references are of ``shape`` (H, W); enrollment learns the rest.

        Raises:
            ProductError: an area or a size that is none, or a mask of another size.
        """
        if self.detail is not None:
            kept = replace(kept, detail_px=_pixels(self.detail, self.mm_per_px), most_looks=0)
        if self.looks is not None:
            kept = replace(kept, most_looks=self.looks)
        locate: Locate = (
            kept.locate if self.locate is None else "none" if self.locate == "auto" else self.locate
        )
        if self.roi is None and not self._asks_to_ignore and locate == kept.locate:
            return kept
        if not kept.is_whole and kept.shape != shape and (self.roi is None or not self._asks_to_ignore):
            raise ProductError(
                f"The product's view is of images of {kept.shape[1]}x{kept.shape[0]} px.",
                "Give both --roi and --ignore for the new ones (none: the whole image, nothing).",
            )
        roi = kept.roi if self.roi is None else None if self.roi == NOTHING else box_of(self.roi)
        ignore = self._ignored(shape) if self._asks_to_ignore else kept.ignore
        asked_for = locate == kept.locate or self.looks is not None or kept.detail_px > 0
        most_looks = kept.most_looks if asked_for else 0  # else enrollment had chosen it for the other way
        return View(shape, roi, ignore, locate, detail_px=kept.detail_px, most_looks=most_looks)

    @property
    def _asks_to_ignore(self) -> bool:
        return bool(self.ignore) or self.mask is not None

    def _ignored(self, shape: tuple[int, int]) -> tuple[Polygon, ...]:
        if list(self.ignore) == [NOTHING]:
            return ()
        polygons = tuple(map(polygon_of, self.ignore))
        return polygons if self.mask is None else (*polygons, *self._painted(self.mask, shape))

    def _painted(self, path: Path, shape: tuple[int, int]) -> tuple[Polygon, ...]:
        mask = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
        if mask is None:
            raise ProductError(f"{path} is not an image.", "Save it as PNG.")
        if mask.shape != shape:
            raise ProductError(
                f"{path} has {mask.shape[1]}x{mask.shape[0]} px, the references have {shape[1]}x{shape[0]}.",
                "Paint on a copy of a reference.",
            )
        return polygons_of_mask(np.asarray(mask, np.uint8), path)


def _pixels(text: str, mm_per_px: float | None) -> float:
    """A length as a person writes it, in pixels; 0 for ``none``.

    Raises:
        ProductError: it is none, or in millimetres of which nobody said how many a pixel has.
    """
    if text == NOTHING:
        return 0.0
    number, is_mm = text.removesuffix(MILLIMETRES).strip(), text.endswith(MILLIMETRES)
    if is_mm and mm_per_px is None:
        raise ProductError(f"{text!r} is in millimetres.", "Say how many a pixel has: --mm-per-px 0.04.")
    try:
        length = float(number) / (mm_per_px if is_mm and mm_per_px else 1)
    except ValueError:
        length = 0.0
    if not 1 <= length < 1e5:
        measured = f" ({length:.2g} px)" if is_mm and length else ""
        raise ProductError(
            f"{text!r}{measured} is no size of a defect.",
            "Write its side in pixels of the references, at least one, or in millimetres: --detail 12, or "
            "--detail 0.5mm --mm-per-px 0.04.",
        )
    return length
