"""The proof of one precision, in a process of its own: two pictures, held against fp32's features."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np

from edge.bundle import MANIFEST_NAME, Bundle, Manifest, Parity
from edge.choices import Precision
from edge.image_types import Image
from edge.proofs import confine, right, wrong

# How much less like fp32 than on the machine that built the bundle a precision may be here: other kernels
# round otherwise, and these pictures are not those of the gate. On real parts int8 was up to 1.5 times as far
# off as in the manifest's mean; kernels that are wrong are off by hundreds of times.
_MARGIN = 4.0
_MEAN_ROUNDING, _WORST_ROUNDING = 2e-4, 2e-2  # Where the manifest found next to no difference.


def main(folder: str, precision: str, longest_s: str) -> None:
    """The proof itself, in its own process."""
    confine(2 * float(longest_s))
    from edge.vision.openvino import OpenVinoEngine

    # Its files' hashes were checked by who asks.
    manifest = Manifest.model_validate_json((Path(folder) / MANIFEST_NAME).read_bytes())
    bundle, tried = Bundle(Path(folder), manifest), cast(Precision, precision)
    exact = OpenVinoEngine(bundle, "fp32", accept_failed_parity=True)
    engine = OpenVinoEngine(bundle, tried, accept_failed_parity=True)
    pictures = _pictures()
    cosines = np.concatenate(
        [np.sum(exact.encode(each).features * engine.encode(each).features, axis=1) for each in pictures]
    )
    complaint = _off_limits(cosines, bundle.graph(tried).parity)
    told = f"mean patch cosine {cosines.mean():.5f} to fp32, worst patch {cosines.min():.4f}"
    if complaint:
        wrong(f"{told}; {complaint}")
    right(told)


def _off_limits(cosines: np.ndarray, parity: Parity | None) -> str:
    """What of the features is further from fp32 than the bundle's own figures explain; empty if nothing.

    Before its gate has measured it, a precision that ends its work is right: the gate sees more than this.
    """
    if parity is None:
        return ""
    mean = 1 - _MARGIN * (1 - parity.patch_cosine_mean) - _MEAN_ROUNDING
    worst = 1 - _MARGIN * (1 - parity.patch_cosine_min) - _WORST_ROUNDING
    # In this form a figure that is no number fails.
    if not cosines.mean() >= mean:
        return f"the mean must be {mean:.5f} at least"
    if not cosines.min() >= worst:
        return f"the worst must be {worst:.4f} at least"
    return ""


def _pictures() -> tuple[Image, Image]:
    """A part with edges on a plain ground, and a brushed surface; the same each time, uint8 (H, W, 3)."""
    import cv2

    random = np.random.default_rng(0)
    part = np.full((480, 640, 3), 60, np.uint8)
    cv2.circle(part, (320, 240), 150, (150, 160, 170), -1)
    cv2.rectangle(part, (40, 40), (140, 200), (40, 120, 60), -1)
    for left in range(200, 460, 40):
        cv2.line(part, (left, 150), (left + 20, 330), (90, 80, 70), 3)
    part = np.clip(part + random.normal(0, 6, part.shape), 0, 255).astype(np.uint8)
    brushed = cv2.GaussianBlur(random.standard_normal((480, 640), np.float32), (0, 0), sigmaX=12, sigmaY=1)
    brushed = np.clip(128 + 40 * brushed / brushed.std(), 0, 255).astype(np.uint8)
    return part, cv2.cvtColor(brushed, cv2.COLOR_GRAY2BGR)
