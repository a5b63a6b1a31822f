"""Which way of looking makes the references coincide: at the whole image, at the part, or at the part turned.

Where good parts are shown in the same pose, the good patch that a patch is most like lies at the same place
of another reference. Parts that lie here and there in the image, or turned, do not coincide until they
are cut out, or turned back. Simulated defects do not tell: they are found as well on parts that no view
brings together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edge.choices import Locate
from edge.errors import ProductError
from edge.image_types import Array, Image
from edge.progress import Progress
from edge.vision.engine import Engine
from edge.vision.enrollment.references import seen_references
from edge.vision.view import View

# References that are compared; more would only say the same again.
_COMPARED = 4
# Places up to so many patches apart are the same one.
_NEAR = 1
# By what share a patch may lie farther from the same place of another reference than from the most similar
# place anywhere. Chosen on bottle (.02 in the whole image), pill (.11, .10 cut out), metal_plate (.48, .46),
# toy_alien (.32, .05 cut out) and screw (.52, .54 cut out, .04 turned), with four references.
_COINCIDE = 0.075
# A part so many times as long as wide, by its moments, leaves most of a square empty, however it lies: it is
# turned, and looked at closely in a few tiles. Between toy_alien (2.4 to 2.7) and pill (1.5).
_LONG = 2.0
_LOOKS = 4


@dataclass(frozen=True, slots=True)
class ChosenView:
    """A view, and in words why this one."""

    view: View
    why: str


def choose_view(
    engine: Engine, images: Sequence[Image], view: View, progress: Progress | None = None
) -> ChosenView:
    """The simplest way to find the part that makes the references coincide; none where nothing does.

    Args:
        engine: of the bundle that will inspect.
        images: good parts, uint8 (H, W) or (H, W, 3), at least one.
        view: region, ignored places and detail, which stay; how the part is found is chosen.
        progress: called as the work goes on.

    Raises:
        ProductError, FrameError: the images cannot be seen through the view at all.
    """
    images = images[:_COMPARED]
    view = view if view.detail_px else replace(view, most_looks=0)
    whole = replace(view, locate="none")
    try:
        parts = [
            replace(view, locate="crop").part_in(image, number) for number, image in enumerate(images, 1)
        ]
    except ProductError as error:
        return ChosenView(whole, f"auto: {error.message[0].lower()}{error.message[1:].rstrip('.')}")
    if min(part.turned.elongation for part in parts) >= _LONG:
        turned = replace(view, locate="align")
        close = turned if view.detail_px else replace(turned, most_looks=_LOOKS)
        return ChosenView(close, "auto: a long part")
    if len(images) == 1:
        return ChosenView(whole, "auto: one reference does not show how parts lie")
    ways: tuple[Locate, ...] = ("none", "crop", "align")
    for done, locate in enumerate(ways):
        if progress is not None:
            progress("choosing a view", done, len(ways))
        tried = replace(view, locate=locate, detail_px=0.0, most_looks=0)
        try:
            references = seen_references(images, tried, engine.input_size)
        except ProductError:
            continue  # It has no long axis to be turned by.
        features = [engine.encode(image).features for image in references.images]
        if misplaced(features, engine.grid) <= _COINCIDE:
            return ChosenView(replace(view, locate=locate), "auto: so the references coincide")
    return ChosenView(whole, "auto: the references coincide in no view")


def misplaced(features: Sequence[Array], grid: tuple[int, int]) -> float:
    """By what share patches lie farther from the same place of other references than from any place.

    Args:
        features: of at least two references, float32 (rows · columns, width), rows of length 1.
        grid: (rows, columns) of the patches.

    Returns:
        0 where every patch's nearest lies at its own place.
    """
    rows, columns = np.divmod(np.arange(grid[0] * grid[1]), grid[1])
    far = np.maximum(np.abs(rows[:, None] - rows), np.abs(columns[:, None] - columns)) > _NEAR
    anywhere, here = 0.0, 0.0
    for number, own in enumerate(features):
        similarities = [own @ other.T for index, other in enumerate(features) if index != number]
        anywhere += float((1 - np.max([each.max(axis=1) for each in similarities], axis=0)).mean())
        here += float(
            (1 - np.max([np.where(far, -1, each).max(axis=1) for each in similarities], axis=0)).mean()
        )
    return here / max(anywhere, 1e-9) - 1
