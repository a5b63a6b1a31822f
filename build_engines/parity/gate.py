"""Proof that every precision is still right: the gate that a bundle passes before it is packed.

fp32 is compared with the source itself, tap by tap: with its own graph in another runtime, or where it
has none, with its weights computed step by step. Every other precision is compared with fp32. The image
AUROC is measured on the same labelled images for all of them; maps and verdicts on products that each
precision learns by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from build_engines.encoders import family_of
from build_engines.parity.figures import PrecisionFigures, cosines, measure
from build_engines.parity.labelled import LabelledProduct
from build_engines.parity.limits import AUROC_LIMIT, PATCH_COSINE_LIMIT
from build_engines.precision.rounding_engine import ROUNDED, RoundingEngine
from edge.bundle import Bundle, Manifest, Parity
from edge.choices import Precision
from edge.errors import BundleError, EngineError
from edge.image_types import Array, Image
from edge.progress import StepBegun
from edge.vision.engine import Engine, fit_into
from edge.vision.openvino import OpenVinoEngine, runnable_precisions

if TYPE_CHECKING:
    from rich.table import Table

MAP_DIFFERENCE_LIMIT = 0.1
"""The most that maps may differ in the mean, on the scale from 0, good, to 1, a simulated defect."""

VERDICT_AGREEMENT_LIMIT = 0.9
"""The least share of parts with fp32's verdict: those that lie at the boundary may fall to either side."""

_SOURCE_IMAGES = 3  # The source itself is slow, and the comparison is exact to many digits.


def verify(
    bundle: Bundle, source: Mapping[str, Path], products: Iterable[LabelledProduct], step: StepBegun
) -> Manifest:
    """Measures every precision of a bundle that this CPU computes.

    Args:
        bundle: from ``export``; it must have an fp32 graph.
        source: the files that the encoder's weights came from, by their role.
        products: labelled images.
        step: told of the progress.

    Returns:
        The bundle's manifest with the figures in it. What is made for GPUs is computed with its file's
        roundings by :class:`build_engines.precision.rounding_engine.RoundingEngine`; of a way of CPUs that
        this one lacks, or crashes with, there are no figures.
    """
    engines = _engines(bundle)
    tallies = {precision: PrecisionFigures() for precision in engines}
    taps = _TapsParity(bundle, source)
    for product in products:
        if taps.images < _SOURCE_IMAGES:
            taps.compare(product.reference)
            step(f"{product.name}: {taps.reference.name}")
        measure(product, bundle, engines, tallies)
        step(product.name)
    for engine in engines.values():
        engine.close()
    graphs = {
        precision: graph.model_copy(update={"parity": _parity(precision, tallies, taps)})
        for precision, graph in bundle.manifest.graphs.items()
    }
    return bundle.manifest.model_copy(update={"graphs": graphs})


def failures(manifest: Manifest) -> list[str]:
    """What is outside its limit, one sentence each; empty when all that was measured is right."""
    found = []
    for precision, graph in manifest.graphs.items():
        parity = graph.parity
        if parity is None and precision == "fp32":
            found.append("fp32 was not measured.")
        elif parity is not None and not parity.passed:
            figures = "; ".join(parity.failed) or "a figure is outside its limit"
            found.append(f"{precision} against {parity.against}: {figures}.")
    return found


def parity_table(manifest: Manifest) -> Table:
    """The figures of every precision, for a terminal."""
    from rich.table import Table

    table = Table(
        "precision", "against", "images", "patch cosine", "worst patch", "image AUROC", "map", "verdicts", ""
    )
    for precision, graph in manifest.graphs.items():
        parity = graph.parity
        if parity is None:
            table.add_row(precision, "not measured: this processor does not compute it")
            continue
        table.add_row(
            precision,
            parity.against,
            str(parity.images),
            f"{parity.patch_cosine_mean:.5f}",
            f"{parity.patch_cosine_min:.4f}",
            f"{parity.image_auroc:.4f} ({parity.image_auroc - parity.image_auroc_reference:+.4f})",
            "" if parity.map_difference_mean is None else f"{parity.map_difference_mean:.4f}",
            ""
            if parity.verdict_agreement is None
            else f"{parity.verdict_agreement:.1%} of {parity.verdicts}",
            "ok" if parity.passed else "outside a limit",
        )
    return table


def _engines(bundle: Bundle) -> dict[Precision, Engine]:
    """An engine for each precision that can be measured here, fp32 first."""
    if "fp32" not in bundle.manifest.graphs:
        raise BundleError(f"Bundle {bundle.name} has no fp32 graph to compare with.", "Export it too.")
    exact = OpenVinoEngine(bundle, "fp32", accept_failed_parity=True)
    engines: dict[Precision, Engine] = {"fp32": exact}
    runnable = runnable_precisions(bundle)
    for precision in bundle.manifest.graphs:
        if precision in ROUNDED:
            engines[precision] = RoundingEngine(bundle, precision, exact)
        elif precision in runnable and precision != "fp32":
            engines[precision] = OpenVinoEngine(bundle, precision, accept_failed_parity=True)
    return engines


