"""What was learned survives a restart, and a damaged file is refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge.errors import ProductError
from edge.vision.memory import Memory, as_float32


def learned() -> Memory:
    rng = np.random.default_rng(0)
    return Memory(
        arrays={"bank": as_float32(rng.normal(size=(30, 8))), "scale": as_float32([0.1, 4])},
        bundle_id="tiny-0123abcd",
        references=3,
        rotations="90",
        good_scores=as_float32([0.1, -0.1, 0.0]),
        defect_scores=as_float32([0.4, 1.2]),
        boundary=0.37,
        shape=(480, 640),
    )


def test_a_memory_is_read_back_as_it_was(tmp_path: Path) -> None:
    memory = learned()
    memory.save(tmp_path / "memory.npz")
    again = Memory.load(tmp_path / "memory.npz")
    for name, array in memory.arrays.items():
        np.testing.assert_array_equal(again.arrays[name], array)
        assert again.arrays[name].flags.c_contiguous
    np.testing.assert_array_equal(again.good_scores, memory.good_scores)
    np.testing.assert_array_equal(again.defect_scores, memory.defect_scores)
    plain = ("bundle_id", "references", "rotations", "boundary", "shape")
    assert [getattr(again, n) for n in plain] == [getattr(memory, n) for n in plain]
    assert [p.name for p in tmp_path.iterdir()] == ["memory.npz"]


def flipped(data: bytes) -> bytes:
    return data[:200] + bytes([data[200] ^ 255]) + data[201:]


@pytest.mark.parametrize("kind", ["empty", "cut", "foreign", "flipped"])
def test_a_damaged_memory_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "memory.npz"
    learned().save(path)
    data = path.read_bytes()
    damaged = {"empty": b"", "cut": data[: len(data) // 2], "foreign": b"no zip", "flipped": flipped(data)}
    path.write_bytes(damaged[kind])
    with pytest.raises(ProductError, match=r"memory\.npz"):
        Memory.load(path)


def test_a_missing_memory_says_so(tmp_path: Path) -> None:
    with pytest.raises(ProductError, match="Enroll the product again"):
        Memory.load(tmp_path / "nothing.npz")


def test_an_array_of_objects_is_never_unpickled(tmp_path: Path) -> None:
    np.savez(tmp_path / "memory.npz", plain=np.array([{"boundary": 1}], dtype=object))
    with pytest.raises(ProductError):
        Memory.load(tmp_path / "memory.npz")
