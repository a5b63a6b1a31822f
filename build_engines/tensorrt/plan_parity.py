"""Whether plans compute on this GPU what the fp32 graph says: after every build, since a build can be wrong.

(Seen in the field: half-precision plans of vision transformers whose features had a cosine of 0.14.)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from build_engines.graph.head import uncalibrated_memory
from build_engines.parity.labelled import LabelledProduct
from build_engines.parity.limits import AUROC_LIMIT, PATCH_COSINE_LIMIT
from edge.bundle import Bundle
from edge.choices import Precision
from edge.evaluation.metrics import auroc
from edge.image_types import Array
from edge.vision.engine import Encoded, Engine, MemoryArrays
from edge.vision.tensorrt.compiled import Compilation, folder_of, read_compilation, write_compilation

MAP_LIMIT = 1e-3
"""The most that the map may differ from the CPU's where both heads are given the same features."""


@dataclass(frozen=True, slots=True)
class PlanParity:
    """Plans against the fp32 graph in OpenVINO.

    Attributes:
        images: compared.
        cosine_mean, cosine_min: of the features, over all patches of all images.
        map_difference: the largest, of maps from the same features.
        auroc, auroc_reference: mean over products; None where no product has good and defective parts.
        repeatable: whether the same image gave the same bits twice.
    """

    images: int
    cosine_mean: float
    cosine_min: float
    map_difference: float
    auroc: float | None
    auroc_reference: float | None
    repeatable: bool

    def failures(self, precision: Precision) -> list[str]:
        """What is beyond its limit, one sentence each."""
        found = []
        limit = PATCH_COSINE_LIMIT[precision]
        if not self.cosine_mean >= limit:  # Not a number is no pass.
            found.append(f"Mean patch cosine {self.cosine_mean:.5f}, limit {limit}.")
        if not self.map_difference <= MAP_LIMIT:
            found.append(f"Maps differ by {self.map_difference:.1e}, limit {MAP_LIMIT:.0e}.")
        if self.auroc is not None and not self.auroc >= (self.auroc_reference or 0) - AUROC_LIMIT:
            found.append(f"Image AUROC {self.auroc:.4f}, fp32 {self.auroc_reference:.4f}.")
        if not self.repeatable:
            found.append("The same image did not give the same bits twice.")
        return found


def plan_parity(engine: Engine, reference: Engine, products: Iterable[LabelledProduct]) -> PlanParity:
    """Measures an engine against the reference, image by image.

    Args:
        engine: of the same bundle, in any precision.
        reference: in fp32.
        products: labelled images.
    """
    cosines: list[float] = []
    lowest, map_difference, repeatable = 1.0, 0.0, True
    areas: list[tuple[float, float]] = []
    for product in products:
        ours, theirs = engine.encode(product.reference), reference.encode(product.reference)
        memories = [_memory(e, encoded) for e, encoded in ((engine, ours), (reference, theirs))]
        scores: list[tuple[float, float]] = []
        for image, _ in product.parts:
            own, exact = engine.encode(image), reference.encode(image)
            repeatable &= np.array_equal(own.features, engine.encode(image).features)
            of_patches = _cosines(own.features, exact.features)
            cosines.append(float(of_patches.mean()))
            lowest = min(lowest, float(of_patches.min()))
            expected = reference.match(exact, memories[1])
            same_input = engine.match(exact, memories[1])
            map_difference = max(map_difference, float(np.abs(same_input.map - expected.map).max()))
            scores.append((engine.match(own, memories[0]).score, expected.score))
        labels = [defective for _, defective in product.parts]
        area, area_reference = (auroc([pair[i] for pair in scores], labels) for i in (0, 1))
        if area is not None and area_reference is not None:
            areas.append((area, area_reference))
    return PlanParity(
        images=len(cosines),
        cosine_mean=float(np.mean(cosines)),
        cosine_min=lowest,
        map_difference=map_difference,
        auroc=float(np.mean([a for a, _ in areas])) if areas else None,
        auroc_reference=float(np.mean([b for _, b in areas])) if areas else None,
        repeatable=repeatable,
    )


def record_gate(bundle: Bundle, precision: Precision, passed: bool) -> Compilation:
    """Writes beside the plans whether they passed; an engine of plans that did not is not taken by itself.

    Raises:
        EngineError: nothing was compiled, or the cache cannot be written.
    """
    measured = read_compilation(bundle, precision).model_copy(update={"passed": passed})
    write_compilation(folder_of(bundle, precision), measured)
    return measured


def _memory(engine: Engine, encoded: Encoded) -> MemoryArrays:
    plain = uncalibrated_memory(engine.memory_shapes, encoded.features)
    if encoded.text is not None and "bank_text" in plain:
        plain["bank_text"] = encoded.text
    return plain


def _cosines(a: Array, b: Array) -> Array:
    """The cosine of each row of ``a`` to the same row of ``b``."""
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosines: Array = (a * b).sum(axis=1) / lengths
    return cosines
