"""Numpy's files from outside: nothing is unpacked or set aside for an array before its size is known.

A ``.npz`` is a zip: a kilobyte of it can claim gigabytes, by compression or by the header of an
array. What is written here is stored, so what is not is refused.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from edge.bounded import opened_regular, read_regular

Stored = Mapping[str, npt.NDArray[Any]]

_MAGIC_AND_HEADER_BYTES = 1 << 12
_MOST_MEMBERS = 256


def load_npz(path: Path, most_bytes: int) -> Stored:
    """The arrays of a ``.npz`` as :func:`numpy.savez` writes it, by their names.

    Args:
        most_bytes: of the file.

    Raises:
        OSError: it is no file, or cannot be read.
        ValueError: it is larger than ``most_bytes``, compressed, damaged, or holds objects.
    """
    with opened_regular(path) as file:
        size = file.seek(0, io.SEEK_END)
        if size > most_bytes:
            raise ValueError(f"it has {size} bytes, more than {most_bytes}")
        try:
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
                _check_members(members, size)
                return {member.filename.removesuffix(".npy"): _member(archive, member) for member in members}
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, KeyError) as error:
            raise ValueError(str(error) or type(error).__name__) from error


def load_npy(path: Path, most_bytes: int) -> npt.NDArray[Any]:
    """The array of a ``.npy`` file.

    Raises:
        OSError: it is no file, cannot be read, or is larger than ``most_bytes``.
        ValueError: it is damaged, or holds objects.
    """
    data = read_regular(path, most_bytes)
    return _read(io.BytesIO(data), len(data))


def _check_members(members: list[zipfile.ZipInfo], size: int) -> None:
    """Raises ValueError unless all members together are as long as they lie in the file."""
    if len(members) > _MOST_MEMBERS:
        raise ValueError(f"it has {len(members)} members, more than {_MOST_MEMBERS}")
    for member in members:
        if member.compress_type != zipfile.ZIP_STORED or member.compress_size != member.file_size:
            raise ValueError(f"its member {member.filename[:80]!r} is compressed")
    if sum(member.file_size for member in members) > size:
        raise ValueError("its members are longer than the file")


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> npt.NDArray[Any]:
    with archive.open(member) as file:
        return _read(file, member.file_size)  # type: ignore[arg-type]  # a BinaryIO but for its type


def _read(file: BinaryIO, size: int) -> npt.NDArray[Any]:
    """One array in numpy's format that takes up exactly ``size`` bytes."""
    beginning = io.BytesIO(file.read(_MAGIC_AND_HEADER_BYTES))
    version = np.lib.format.read_magic(beginning)
    if version == (1, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(beginning)
    elif version == (2, 0):
        shape, fortran, dtype = np.lib.format.read_array_header_2_0(beginning)
    else:
        raise ValueError(f"an array's format has version {version}")
    if dtype.hasobject:
        raise ValueError("an array holds objects")
    count = math.prod(shape)
    expected = count * dtype.itemsize
    if min(shape, default=0) < 0 or beginning.tell() + expected != size:
        raise ValueError(f"an array of shape {shape} and type {dtype} has not the size of its data")
    data = bytearray(expected)
    head = beginning.read()
    data[: len(head)] = head
    rest = memoryview(data)[len(head) :]
    if file.readinto(rest) != len(rest):  # type: ignore[attr-defined]  # both kinds of file have it
        raise ValueError("an array is cut short")
    return np.frombuffer(data, dtype, count).reshape(shape, order="F" if fortran else "C")
