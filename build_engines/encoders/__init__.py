"""One module per encoder family: from a checkpoint to :class:`build_engines.graph.vit.VitWeights`."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from build_engines.graph.numpy_vit import Reference
from build_engines.graph.own_text import OwnText
from build_engines.graph.vit import VitWeights
from edge.errors import ConfigError

__all__ = ["Family", "FamilyTraits", "family_of"]


@dataclass(frozen=True, slots=True)
class FamilyTraits:
    """What all checkpoints of a family share, whatever their size.

    Attributes:
        pixel_mean, pixel_std: of RGB values in 0..1.
        epsilon: of every layer norm.
        activation: ``gelu`` or ``quick_gelu``.
        pre_norm: whether tokens are normalised before the first layer.
        patch_bias: whether the patch embedding has a bias.
    """

    pixel_mean: tuple[float, float, float]
    pixel_std: tuple[float, float, float]
    epsilon: float
    activation: str
    pre_norm: bool
    patch_bias: bool


class Family(Protocol):
    """What a module of this package has."""

    TRAITS: FamilyTraits

    def read_weights(self, files: Mapping[str, Path]) -> VitWeights:
        """The encoder's weights.

        Args:
            files: the source's files by their role: ``weights``, and what the family needs beside it.

        Raises:
            SourceError: a file is not what this family reads.
        """

    def reference(self, files: Mapping[str, Path]) -> Reference:
        """What the graph is held against: the source's own graph, or its weights computed otherwise."""

    def own_text(self, files: Mapping[str, Path], taps: Sequence[int]) -> OwnText:
        """How the encoder's own text tower reads its patches.

        Args:
            files: as above, with the ``tokenizer``.
            taps: that the graph has.

        Raises:
            SourceError: a file is not what this family reads.
            ConfigError: the family has no text tower, or the taps lack the layer that is read.
        """


def family_of(name: str) -> Family:
    """The family's module.

    Raises:
        ConfigError: there is none of that name.
    """
    try:
        return cast("Family", importlib.import_module(f"{__name__}.{name}"))
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"There is no encoder family {name!r}.", "docs/encoders.md says how to add one."
        ) from error
