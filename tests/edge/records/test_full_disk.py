"""A full disk costs what it must, says so, breaks nothing, and is over when there is room again."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import cv2
import pytest

from edge.errors import RecordsError
from edge.records import Entry, Records, RecordsSettings
from edge.records.retention import GB
from tests.edge.records.parts import inspected, picture, spot

DISK_BYTES = 4_000_000


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(disk)],
        capture_output=True,
        text=True,
    )
    if mounted.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {mounted.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Take all the space that is left."""
    filler = disk / "filler"
    with filler.open("ab", buffering=0) as file:
        for block in (65_536, 4096, 1):
            try:
                while True:
                    file.write(bytes(block))
            except OSError:
                continue
    return filler


def whole_images(data_dir: Path) -> set[Path]:
    """The image files, each of which can be decoded; nothing temporary is among them."""
    found = {path for path in (data_dir / "images").rglob("*") if path.is_file()}
    for path in found:
        assert cv2.imread(str(path)) is not None, path
    return found


def test_a_full_disk_refuses_rows_and_takes_them_again_when_there_is_room(small_disk: Path) -> None:
    settings = RecordsSettings(min_free_gb=0)
    with Records(small_disk, settings) as records:
        records.append(inspected(1), picture(), spot())
        filler = fill(small_disk)
        refused = [Entry(inspected(seq, words="w" * 20_000), picture(), spot()) for seq in range(2, 5)]
        with pytest.raises(RecordsError, match="disk is full") as caught:
            records.append_all(refused)
        assert "records.max_size_gb" in caught.value.remedy
        assert records.unrecorded.inspections == 3
        assert records.last_seq() == 1
        filler.unlink()
        records.append_all(refused)
        assert records.trouble == ""
        assert records.last_seq() == 4
        kept = {file for record in records.query() for file in (record.image, record.overlay)}
        records.verify()
    assert whole_images(small_disk) == kept


def test_where_only_an_image_finds_no_room_its_row_is_kept(small_disk: Path) -> None:
    with Records(small_disk, RecordsSettings(overlay=False, min_free_gb=0)) as records:
        records.append(inspected(1))
        filler = fill(small_disk)
        with filler.open("r+b") as file:
            file.truncate(filler.stat().st_size - 200_000)
        records.append(inspected(2), picture(1000, 1000))
        assert "No space left on device" in records.trouble
        assert records.unrecorded.images == 1
        assert records.unrecorded.inspections == 0
        assert records.last_seq() == 2
    assert whole_images(small_disk) == set()


def test_a_station_on_a_disk_that_is_too_small_goes_on_for_ever(small_disk: Path) -> None:
    # The settings allow more than the disk has: the free space left alone is what keeps it running.
    settings = RecordsSettings(keep_images="all", overlay=False, min_free_gb=1_500_000 / GB)
    image = picture(200, 300)
    with Records(small_disk, settings) as records:
        for seq in range(1, 151):
            records.append(inspected(seq, "ok"), image)
        assert records.unrecorded.inspections == 0
        assert records.unrecorded.images == 0
        newest = records.query(limit=1)[0]
        assert records.counters().total == 150
        records.verify()
    assert newest.image in whole_images(small_disk)


def test_a_history_that_cannot_even_be_begun_says_so(small_disk: Path) -> None:
    fill(small_disk)
    with pytest.raises(RecordsError, match=r"full|No space left|disk"):
        Records(small_disk, RecordsSettings(min_free_gb=0))
