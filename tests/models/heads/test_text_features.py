"""The text features are two directions with their provenance; what they are made of is AnomalyGPT's list."""

from __future__ import annotations

import numpy as np
import pytest
from safetensors import safe_open


@pytest.fixture(scope="module")
def committed() -> tuple[np.ndarray, dict[str, str]]:
    from build_engines.language.language_half import weights_file
    from tests.build_engines.learned_weights import COMMITTED

    path = weights_file(COMMITTED).with_name("text_features.safetensors")
    with safe_open(path, framework="numpy") as file:
        assert list(file.keys()) == ["text"]
        return file.get_tensor("text"), dict(file.metadata())


def test_normal_and_abnormal_are_two_different_directions(
    committed: tuple[np.ndarray, dict[str, str]],
) -> None:
    text, _ = committed
    assert text.shape == (2, 384) and text.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(text, axis=1), 1, atol=1e-6)
    assert -1 < text[0] @ text[1] < 0.99


@pytest.mark.parametrize(
    "key", ["source", "sha256", "licence", "upstream", "upstream_licence", "normal", "abnormal"]
)
def test_the_file_says_where_they_come_from(committed: tuple[np.ndarray, dict[str, str]], key: str) -> None:
    _, about = committed
    assert about[key]


def test_the_decoder_that_ships_was_learned_against_these_very_features(
    committed: tuple[np.ndarray, dict[str, str]],
) -> None:
    from build_engines.graph.learned import read_learned
    from build_engines.language.language_half import weights_file
    from tests.build_engines.learned_weights import COMMITTED

    np.testing.assert_array_equal(read_learned(weights_file(COMMITTED)).tensors["decoder.text"], committed[0])


def test_seven_normal_and_five_abnormal_states_in_two_templates(
    committed: tuple[np.ndarray, dict[str, str]],
) -> None:
    pytest.importorskip("torch", reason="training needs torch: pip install 'anomalygpt-edge[train]'")
    from models.heads.states import ABNORMAL_STATES, NORMAL_STATES, sentences
    from models.heads.text_features import MEMBERS, WHEEL

    _, about = committed
    normal, abnormal = sentences(NORMAL_STATES), sentences(ABNORMAL_STATES)
    assert (len(normal), len(abnormal)) == (14, 10)
    assert "a photo of the flawless object." in normal and "a photo of a object with damage." in abnormal
    assert about["normal"].split(" | ") == normal and about["abnormal"].split(" | ") == abnormal
    assert about["source"] == f"pypi:{WHEEL.requirement}"
    assert about["sha256"] == MEMBERS["model.safetensors"]
