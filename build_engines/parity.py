"""Proof that every precision is still right: the gate that a bundle passes before it is packed.

fp32 is compared with the source itself, tap by tap: with its own graph in another runtime, or where it
has none, with its weights computed step by step. Every other precision is compared with fp32. The image
AUROC is measured on the same labelled images for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np

from build_engines.encoders import family_of
from build_engines.head import uncalibrated_memory
from build_engines.labelled import LabelledProduct
from edge.bundle import Bundle, Manifest, Parity, Precision
from edge.errors import BundleError, EngineError
from edge.evaluation.metrics import auroc
from edge.vision.engine import Array, Image, MemoryArrays, fit_into
from edge.vision.openvino import OpenVinoEngine, cpu_precisions

if TYPE_CHECKING:
    from rich.table import Table

PATCH_COSINE_LIMIT: dict[Precision, float] = {"fp32": 0.9999, "bf16": 0.998, "int8": 0.998}
"""The least mean cosine of a patch's features to the reference."""

AUROC_LIMIT = 0.005
"""The most that the image AUROC may fall below that of fp32."""

_SOURCE_IMAGES = 3  # The source itself is slow, and the comparison is exact to many digits.

Step = Callable[[str], None]
"""Called with a title when a product or image was measured."""


def verify(
    bundle: Bundle, source: Mapping[str, Path], products: Iterable[LabelledProduct], step: Step
) -> Manifest:
    """Measures every precision of a bundle that this CPU computes.

    Args:
        bundle: from ``export``; it must have an fp32 graph.
        source: the files that the encoder's weights came from, by their role.
        products: labelled images.
        step: told of the progress.

    Returns:
        The bundle's manifest with the figures in it; of a precision that this CPU lacks there are none.
    """
    available = cpu_precisions()
    engines = {p: OpenVinoEngine(bundle, p) for p in bundle.manifest.graphs if p in available}
    if "fp32" not in engines:
        raise BundleError(f"Bundle {bundle.name} has no fp32 graph to compare with.", "Export it too.")
    tallies = {precision: _Tally() for precision in engines}
    taps = _TapsParity(bundle, source)
    for product in products:
        if taps.images < _SOURCE_IMAGES:
            taps.compare(product.reference)
            step(f"{product.name}: {taps.reference.name}")
        _measure(product, engines, tallies)
        step(product.name)
    for engine in engines.values():
        engine.close()
    graphs = {
        precision: graph.model_copy(update={"parity": _parity(precision, tallies, taps)})
        for precision, graph in bundle.manifest.graphs.items()
    }
    return bundle.manifest.model_copy(update={"graphs": graphs})


def failures(manifest: Manifest) -> list[str]:
    """What is below its limit, one sentence each; empty when all that was measured is right."""
    found = []
    for precision, graph in manifest.graphs.items():
        parity = graph.parity
        if parity is None and precision == "fp32":
            found.append("fp32 was not measured.")
        elif parity is not None and not parity.passed:
            found.append(
                f"{precision} against {parity.against}: patch cosine {parity.patch_cosine_mean:.5f} "
                f"(limit {PATCH_COSINE_LIMIT[precision]}), image AUROC {parity.image_auroc:.4f} "
                f"(reference {parity.image_auroc_reference:.4f}, limit {AUROC_LIMIT} below)."
            )
    return found


def parity_table(manifest: Manifest) -> Table:
    """The figures of every precision, for a terminal."""
    from rich.table import Table

    table = Table("precision", "against", "images", "patch cosine", "worst patch", "image AUROC", "")
    for precision, graph in manifest.graphs.items():
        parity = graph.parity
        if parity is None:
            table.add_row(precision, "not measured: this CPU does not compute it")
            continue
        table.add_row(
            precision,
            parity.against,
            str(parity.images),
            f"{parity.patch_cosine_mean:.5f}",
            f"{parity.patch_cosine_min:.4f}",
            f"{parity.image_auroc:.4f} ({parity.image_auroc - parity.image_auroc_reference:+.4f})",
            "ok" if parity.passed else "below its limit",
        )
    return table


@dataclass(slots=True)
class _Tally:
    """One precision's figures as they add up."""

    cosines: list[float] = field(default_factory=list)
    lowest: float = 1.0
    aurocs: list[float] = field(default_factory=list)

    def add(self, cosines: Array) -> None:
        self.cosines.append(float(cosines.mean()))
        self.lowest = min(self.lowest, float(cosines.min()))


def _measure(
    product: LabelledProduct, engines: dict[Precision, OpenVinoEngine], tallies: dict[Precision, _Tally]
) -> None:
    memories: dict[Precision, MemoryArrays] = {
        precision: uncalibrated_memory(engine.memory_shapes, engine.encode(product.reference).features)
        for precision, engine in engines.items()
    }
    scores: dict[Precision, list[float]] = {precision: [] for precision in engines}
    for image, _ in product.parts:
        encoded = {precision: engine.encode(image) for precision, engine in engines.items()}
        for precision, engine in engines.items():
            tallies[precision].add(_cosines(encoded[precision].features, encoded["fp32"].features))
            scores[precision].append(engine.match(encoded[precision], memories[precision]).score)
    labels = [defective for _, defective in product.parts]
    for precision, of_parts in scores.items():
        area = auroc(of_parts, labels)
        if area is not None:
            tallies[precision].aurocs.append(area)


class _TapsParity:
    """fp32 against the source itself, computed otherwise: the worst tap's figures."""

    def __init__(self, bundle: Bundle, source: Mapping[str, Path]) -> None:
        self._encoder = bundle.manifest.encoder
        self.reference = family_of(self._encoder.family).reference(source)
        self._run = tap_runner(bundle)
        self._by_tap: list[_Tally] = [_Tally() for _ in self._encoder.taps]
        self.images = 0

    def compare(self, image: Image) -> None:
        buffer = np.zeros((*self._encoder.input_size, 3), np.uint8)
        fit_into(image, buffer)
        expected = self.reference.taps(buffer, self._encoder.taps)
        for tally, ours, theirs in zip(self._by_tap, self._run(buffer), expected, strict=True):
            tally.add(_cosines(ours, theirs))
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


def _parity(precision: Precision, tallies: dict[Precision, _Tally], taps: _TapsParity) -> Parity | None:
    tally, reference = tallies.get(precision), tallies["fp32"]
    if tally is None:
        return None
    if not reference.aurocs:
        raise EngineError("The images hold no product with good and defective parts.", "Choose others.")
    own = precision == "fp32"
    mean, lowest = (taps.mean, taps.lowest) if own else (fmean(tally.cosines), tally.lowest)
    area, area_reference = fmean(tally.aurocs), fmean(reference.aurocs)
    return Parity(
        against=taps.reference.name if own else "fp32",
        images=taps.images if own else len(tally.cosines),
        patch_cosine_mean=round(mean, 6),
        patch_cosine_min=round(lowest, 6),
        image_auroc=round(area, 5),
        image_auroc_reference=round(area_reference, 5),
        passed=mean >= PATCH_COSINE_LIMIT[precision] and area >= area_reference - AUROC_LIMIT,
    )


def _cosines(a: Array, b: Array) -> Array:
    """The cosine of each row of ``a`` to the same row of ``b``."""
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    cosines: Array = (a * b).sum(axis=1) / lengths
    return cosines