class _TapsParity:
    """fp32 against the source itself, computed otherwise: the worst tap's figures."""

    def __init__(self, bundle: Bundle, source: Mapping[str, Path]) -> None:
        self._encoder = bundle.manifest.encoder
        self.reference = family_of(self._encoder.family).reference(source)
        self._run = tap_runner(bundle)
        self._by_tap: list[PrecisionFigures] = [PrecisionFigures() for _ in self._encoder.taps]
        self.images = 0

    def compare(self, image: Image) -> None:
        buffer = np.zeros((*self._encoder.input_size, 3), np.uint8)
        fit_into(image, buffer)
        expected = self.reference.taps(buffer, self._encoder.taps)
        for tally, ours, theirs in zip(self._by_tap, self._run(buffer), expected, strict=True):
            tally.add_cosines(cosines(ours, theirs))
        self.images += 1

    @property
    def mean(self) -> float:
        return min(fmean(tally.cosines) for tally in self._by_tap)

    @property
    def lowest(self) -> float:
        return min(tally.lowest for tally in self._by_tap)


def tap_runner(bundle: Bundle) -> Callable[[Image], list[Array]]:
    """The fp32 graph's taps under OpenVINO, in float32: from uint8 (H, W, 3) to (patches, width) each."""
    import openvino as ov
    from openvino import opset13 as operators

    encoder = bundle.manifest.encoder
    core = ov.Core()
    whole = core.read_model(str(bundle.file(bundle.graph("fp32").file)))
    whole.reshape({"image": [1, *encoder.input_size, 3]})
    ports = {name: port for op in whole.get_ops() for port in op.outputs() for name in port.get_names()}
    results = [operators.result(ports[f"tap.{tap}"]) for tap in encoder.taps]
    cut = ov.Model(results, [whole.input("image").get_node()], "taps")
    compiled = core.compile_model(cut, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def run(image: Image) -> list[Array]:
        outputs = compiled([image[None]])
        return [np.array(outputs[i][0]) for i in range(len(encoder.taps))]

    return run


def _parity(
    precision: Precision, tallies: dict[Precision, PrecisionFigures], taps: _TapsParity
) -> Parity | None:
    tally, reference = tallies.get(precision), tallies["fp32"]
    if tally is None:
        return None
    if not reference.aurocs:
        raise EngineError(
            "The images contain no product with both good and defective parts.", "Choose other images."
        )
    own = precision == "fp32"
    mean, lowest = (taps.mean, taps.lowest) if own else (fmean(tally.cosines), tally.lowest)
    area, area_reference = fmean(tally.aurocs), fmean(reference.aurocs)
    judged = {} if own or not tally.agreed else _judged(tally)
    found = Parity(
        against=taps.reference.name if own else "fp32",
        images=taps.images if own else len(tally.cosines),
        patch_cosine_mean=round(mean, 6),
        patch_cosine_min=round(lowest, 6),
        image_auroc=round(area, 5),
        image_auroc_reference=round(area_reference, 5),
        passed=True,
        **judged,
    )
    failed = outside_limits(precision, found)
    return found.model_copy(update={"failed": failed, "passed": not failed})


def _judged(tally: PrecisionFigures) -> dict[str, Any]:
    return {
        "map_difference_mean": round(fmean(tally.map_differences), 5),
        "map_difference_max": round(tally.widest, 4),
        "verdict_agreement": round(fmean(tally.agreed), 4),
        "verdicts": len(tally.agreed),
    }


def outside_limits(precision: Precision, parity: Parity) -> tuple[str, ...]:
    """The figures that fail a precision, one phrase each; a figure that is no number fails."""
    found = []
    if not parity.patch_cosine_mean >= PATCH_COSINE_LIMIT[precision]:
        found.append(f"patch cosine {parity.patch_cosine_mean:.5f} (limit {PATCH_COSINE_LIMIT[precision]})")
    if not parity.image_auroc >= parity.image_auroc_reference - AUROC_LIMIT:
        found.append(
            f"image AUROC {parity.image_auroc:.4f} (reference {parity.image_auroc_reference:.4f}, "
            f"limit {AUROC_LIMIT} below)"
        )
    difference, agreement = parity.map_difference_mean, parity.verdict_agreement
    if difference is not None and not difference <= MAP_DIFFERENCE_LIMIT:
        found.append(f"map difference {difference:.4f} (limit {MAP_DIFFERENCE_LIMIT})")
    if agreement is not None and not agreement >= VERDICT_AGREEMENT_LIMIT:
        found.append(f"verdict agreement {agreement:.3f} (limit {VERDICT_AGREEMENT_LIMIT})")
    return tuple(found)
