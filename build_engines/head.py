"""The matching head: from the encoder's taps and a product's memory to the map and the score.

It stands behind the tensor ``features``: everything after it is a function of ``features`` and the
product's memory alone, so that an engine can cut the graph there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from build_engines.onnx_writer import FLOAT, GraphWriter

Port = tuple[str, int, Sequence[int | str]]
"""Name, ONNX type and shape of a graph's input or output."""

# AnomalyDINO (Damm et al., 2025): the image's score is the mean of its top 1 % patch distances.
_TOP_FRACTION = 0.01
# In patches. A defect smaller than this is still seen by several overlapping receptive fields,
# a lone noisy patch is not.
_SMOOTHING_SIGMA = 0.7
# The map is smoothed once more before it is enlarged: what surrounds a defect is told better from
# what lies far from any, while the score keeps its sharpness for small defects.
_MAP_SIGMA = 1.0


@dataclass(frozen=True, slots=True)
class HeadSpec:
    """What the head must know of the encoder: input size in pixels, patch side, width of one tap."""

    size: tuple[int, int]
    patch: int
    width: int

    @property
    def grid(self) -> tuple[int, int]:
        """Patches as (rows, columns)."""
        return self.size[0] // self.patch, self.size[1] // self.patch


@dataclass(frozen=True, slots=True)
class Head:
    """The inputs that the head adds to the graph beside ``image``, and the graph's outputs."""

    inputs: list[Port]
    outputs: list[Port]


def write_head(writer: GraphWriter, taps: Sequence[str], spec: HeadSpec) -> Head:
    """Writes the head behind the encoder's taps.

    Args:
        taps: patch tokens (1, patches, width) per tap.
        spec: of the encoder.

    Returns:
        Inputs ``bank`` (rows, width), the features of good patches, and ``scale`` (2,), the
        product's calibration: a patch's distance that good parts show, and one over how far
        simulated defects lie above it. Outputs ``features`` (patches, width), ``map`` (H, W) and
        ``score`` (1,), both on the product's scale: 0 good, 1 simulated defect.
    """
    features = _features(writer, taps, spec)
    similarity = writer.node("MatMul", features, writer.node("Transpose", "bank", perm=[1, 0]))
    nearest = writer.node("ReduceMax", similarity, axes=[1], keepdims=0)
    distance = writer.node("Sub", writer.constant("head.one", np.array(1, np.float32)), nearest)
    calibrated = _calibrated(writer, _smoothed(writer, distance, spec))
    enlarged = writer.node(
        "Resize",
        _blurred(writer, calibrated, _MAP_SIGMA, radius=2),
        "",
        "",
        writer.ints(1, 1, *spec.size),
        mode="linear",
        coordinate_transformation_mode="half_pixel",
    )
    writer.node("Reshape", enlarged, writer.ints(*spec.size), name="map")
    patches = spec.grid[0] * spec.grid[1]
    flat = writer.node("Reshape", calibrated, writer.ints(patches))
    top = writer.node("TopK", flat, writer.ints(max(1, round(patches * _TOP_FRACTION))), outputs=2)
    writer.node("ReduceMean", top, axes=[0], keepdims=1, name="score")
    return Head(
        inputs=[("bank", FLOAT, ["rows", spec.width]), ("scale", FLOAT, [2])],
        outputs=[
            ("features", FLOAT, [patches, spec.width]),
            ("map", FLOAT, list(spec.size)),
            ("score", FLOAT, [1]),
        ],
    )


def _features(writer: GraphWriter, taps: Sequence[str], spec: HeadSpec) -> str:
    """(patches, width), rows of length 1: the direction in which a patch's taps agree.

    Neighbouring layers differ by what one layer added to the residual stream, so that their mean
    ranks defects as well as their concatenation and is matched at a fraction of the cost.
    """
    unit = [_unit(writer, tap) for tap in taps]
    total = writer.node("Sum", *unit) if len(unit) > 1 else unit[0]
    patches = spec.grid[0] * spec.grid[1]
    shaped = writer.node("Reshape", total, writer.ints(patches, spec.width))
    return _unit(writer, shaped, name="features")


def _unit(writer: GraphWriter, rows: str, name: str = "") -> str:
    """Each row divided by its length; runtimes are faster at this than at LpNormalization."""
    return writer.node("Div", rows, writer.node("ReduceL2", rows, axes=[-1], keepdims=1), name=name)


def _smoothed(writer: GraphWriter, distance: str, spec: HeadSpec) -> str:
    """(patches,) to (1, 1, rows, columns), smoothed over neighbouring patches."""
    planar = writer.node("Reshape", distance, writer.ints(1, 1, *spec.grid))
    return _blurred(writer, planar, _SMOOTHING_SIGMA, radius=1)


def _blurred(writer: GraphWriter, planar: str, sigma: float, radius: int) -> str:
    """A Gaussian blur of (1, 1, rows, columns), edges repeated."""
    side = 2 * radius + 1
    padded = writer.node("Pad", planar, writer.ints(0, 0, *[radius] * 2, 0, 0, *[radius] * 2), mode="edge")
    line = cv2.getGaussianKernel(side, sigma)
    kernel = writer.constant(f"head.blur_{side}", (line @ line.T).astype(np.float32)[None, None])
    return writer.node("Conv", padded, kernel, kernel_shape=[side, side])


def _calibrated(writer: GraphWriter, distance: str) -> str:
    """The distance on the product's own scale: (distance - scale[0]) · scale[1]."""
    offset = writer.node("Gather", "scale", writer.ints(0), axis=0)
    gain = writer.node("Gather", "scale", writer.ints(1), axis=0)
    return writer.node("Mul", writer.node("Sub", distance, offset), gain)


def uncalibrated_memory(features: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.float32]]:
    """The memory of a product of which nothing but these features is known: plain distances.

    Args:
        features: of good parts, (rows, width).
    """
    return {"bank": features, "scale": np.array([0, 1], np.float32)}
