"""Parts to measure with: drawn, or given in a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.cameras import read_image
from edge.errors import DatasetError
from edge.evaluation.parts import SIZE_PX, drawn_parts, given_parts, render_part


def test_drawn_parts_are_the_same_each_time_and_differ_from_each_other() -> None:
    assert (render_part(3) == render_part(3)).all()
    assert (render_part(3) != render_part(4)).any()


def test_every_second_drawn_part_has_a_defect(tmp_path: Path) -> None:
    good, mixed = drawn_parts(tmp_path, 1, 2)
    assert (len(good), len(mixed)) == (1, 2)
    images = [read_image(path) for path in (*good, *mixed)]
    assert {image.shape for image in images} == {(*SIZE_PX, 3)}
    # Against the part as drawn, only the second of the two differs by more than JPEG does.
    off = [np.abs(image.astype(int) - render_part(number)).max() for number, image in enumerate(images)]
    assert off[2] > 2 * max(off[:2])


def test_a_folder_gives_its_first_images_as_references(tmp_path: Path) -> None:
    for name in ("c.png", "a.png", "b.jpg", "notes.txt"):
        (tmp_path / name).write_bytes(b"")
    good, rest = given_parts(tmp_path, 2)
    assert [path.name for path in (*good, *rest)] == ["a.png", "b.jpg", "c.png"]


def test_a_folder_with_nothing_left_to_inspect_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    with pytest.raises(DatasetError, match="has 1 images, of which the first 1 are references"):
        given_parts(tmp_path, 1)
    with pytest.raises(DatasetError, match="cannot be read"):
        given_parts(tmp_path / "nowhere", 1)
