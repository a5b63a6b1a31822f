"""Places are named by a grid of nine cells, and the words lead back to the cell."""

from __future__ import annotations

import pytest

from edge.location import CELLS, cell_of_point, cell_of_words, words_of_cell


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (0, 0, "top left"),
        (299.9, 0, "top right"),
        (150, 75, "center"),  # the middle of a 300 x 150 image
        (99.9, 75, "left"),  # just inside the first third
        (100, 75, "center"),  # a border belongs to the cell that it opens
        (300, 150, "bottom right"),  # the far edge is still inside
    ],
)
def test_a_point_has_a_name(x: float, y: float, words: str) -> None:
    assert words_of_cell(*cell_of_point(x, y, (150, 300))) == words


def test_words_lead_back_to_their_cell() -> None:
    for row, names in enumerate(CELLS):
        for column, name in enumerate(names):
            assert cell_of_words(name) == (row, column)


def test_other_words_name_no_cell() -> None:
    with pytest.raises(ValueError, match="somewhere"):
        cell_of_words("somewhere")
