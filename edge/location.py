"""The nine cells in which a place is named, as in AnomalyGPT's answers (section 3.4)."""

from __future__ import annotations

CELLS: tuple[tuple[str, str, str], ...] = (
    ("top left", "top", "top right"),
    ("left", "center", "right"),
    ("bottom left", "bottom", "bottom right"),
)
"""Words by row and column."""


def cell_of_point(x: float, y: float, shape: tuple[int, int]) -> tuple[int, int]:
    """(row, column) of the cell that a point of an image of ``shape`` (H, W) lies in."""
    height, width = shape
    return min(int(3 * y / height), 2), min(int(3 * x / width), 2)


def words_of_cell(row: int, column: int) -> str:
    """The cell's name, such as ``top left``."""
    return CELLS[row][column]


def cell_of_words(words: str) -> tuple[int, int]:
    """The inverse of :func:`words_of_cell`.

    Raises:
        ValueError: no cell is called that.
    """
    for row, names in enumerate(CELLS):
        if words in names:
            return row, names.index(words)
    raise ValueError(f"no cell of the nine-cell grid is called {words!r}")
