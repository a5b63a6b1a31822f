"""Real libraries with real faults: other machine code at the entry of a function that is called."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Sequence
from pathlib import Path

from edge.language.library import kernel_libraries

CRASH = b"\x0f\x0b"  # ud2: an instruction that no processor knows
HANG = b"\xeb\xfe"  # a jump to itself
NOTHING = b"\xc3"  # ret: what it should have computed is not there

_DYNAMIC_SYMBOLS = 11
_LOADED = 1


def copied_libraries(folder: Path, variants: Sequence[str]) -> dict[str, Path]:
    """llama.cpp's libraries in a folder of their own, with these variants of the kernels only."""
    folder.mkdir()
    installed = kernel_libraries()
    for path in next(iter(installed.values())).parent.glob("*.so"):
        if path not in installed.values():
            shutil.copy(path, folder)
    return {name: Path(shutil.copy(installed[name], folder)) for name in variants}


def damage(library: Path, function: str, code: bytes) -> None:
    """Overwrites, in the file itself, the first instructions of a function that the library exports."""
    content = library.read_bytes()
    start = _file_offset(content, function)
    with library.open("r+b") as file:
        file.seek(start)
        file.write(code)


def _file_offset(content: bytes, function: str) -> int:
    """Where a function's code lies in a 64-bit ELF file."""
    programs_at, sections_at = struct.unpack_from("<QQ", content, 32)
    programs, _, sections = struct.unpack_from("<HHH", content, 56)
    address = _address(content, sections_at, sections, function)
    for number in range(programs):
        kind, _, offset, start, _, size = struct.unpack_from("<IIQQQQ", content, programs_at + number * 56)
        if kind == _LOADED and start <= address < start + size:
            return int(address - start + offset)
    raise AssertionError(f"{function} is not in the file")


def _address(content: bytes, sections_at: int, sections: int, function: str) -> int:
    table = [struct.unpack_from("<IIQQQQIIQQ", content, sections_at + n * 64) for n in range(sections)]
    for _, kind, _, _, offset, size, names, *_ in table:
        if kind != _DYNAMIC_SYMBOLS:
            continue
        for at in range(offset, offset + size, 24):
            name, _, _, _, value, _ = struct.unpack_from("<IBBHQQ", content, at)
            text = table[names][4] + name
            if value and content[text : content.index(b"\0", text)] == function.encode():
                return int(value)
    raise AssertionError(f"{function} is not exported")
