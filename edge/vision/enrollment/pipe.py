"""The steps of an enrollment, one after the other: nothing comes back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edge.image_types import Image
from edge.progress import Progress
from edge.vision.calibration import calibrate
from edge.vision.engine import Engine
from edge.vision.enrollment.banks import BANK_ROWS, bank_of
from edge.vision.enrollment.encodings import EncodedLook, ViewEncoder
from edge.vision.enrollment.evidence import evidence_of
from edge.vision.enrollment.matching import Matcher, graph_memory
from edge.vision.enrollment.orientations import (
    AUTO,
    FINEST,
    TRIED_REFERENCES,
    check_rotations,
    explaining_rotations,
)
from edge.vision.enrollment.references import seen_references
from edge.vision.enrollment.text_worth import worth_of_text
from edge.vision.enrollment.views import (
    EVERYDAY_VIEWS,
    defect_views,
    everyday_views,
    plain_views,
    seen_defects,
    turned_views,
)
from edge.vision.memory import Memory, as_float32
from edge.vision.self_similarity import self_similarity_score
from edge.vision.view import WHOLE_FRAME, View
from edge.vision.views import TURNS_DEG

# A part in pieces shows more that can be good; but every piece is matched against all of it.
_MOST_BANKS = 4


def enroll(
    engine: Engine,
    images: Sequence[Image],
    *,
    bundle_id: str,
    rotations: str = AUTO,
    seed: int = 0,
    bank_rows: int | None = BANK_ROWS,
    view: View = WHOLE_FRAME,
    progress: Progress | None = None,
) -> Memory:
    """Learns a product.

    Args:
        engine: of the bundle that will inspect.
        images: good parts, uint8 (H, W) or (H, W, 3) BGR; one is enough, more are better.
        bundle_id: recorded, so that another bundle refuses this memory.
        rotations: ``none``, ``90`` (parts come in quarter turns), ``fine`` (in any orientation), or
            ``auto``: whichever explains the references best. One reference cannot tell: ``none``; so it
            is for parts that are looked at in pieces.
        seed: of the simulated defects and views; the same seed gives the same memory.
        bank_rows: how many good patches to keep, up to four times as many of a part in pieces; None
            keeps all.
        view: what of an image is looked at.
        progress: called as the work goes on.

    Raises:
        ProductError: no image, or an unknown kind of rotations.
        FrameError: an image that cannot be inspected.
    """
    check_rotations(rotations)
    references = seen_references(images, view, engine.input_size)
    count, pieces = len(references.images), references.pieces_each
    rng = np.random.default_rng(seed)
    encode = ViewEncoder(engine, progress or (lambda *_: None)).encode

    own = list(encode(plain_views(references), "reading references", count * pieces))
    alike = [self_similarity_score(each.encoded.features, engine.grid) for each in own]
    places = [max(alike[first : first + pieces]) for first in range(0, len(alike), pieces)]

    tried: list[EncodedLook] = []
    if rotations == AUTO and references.are_several and pieces == 1:
        numbers, angles = range(min(count, TRIED_REFERENCES)), TURNS_DEG[FINEST]
        turns = turned_views(references, numbers, angles)
        tried = list(encode(turns, "trying orientations", len(numbers) * len(angles), known=own))
        rotations = explaining_rotations(own, tried, Matcher(engine, text_worth=as_float32([0])))
    elif rotations == AUTO:
        rotations = "none"

    angles = TURNS_DEG[rotations]
    turns = turned_views(references, range(count), angles)
    seen = encode(turns, "building the bank", count * len(angles) * pieces, known=[*own, *tried])
    bank = bank_of(list(seen)).thinned(bank_rows and bank_rows * min(pieces, _MOST_BANKS), seed)

    several = references.are_several
    text_worth = worth_of_text(places)
    everyday = encode(everyday_views(references, rng), "looking at everyday views", EVERYDAY_VIEWS * pieces)
    simulated = seen_defects(references, seed)
    defects = encode(defect_views(references, simulated, rng), "simulating defects", len(simulated))
    evidence = evidence_of(
        own, () if several else everyday, defects, bank, Matcher(engine, text_worth), places
    )

    calibration = calibrate(evidence)
    good = evidence.leave_one_out if several else evidence.views
    return Memory(
        arrays=graph_memory(
            engine,
            bank=bank.features,
            bank_text=bank.text,
            scale=calibration.scale,
            text_worth=text_worth,
            boundary=as_float32([calibration.boundary]),
        ),
        bundle_id=bundle_id,
        references=count,
        rotations=rotations,
        good_scores=calibration.apply(good),
        defect_scores=calibration.apply(evidence.defects),
        boundary=calibration.boundary,
        shape=references.shape,
        view=references.view,
    )
