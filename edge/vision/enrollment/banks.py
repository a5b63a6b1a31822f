"""From encoded views to the bank: good patches, each with the reference that it came from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.image_types import Array
from edge.vision.bank import coreset
from edge.vision.enrollment.encodings import EncodedLook

BANK_ROWS = 1024
"""Rows of a bank: matching them costs a few percent of the encoder."""


@dataclass(frozen=True, eq=False, slots=True)
class Bank:
    """Good patches.

    Attributes:
        features: float32 (rows, width), of length 1.
        text: float32 (rows,), the share of *abnormal* that each shows.
        references: intp (rows,), the reference that each came from.
    """

    features: Array
    text: Array
    references: npt.NDArray[np.intp]

    def rows(self, chosen: npt.NDArray[np.intp]) -> Bank:
        """Some of the rows."""
        return Bank(
            np.ascontiguousarray(self.features[chosen]),
            np.ascontiguousarray(self.text[chosen]),
            self.references[chosen],
        )

    def without(self, reference: int) -> Bank:
        """What the other references showed."""
        return self.rows(np.flatnonzero(self.references != reference))

    def thinned(self, rows: int | None, seed: int) -> Bank:
        """At most so many rows, none of the others far from them; None keeps all."""
        return self.rows(coreset(self.features, rows or len(self.features), seed))


def bank_of(views: Sequence[EncodedLook]) -> Bank:
    """All patches of some views; where the graph has no text decoder, none scores as abnormal."""
    encoded = [each.encoded for each in views]
    texts = [np.zeros(len(e.features), np.float32) if e.text is None else e.text for e in encoded]
    owners = [np.full(len(each.encoded.features), each.view.reference, np.intp) for each in views]
    return Bank(np.concatenate([e.features for e in encoded]), np.concatenate(texts), np.concatenate(owners))
