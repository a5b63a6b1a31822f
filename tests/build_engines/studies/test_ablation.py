"""An ablation leaves out what it says and nothing else; each way is held against the same truth."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from build_engines.graph.learned import read_learned
from build_engines.language.language_half import weights_file
from build_engines.studies.ablation import (
    BOTH,
    NO_MAP,
    ONE_SCALE,
    TEXT_ONLY,
    WAYS,
    Ablation,
    AblationRow,
    _Judged,
    _on_one_scale,
    _Product,
    _without_map,
    ablation_table,
    blinded,
)
from edge.errors import LanguageError, SourceError
from edge.evaluation.dataset import find_categories
from edge.vision.engine import Encoded
from edge.vision.openvino import OpenVinoEngine
from tests.build_engines.learned_weights import COMMITTED, random_learned, random_tensors
from tests.build_engines.tiny import WIDTH, speaking_bundle
from tests.edge.evaluation.conftest import write_plates


def test_an_engine_without_text_sees_the_same_features_and_nothing_abnormal() -> None:
    features = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    seen = blinded(Encoded(features, np.full(6, 0.9, np.float32)))
    assert seen.features is features
    assert seen.text is not None and not seen.text.any() and seen.text.shape == (6,)


def test_without_the_map_the_images_row_stays_and_all_parts_share_the_others() -> None:
    learned = random_learned(2, 16)
    rows = np.random.default_rng(1).normal(size=(38, 16)).astype(np.float32)
    left = _without_map(rows, learned)
    assert np.array_equal(left[0], rows[0]) and np.array_equal(left[10:], rows[10:])
    shared = learned.tensors["learner.prompt.bias"].reshape(9, 16) * learned.tensors["learner.scale"]
    np.testing.assert_allclose(left[1:10], shared)
    assert not np.array_equal(rows, left)


def test_one_boundary_for_all_is_drawn_from_the_other_products() -> None:
    """Distances 1 and 4; the others' boundaries are 2 and 8, whose geometric mean is 4."""
    first = _Product(1000.0, _Judged([1.0, 4.0], [False, True]))
    found = next(_on_one_scale([first, _Product(2.0), _Product(8.0)]))
    assert found.numbers == pytest.approx([math.log(1 / 4), 0.0])
    assert found.row("") == AblationRow("", 1.0, 1.0, 1.0)


def test_every_way_is_held_against_the_same_parts(tmp_path: Path) -> None:
    decoder = {n: t for n, t in random_tensors(taps=2, width=WIDTH).items() if n.startswith("decoder.")}
    try:
        bundle = speaking_bundle(tmp_path / "bundle", decoder)
    except (LanguageError, SourceError) as error:
        pytest.skip(str(error))
    categories = find_categories([write_plates(tmp_path / name) for name in ("plates", "discs")])
    engine = OpenVinoEngine(bundle, "fp32")
    told: list[str] = []
    learned = read_learned(weights_file(COMMITTED))
    ablation = Ablation(engine, bundle, learned, 3, 0, lambda what, *_: told.append(what))
    rows = {row.name: row for row in ablation.rows(categories)}
    engine.close()
    assert tuple(rows) == WAYS
    for name in (BOTH, "language model, Q4_0", "language model, Q8_0", "language model, F16"):
        assert rows[name].auroc == 1.0 and (rows[name].balanced_accuracy or 0) > 0.8, name
    # An untrained text decoder, and a language model to which nothing of the map is told, know nothing.
    assert rows[NO_MAP].balanced_accuracy == 0.5
    assert rows[TEXT_ONLY].auroc is not None and rows[ONE_SCALE].auroc == 1.0
    assert "discs: judging in every way" in told
    assert ablation_table(list(rows.values())).row_count == len(WAYS)
