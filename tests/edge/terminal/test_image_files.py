"""Each image file that is named has an id of its own, which tells nothing of this machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.cameras.folder_listing import name_parts
from edge.errors import FrameError
from edge.terminal.image_files import part_ids, read_together
from tests.edge.cameras.images import picture, save

FILES = st.builds(
    lambda folders, stem, suffix: Path("/home/somebody", *folders, stem + suffix),
    st.lists(st.sampled_from(["a", "b", "part"]), max_size=3),
    st.sampled_from(["part", "part.png", "part.png.jpg", "b"]),
    st.sampled_from([".png", ".jpg"]),
)


@pytest.mark.parametrize(
    ("files", "ids"),
    [
        (["/x/a.png", "/x/b.png"], ["a", "b"]),
        (["/x/a.png", "/x/a.png"], ["a", "a"]),  # the same file is the same part
        (["/x/a.png", "/x/../x/a.png"], ["a", "a"]),
        (["/x/morning/a.png", "/x/evening/a.png", "/y/b.png"], ["morning/a", "evening/a", "b"]),
        (["/x/a.png", "/x/a.jpg"], ["a.png", "a.jpg"]),
        (["/x/a.png", "/x/sub/a.png"], ["a", "sub/a"]),
        (["/x/a.png", "/x/a.jpg", "/x/a.png.jpg"], ["a.png", "a.jpg", "a.png.jpg"]),
        (["a.png", "sub/a.png"], ["a", "sub/a"]),
    ],
)
def test_names(files: list[str], ids: list[str]) -> None:
    named = part_ids(map(Path, files))
    assert [named[Path(file)] for file in files] == ids


@settings(deadline=None)
@given(st.lists(FILES, min_size=1, max_size=8))
def test_an_id_is_one_files_and_no_place_on_this_machine(files: list[Path]) -> None:
    named = part_ids(files)
    assert len(set(named.values())) == len(set(files))
    for part_id in named.values():
        assert part_id and not part_id.startswith("/") and ".." not in Path(part_id).parts
        assert "somebody" not in part_id


@settings(deadline=None)
@given(st.sets(FILES, min_size=1, max_size=8))
def test_the_folder_camera_gives_each_file_an_id_too(files: set[Path]) -> None:
    named = name_parts(Path("/home/somebody"), files, among=files)
    assert len({part.part_id for part in named}) == len(files)


def test_images_are_read_together_as_far_as_the_memory_goes(tmp_path: Path) -> None:
    files = [save(tmp_path / f"good-{number}.png") for number in range(3)]
    size = picture().nbytes
    assert len(read_together(files, 3 * size)) == 3
    with pytest.raises(FrameError, match=r"good-2\.png take more than"):
        read_together(files, 3 * size - 1)
