"""The language model of a bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from edge.arrays import load_npy
from edge.bundle import DEFAULT_BUNDLE
from edge.errors import BundleError
from edge.language.model import LanguageModel
from edge.tools import command_line

if TYPE_CHECKING:
    from edge.bundle import Bundle

_MOST_ROW_BYTES = 16_000_000


def bundled_model(bundle: Bundle) -> LanguageModel:
    """What a :class:`LanguageWorker` needs of a checked bundle.

    Raises:
        BundleError: it has no language half, or its base rows cannot be read.
    """
    language = bundle.manifest.language
    if language is None:
        raise BundleError(
            f"Bundle {bundle.name} has no language half: it cannot put a verdict into words.",
            "Have the calibrated score decide (verdict.decided_by, or --decided-by), or build the default "
            f"bundle: {command_line('build_engines', 'build', DEFAULT_BUNDLE)}",
        )
    return LanguageModel(
        gguf=bundle.file(language.gguf),
        sha256=bundle.manifest.files[language.gguf].sha256,
        architecture=language.architecture,
        embedding_width=language.embedding_width,
        embedding_scale=language.embedding_scale,
        base_rows=_rows(bundle, language.base_rows),
        part_rows=language.part_rows,
    )


def _rows(bundle: Bundle, name: str) -> npt.NDArray[np.float32]:
    """Learned rows, float32 (rows, width)."""
    try:
        rows = load_npy(bundle.file(name), _MOST_ROW_BYTES)
    except (OSError, ValueError) as error:
        raise BundleError(f"Bundle {bundle.name}: {name}: {error}.", "Build the bundle again.") from error
    return np.ascontiguousarray(rows, np.float32)
