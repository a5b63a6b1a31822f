"""The matching decoder's text half as ONNX; the arithmetic of :mod:`models.decoder`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from build_engines.learned import Learned
from build_engines.onnx_writer import GraphWriter
from models.constants import SHARPNESS


def write_text_decoder(writer: GraphWriter, taps: Sequence[str], learned: Learned) -> str:
    """Writes ``text``, float32 (batch · patches,): the share of *abnormal* in each patch, the taps' mean.

    Args:
        taps: patch tokens (batch, patches, width), one per linear layer.
        learned: with a decoder for as many taps.
    """
    text = learned.tensors["decoder.text"]
    difference = writer.constant("text.difference", ((text[1] - text[0]) * SHARPNESS)[:, None])
    shares = []
    for number, tap in enumerate(taps):
        matrix, bias = learned.linear(f"decoder.layers.{number}")
        inside = writer.node(
            "Add",
            writer.node("MatMul", unit(writer, tap), writer.constant(f"text.{number}.weight", matrix)),
            writer.constant(f"text.{number}.bias", bias),
        )
        # The difference of two cosines: the division by the length comes after the product, which is cheaper.
        along = writer.node("MatMul", inside, difference)
        length = writer.node("ReduceL2", inside, axes=[-1], keepdims=1)
        shares.append(writer.node("Sigmoid", writer.node("Div", along, length)))
    total = writer.node("Sum", *shares) if len(shares) > 1 else shares[0]
    mean = writer.node("Div", total, writer.constant("text.taps", np.array(len(taps), np.float32)))
    return writer.node("Reshape", mean, writer.ints(-1), name="text")


def unit(writer: GraphWriter, rows: str, name: str = "") -> str:
    """Each row divided by its length; runtimes are faster at this than at LpNormalization."""
    return writer.node("Div", rows, writer.node("ReduceL2", rows, axes=[-1], keepdims=1), name=name)
