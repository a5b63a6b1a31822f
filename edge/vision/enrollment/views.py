"""The looks that an enrollment takes at references: as they are, turned, moved a little, with a defect."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from edge.image_types import Image
from edge.vision.calibration import TYPICAL_CONTRAST, TYPICAL_SIZE
from edge.vision.enrollment.references import References
from edge.vision.simulate import SIZES, SimulatedDefect, simulate_many
from edge.vision.views import everyday_view, turned

DEFECTS = 56
"""Simulated defects that a product's scale is made from."""

EVERYDAY_VIEWS = 8
"""Views of a lone reference, which does not show how good parts differ."""


# The areas of simulated defects, as multiples of the smallest one that must be seen.
_DETAIL_SIZES = 2.0


@dataclass(frozen=True, eq=False, slots=True)
class Look:
    """One look at a reference, or at a piece of it.

    Attributes:
        reference: its index.
        image: uint8, what the encoder is shown.
        angle_deg: how far the reference is turned; None for a look that chance has a part in.
        typical_defect: whether a defect is simulated on it that a person would see at once.
        piece: which piece of the part it shows.
        part: pieces of one part, as it looked once, have the same number.
    """

    reference: int
    image: Image
    angle_deg: float | None = None
    typical_defect: bool = False
    piece: int = 0
    part: int = 0


def plain_views(references: References) -> list[Look]:
    """The references as they are."""
    return [
        Look(number, seen, 0.0, piece=piece, part=number)
        for number, image in enumerate(references.images)
        for piece, seen in enumerate(references.pieces(image))
    ]


def turned_views(
    references: References, numbers: Iterable[int], angles_deg: Sequence[float]
) -> Iterator[Look]:
    """Some of the references, each turned to each of the angles; made when they are asked for."""
    for number in numbers:
        for angle_deg in angles_deg:
            image = references.covered(turned(references.images[number], angle_deg))
            for piece, seen in enumerate(references.pieces(image)):
                yield Look(number, seen, angle_deg, piece=piece)


def everyday_views(references: References, rng: np.random.Generator) -> Iterator[Look]:
    """The first reference as it could look the next time."""
    for part in range(EVERYDAY_VIEWS):
        image = references.covered(everyday_view(references.images[0], rng))
        for piece, seen in enumerate(references.pieces(image)):
            yield Look(0, seen, piece=piece, part=part)


def seen_defects(references: References, seed: int) -> list[SimulatedDefect]:
    """Simulated defects, spread evenly over all pieces, without those that lie where nothing is seen.

    Where a person has said how small a defect must be seen, they are so small: what is larger is seen all the
    more, and would only draw the boundary away from good parts.

    The ``source`` of each is the number of its piece: all of the first reference, then all of the next.
    """
    pieces = [seen for image in references.images for seen in references.pieces(image)]
    least = references.detail_share
    sizes = (least, least * _DETAIL_SIZES) if least else SIZES
    defects = simulate_many(pieces, DEFECTS, seed, sizes)
    if not references.view.ignore:
        return defects
    return [defect for defect in defects if _is_seen(references, defect)] or defects


def _is_seen(references: References, defect: SimulatedDefect) -> bool:
    piece = defect.source % references.pieces_each
    hidden = references.hidden(piece, (defect.mask.shape[0], defect.mask.shape[1]))
    marked = defect.mask > 0
    return bool(np.count_nonzero(marked & hidden) * 2 < np.count_nonzero(marked))


def defect_views(
    references: References, defects: Iterable[SimulatedDefect], rng: np.random.Generator
) -> Iterator[Look]:
    """The references' pieces with defects on them.

    On the very image that a lone reference's bank is made of, all but the defect would match exactly:
    there each is shown as an everyday view.
    """
    least = 0.0 if references.detail_share else TYPICAL_SIZE
    for part, defect in enumerate(defects):
        shown = defect.image if references.are_several else everyday_view(defect.image, rng)
        reference, piece = divmod(defect.source, references.pieces_each)
        seen = references.covered_piece(piece, shown)
        typical = defect.size_fraction >= least and defect.contrast >= TYPICAL_CONTRAST
        yield Look(reference, seen, typical_defect=typical, piece=piece, part=part)
