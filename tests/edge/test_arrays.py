"""Numpy's files are read as they were written, or refused before memory is taken for them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from edge.arrays import load_npy, load_npz
from tests.edge.hostile import ARRAYS

_MOST = 1 << 26
ANY_ARRAY = arrays(
    st.sampled_from(["<f4", ">f8", "u1", "<i8", "?"]), array_shapes(min_dims=0, min_side=0, max_side=5)
)
busy = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@busy
@given(first=ANY_ARRAY, second=ANY_ARRAY)
def test_what_numpy_writes_is_read(
    tmp_path_factory: pytest.TempPathFactory, first: npt.NDArray[Any], second: npt.NDArray[Any]
) -> None:
    folder = tmp_path_factory.mktemp("arrays")
    with (folder / "a.npz").open("wb") as file:
        np.savez(file, first=first, second=second.T)
    np.save(folder / "a.npy", first)
    read = load_npz(folder / "a.npz", _MOST)
    pairs = ((read["first"], first), (read["second"], second.T), (load_npy(folder / "a.npy", _MOST), first))
    for found, expected in pairs:
        assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
        assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("name", sorted(ARRAYS.keys() - {"npz_bomb"}))
def test_what_claims_more_than_it_is_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "memory.npz"
    path.write_bytes(ARRAYS[name]())
    with pytest.raises(ValueError, match=r"size of its data|longer than the file|objects"):
        load_npz(path, _MOST)


def test_compressed_members_are_refused(tmp_path: Path) -> None:
    with (tmp_path / "a.npz").open("wb") as file:
        np.savez_compressed(file, a=np.zeros(10))
    with pytest.raises(ValueError, match="compressed"):
        load_npz(tmp_path / "a.npz", _MOST)


def test_a_file_beyond_the_bound_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "a.npz").open("wb") as file:
        np.savez(file, a=np.zeros(1000))
    with pytest.raises(ValueError, match="more than 8000"):
        load_npz(tmp_path / "a.npz", 8000)


@busy
@given(data=st.data())
def test_damage_is_an_error_that_callers_know(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    file = io.BytesIO()
    np.savez(file, a=np.arange(20, dtype=np.float32), b=np.uint8(3))
    content = bytearray(file.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "a.npz"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        read = load_npz(path, _MOST)
    except (OSError, ValueError):
        return
    assert sum(array.nbytes for array in read.values()) <= len(content)
