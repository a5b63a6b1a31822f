"""What one reference says of parts that were never seen."""

from __future__ import annotations

import numpy as np
import pytest

from edge.vision.self_similarity import self_similarity_score


def test_an_image_is_as_unlike_itself_as_its_own_places_differ() -> None:
    """Two kinds of stripes: each patch has its like elsewhere; one odd patch has none."""
    rows = np.zeros((100, 4), np.float32)
    rows[np.arange(100), (np.arange(100) // 10) % 2] = 1
    assert self_similarity_score(rows, (10, 10)) == pytest.approx(0, abs=1e-6)
    rows[44] = (0, 0, 1, 0)
    assert self_similarity_score(rows, (10, 10)) > 0.2
