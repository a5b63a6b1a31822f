"""However hostile its input, a process stays below 1.5 GB, and what it cannot read is that part's error."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from _pytest.mark import ParameterSet

from tests.edge.cameras.images import save
from tests.edge.hostile import ARRAYS, IMAGES, READABLE, SLOW

CEILING_MB = 1500

_READ_IMAGE = "from edge.cameras import read_image as read"
_READ_MEMORY = "from edge.vision.memory import Memory; read = Memory.load"
_MEASURE = """
import sys
from pathlib import Path
from edge.errors import EdgeError
try:
    read(Path(sys.argv[1]))
    print("read")
except EdgeError:
    print("refused")
# Of this process alone: the maximum in rusage is inherited from whoever started it.
(peak_kb,) = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
print(int(peak_kb) // 1000)
"""
_FEW_MEGABYTES_MORE = """
import resource, sys
from edge.cameras import FolderSettings, create_camera
with create_camera(FolderSettings(kind="folder", path=sys.argv[1])) as camera:
    for _ in range(3):
        frame = camera.read(1)
        print(frame.part_id, "memory" in frame.error, None if frame.image is None else frame.image.shape)
        (size_kb,) = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmSize")]
        limit = int(size_kb) * 1024 + 40_000_000
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
"""


def marked(names: Iterable[str]) -> list[ParameterSet]:
    return [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in names]


def run(program: str, path: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", program, path], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("name", marked(IMAGES))
def test_an_image_costs_no_more_than_the_ceiling(tmp_path: Path, name: str) -> None:
    path = tmp_path / "image"
    path.write_bytes(IMAGES[name]())
    how, megabytes = run(_READ_IMAGE + _MEASURE, path)
    assert how == ("read" if name in READABLE else "refused")
    assert int(megabytes) < CEILING_MB


@pytest.mark.parametrize("name", marked(ARRAYS))
def test_a_products_file_costs_no_more_than_the_ceiling(tmp_path: Path, name: str) -> None:
    path = tmp_path / "memory.npz"
    path.write_bytes(ARRAYS[name]())
    how, megabytes = run(_READ_MEMORY + _MEASURE, path)
    assert how == "refused"
    assert int(megabytes) < CEILING_MB / 5


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".jpg"])
def test_a_part_that_finds_no_memory_is_its_own_error_and_the_next_is_inspected(
    tmp_path: Path, suffix: str
) -> None:
    save(tmp_path / f"part-1{suffix}", np.full((5000, 4000, 3), 7, np.uint8))
    for number in (0, 2):
        save(tmp_path / f"part-{number}.png")
    before, large, after = run(_FEW_MEGABYTES_MORE, tmp_path)
    assert before.startswith("part-0 False (")
    assert large == "part-1 True None"
    assert after.startswith("part-2 False (")
