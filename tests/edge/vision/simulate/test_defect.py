from __future__ import annotations

import numpy as np

from edge.vision.simulate.defect import CHANGED_LEVELS, changed_mask, mean_change

GOOD = np.full((40, 50, 3), 100, np.uint8)


def test_a_change_in_one_channel_counts_and_a_small_one_does_not() -> None:
    after = GOOD.copy()
    after[5:10, 5:10, 0] += CHANGED_LEVELS + 1
    after[20:30, 20:30] += CHANGED_LEVELS
    mask = changed_mask(GOOD, after)
    assert (mask[5:10, 5:10] == 255).all() and np.count_nonzero(mask) == 25


def test_pinholes_are_closed_and_stray_pixels_dropped() -> None:
    after = GOOD.copy()
    after[10:20, 10:20] = 160
    after[14, 14] = 100  # grain that happens to be the same
    after[30, 40] = 160
    mask = changed_mask(GOOD, after)
    assert mask[14, 14] == 255 and mask[30, 40] == 0


def test_nothing_changed_is_an_empty_mask() -> None:
    mask = changed_mask(GOOD, GOOD)
    assert not mask.any()
    assert mean_change(GOOD, GOOD, mask) == 0


def test_mean_change_is_taken_over_the_channels_inside_the_mask() -> None:
    after = GOOD.copy()
    after[10:20, 10:20] = (100, 130, 70)
    assert mean_change(GOOD, after, changed_mask(GOOD, after)) == 20
