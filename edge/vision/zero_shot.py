"""Zero-shot: a product of which no part was ever seen, judged by the text map alone.

The bank is one row of zeros, from which every patch is at distance 1, so that the reference map says
nothing. What is left of a patch is how far the text decoder sees *abnormal* in it above what good parts
of any product show. Nothing here is measured on the product: it is a start, and one good part is worth
more.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from edge.errors import BundleError, ProductError
from edge.vision.memory import Memory, as_float32

if TYPE_CHECKING:
    from edge.bundle import Bundle
    from edge.vision.engine import Engine

_METADATA_PREFIX = "zero_shot_"
_EVERY_DISTANCE = 1.0  # To a row of zeros.
_TEXT_WORTH = 1.0  # The gain alone sets the scale.


@dataclass(frozen=True, slots=True)
class ZeroShotScale:
    """What training measured on good and anomalous parts of many products.

    The values here stand in for a bundle whose training did not measure them.

    Attributes:
        usual: the share of *abnormal* that good parts show, 0 to 1.
        gain: one over how far anomalies lie above it.
        boundary: of the verdict, on that scale.
    """

    usual: float = 0.5
    gain: float = 1.0
    boundary: float = 0.5

    @classmethod
    def of(cls, bundle: Bundle) -> ZeroShotScale:
        """As the bundle's manifest says: ``language.trained`` holds ``zero_shot_usual`` and so on.

        Raises:
            BundleError: one of them is no usable number.
        """
        trained = bundle.manifest.language.trained if bundle.manifest.language is not None else {}
        given = {f.name: trained.get(_METADATA_PREFIX + f.name) for f in fields(cls)}
        try:
            scale = cls(**{name: float(text) for name, text in given.items() if text is not None})
        except ValueError as error:
            raise _unusable(bundle, str(error)) from error
        if not (0 <= scale.usual < 1 and 0 < scale.gain < np.inf and 0 < scale.boundary < np.inf):
            raise _unusable(bundle, f"{scale} is out of range")
        return scale


def zero_shot_memory(engine: Engine, bundle: Bundle) -> Memory:
    """A memory without references.

    Args:
        engine: of the bundle.
        bundle: whose training measured the scale.

    Raises:
        ProductError: the bundle has no text map.
        BundleError: its manifest's scale cannot be used.
    """
    if "bank_text" not in engine.memory_shapes:
        raise ProductError(
            f"Bundle {bundle.name} has no text map: it cannot judge without references.",
            "Enroll a product from at least one good part.",
        )
    scale = ZeroShotScale.of(bundle)
    arrays = {
        "bank": np.zeros((1, engine.feature_width), np.float32),
        "scale": as_float32([_EVERY_DISTANCE, scale.gain]),
        "bank_text": as_float32([scale.usual]),
        "text_worth": as_float32([_TEXT_WORTH]),
        "boundary": as_float32([scale.boundary]),
    }
    return Memory(
        arrays={name: arrays[name] for name in engine.memory_shapes},
        bundle_id=bundle.id,
        references=0,
        rotations="none",
        good_scores=as_float32([]),
        defect_scores=as_float32([]),
        boundary=scale.boundary,
        shape=engine.input_size,
    )


def _unusable(bundle: Bundle, reason: str) -> BundleError:
    return BundleError(
        f"Bundle {bundle.name}: the scale for judging without references cannot be used: {reason}.",
        "Build the bundle again.",
    )
