"""The matching decoder's text half in the graph: :mod:`models.heads.definition`, behind the taps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from build_engines.graph.learned import TrainedWeights
from build_engines.graph.onnx_writer import GraphWriter
from build_engines.graph.operators import GraphOperators
from edge.image_types import Array
from models.heads.definition import Definition, states_apart


def write_text_decoder(writer: GraphWriter, taps: Sequence[str], learned: TrainedWeights) -> str:
    """Writes ``text``, float32 (batch · patches,): the share of *abnormal* in each patch, the taps' mean.

    Args:
        taps: patch tokens (batch, patches, width), one per linear layer.
        learned: with a decoder for as many taps.
    """
    states = difference(writer, learned.tensors["decoder.text"])
    shares = []
    for number, tap in enumerate(taps):
        matrix, bias = learned.linear(f"decoder.layers.{number}")
        inside = writer.node(
            "Add",
            writer.node("MatMul", unit(writer, tap), writer.constant(f"text.{number}.weight", matrix)),
            writer.constant(f"text.{number}.bias", bias),
        )
        shares.append(share_of_abnormal(writer, inside, states))
    return write_mean(writer, shares)


def difference(writer: GraphWriter, states: Array) -> str:
    """(text width, 1): :func:`models.heads.definition.states_apart`.

    Args:
        states: (2, text width), of length 1.
    """
    return writer.constant("text.difference", states_apart(states))


def share_of_abnormal(writer: GraphWriter, inside: str, states: str) -> str:
    """(batch, patches, 1), of patches (batch, patches, text width) in the text space."""
    return Definition(GraphOperators(writer)).share_of_abnormal(inside, states)


def write_mean(writer: GraphWriter, shares: Sequence[str]) -> str:
    """Writes ``text``, the mean of the taps' shares."""
    total = writer.node("Sum", *shares) if len(shares) > 1 else shares[0]
    mean = writer.node("Div", total, writer.constant("text.taps", np.array(len(shares), np.float32)))
    return writer.node("Reshape", mean, writer.ints(-1), name="text")


def unit(writer: GraphWriter, rows: str, name: str = "") -> str:
    """Each row divided by its length."""
    return Definition(GraphOperators(writer)).unit(rows, name)
