"""The matching head: from the encoder's taps and a product's memory to the map and the score.

It stands behind the tensors ``features`` and ``text``: everything after them is a function of these two
and of the product's memory alone, so that an engine can cut the graph there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from build_engines.graph.learned import TrainedWeights
from build_engines.graph.onnx_writer import FLOAT, GraphWriter
from build_engines.graph.own_text import OwnText, write_own_text
from build_engines.graph.prompt_head import PromptHead
from build_engines.graph.text_decoder import unit, write_text_decoder
from edge.vision.scoring import MAP_RADIUS, MAP_SIGMA, SCORE_RADIUS, SCORE_SIGMA, top_count

Port = tuple[str, int, Sequence[int | str]]
"""Name, ONNX type and shape of a graph's input or output."""


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


def write_head(
    writer: GraphWriter,
    taps: Sequence[str],
    spec: HeadSpec,
    learned: TrainedWeights | None = None,
    own_text: OwnText | None = None,
) -> Head:
    """Writes the head behind the encoder's taps.

    Args:
        taps: patch tokens (batch, patches, width) per tap. Up to ``features`` and ``text`` the batch is free;
            what stands behind them is for one image.
        spec: of the encoder.
        learned: what training learned for these taps; without it there is nothing for a language model.
        own_text: makes the text map where none was learned; with neither there is none.

    Returns:
        Inputs ``bank`` (rows, width), the features of good patches, and ``scale`` (2,), the
        product's calibration: a patch's distance that good parts show, and one over how far
        simulated defects lie above it. With a text map ``bank_text`` (rows,): the share of
        *abnormal* that the bank's patches show, and ``text_worth`` (1,): the distance that a whole
        share more than that counts for. With a prompt learner ``boundary`` (1,), the verdict's.
        Outputs ``features`` (batch · patches, width), ``text`` (batch · patches,), ``map`` (H, W) and
        ``score`` (1,), both on the product's scale: 0 good, 1 simulated defect; and with a prompt
        learner ``rows`` and ``evidence``.
    """
    patches = spec.grid[0] * spec.grid[1]
    inputs: list[Port] = [("bank", FLOAT, ["rows", spec.width]), ("scale", FLOAT, [2])]
    outputs: list[Port] = [("features", FLOAT, ["patches", spec.width])]
    features = _features(writer, taps, spec)
    similarity = writer.node("MatMul", features, writer.node("Transpose", "bank", perm=[1, 0]))
    nearest = writer.node("ReduceMax", similarity, axes=[1], keepdims=0)
    distance = writer.node("Sub", writer.constant("head.one", np.array(1, np.float32)), nearest)
    text = _text(writer, taps, learned, own_text)
    if text is not None:
        distance = writer.node("Add", distance, _told_beyond_match(writer, text, similarity))
        inputs += [("bank_text", FLOAT, ["rows"]), ("text_worth", FLOAT, [1])]
        outputs.append(("text", FLOAT, ["patches"]))
    calibrated = _calibrated(writer, _smoothed(writer, distance, spec))
    blurred = _blurred(writer, calibrated, MAP_SIGMA, MAP_RADIUS)
    enlarged = writer.node(
        "Resize",
        blurred,
        "",
        "",
        writer.ints(1, 1, *spec.size),
        mode="linear",
        coordinate_transformation_mode="half_pixel",
    )
    writer.node("Reshape", enlarged, writer.ints(*spec.size), name="map")
    flat = writer.node("Reshape", calibrated, writer.ints(patches))
    top = writer.node("TopK", flat, writer.ints(top_count(patches)), outputs=2)
    score = writer.node("ReduceMean", top, axes=[0], keepdims=1, name="score")
    outputs += [("map", FLOAT, list(spec.size)), ("score", FLOAT, [1])]
    if learned is not None and learned.has_reader:
        prompt = PromptHead(writer, learned)
        prompt.write(blurred, score, features)
        inputs.append(("boundary", FLOAT, [1]))
        outputs += [("rows", FLOAT, list(prompt.shape)), ("evidence", FLOAT, [1])]
    return Head(inputs=inputs, outputs=outputs)


def _features(writer: GraphWriter, taps: Sequence[str], spec: HeadSpec) -> str:
    """(batch · patches, width), rows of length 1: the direction in which a patch's taps agree.

    Neighbouring layers differ by what one layer added to the residual stream, so that their mean
    ranks defects as well as their concatenation and is matched at a fraction of the cost.
    """
    units = [unit(writer, tap) for tap in taps]
    total = writer.node("Sum", *units) if len(units) > 1 else units[0]
    shaped = writer.node("Reshape", total, writer.ints(-1, spec.width))
    return unit(writer, shaped, name="features")


def _text(
    writer: GraphWriter, taps: Sequence[str], learned: TrainedWeights | None, own_text: OwnText | None
) -> str | None:
    if learned is not None and learned.has_decoder:
        return write_text_decoder(writer, taps, learned)
    return None if own_text is None else write_own_text(writer, taps, own_text)


def _told_beyond_match(writer: GraphWriter, text: str, similarity: str) -> str:
    """How much more abnormal a patch is told to be than the good patch that it matches, as a distance.

    A product's own scratches, prints and edges score as abnormal too, on its good parts.
    """
    match = writer.node("ArgMax", similarity, axis=1, keepdims=0)
    usual = writer.node("Gather", "bank_text", match, axis=0)
    return writer.node("Mul", writer.node("Relu", writer.node("Sub", text, usual)), "text_worth")


def _smoothed(writer: GraphWriter, distance: str, spec: HeadSpec) -> str:
    """(patches,) to (1, 1, rows, columns), smoothed over neighbouring patches."""
    planar = writer.node("Reshape", distance, writer.ints(1, 1, *spec.grid))
    return _blurred(writer, planar, SCORE_SIGMA, SCORE_RADIUS)


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


def uncalibrated_memory(
    names: Iterable[str], features: npt.NDArray[np.float32]
) -> dict[str, npt.NDArray[np.float32]]:
    """The memory of a product of which nothing but these features is known: plain distances.

    Args:
        names: of the graph's memory inputs.
        features: of good parts, (rows, width).
    """
    plain = {
        "bank": features,
        "scale": np.array([0, 1], np.float32),
        "bank_text": np.zeros(len(features), np.float32),
        "text_worth": np.zeros(1, np.float32),
        "boundary": np.array([1], np.float32),
    }
    return {name: plain[name] for name in names}
