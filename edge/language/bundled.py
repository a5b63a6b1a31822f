"""The language model of a bundle."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.errors import BundleError
from edge.language.model import LanguageModel

if TYPE_CHECKING:
    from edge.bundle import Bundle


def bundled_model(bundle: Bundle) -> LanguageModel:
    """What a :class:`LanguageWorker` needs of a checked bundle.

    Raises:
        BundleError: it has no language half, or its base rows cannot be read.
    """
    language = bundle.manifest.language
    if language is None:
        raise BundleError(
            f"Bundle {bundle.name} has no language half: nothing in it puts a verdict into words.",
            "Have the calibrated score decide (verdict.decided_by, or --decided-by), or build the default "
            "bundle: python -m build_engines build dinov2-s",
        )
    path = bundle.file(language.base_rows)
    try:
        rows = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise BundleError(
            f"Bundle {bundle.name}: {path.name}: {error}.", "Build the bundle again."
        ) from error
    return LanguageModel(
        gguf=bundle.file(language.gguf),
        sha256=bundle.manifest.files[language.gguf].sha256,
        architecture=language.architecture,
        embedding_width=language.embedding_width,
        embedding_scale=language.embedding_scale,
        base_rows=np.ascontiguousarray(rows, np.float32),
    )
