"""Small files that ask for much: what an attacker, or a broken disk, puts where a station reads."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable, Mapping

import cv2
import numpy as np

from tests.edge.cameras.images import encoded, png_chunk, tiff

_SIDE = 300
_GREY = np.zeros((_SIDE, _SIDE), np.uint8)


def zeros_deflated(count: int) -> bytes:
    """A zlib stream that unpacks to so many zeros: a thousandth of it, or less."""
    packer, block = zlib.compressobj(9), bytes(1 << 20)
    first, again = (packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    checksum = struct.pack(">HH", count % 65521, 1)
    return first + again * ((count >> 20) - 1) + b"\x03\x00" + checksum


def tiff_with(pixels: bytes, tags: Mapping[int, tuple[int, ...]]) -> bytes:
    """A classic TIFF whose pixels lie behind its header; tags hold LONGs."""
    start = 8 + len(pixels)
    tables, directory = b"", struct.pack("<H", len(tags))
    tables_at = start + 2 + 12 * len(tags) + 4
    for tag, values in sorted(tags.items()):
        packed = struct.pack(f"<{len(values)}I", *values)
        value = packed if len(packed) == 4 else struct.pack("<I", tables_at + len(tables))
        tables += packed if len(packed) > 4 else b""
        directory += struct.pack("<HHI", tag, 4, len(values)) + value
    return b"II" + struct.pack("<HI", 42, start) + pixels + directory + bytes(4) + tables


def _strip_tags(size: int, compression: int = 8, side: int = _SIDE) -> dict[int, tuple[int, ...]]:
    return {
        256: (side,),
        257: (side,),
        258: (8,),
        259: (compression,),
        262: (1,),
        273: (8,),
        277: (1,),
        278: (side,),
        279: (size,),
    }


def tiff_deflate_bomb() -> bytes:
    """3 MB that unpack to 3 GB, under a header of 300 x 300 px."""
    pixels = zeros_deflated(3 << 30)
    return tiff_with(pixels, _strip_tags(len(pixels)))


def tiff_of_many_strips() -> bytes:
    """The same strip a hundred thousand times over."""
    pixels = zeros_deflated(64 << 20)
    count = 100_000
    tags = _strip_tags(len(pixels)) | {273: (8,) * count, 279: (len(pixels),) * count}
    return tiff_with(pixels, tags)


def tiff_of_a_huge_tile() -> bytes:
    """One tile of 30,000 x 30,000 px in an image of 300 x 300."""
    pixels = zeros_deflated(1 << 20)
    tags = _strip_tags(len(pixels)) | {322: (30_000,), 323: (30_000,), 324: (8,), 325: (len(pixels),)}
    return tiff_with(pixels, {tag: tags[tag] for tag in tags if tag not in (273, 278, 279)})


def tiff_of_a_huge_tag() -> bytes:
    """BitsPerSample with as many values as the file has bytes."""
    pixels = bytes(200_000_000)
    data = tiff_with(pixels, _strip_tags(_SIDE * _SIDE, compression=1))
    entry = data.index(struct.pack("<HHI", 258, 4, 1))
    return data[:entry] + struct.pack("<HHII", 258, 1, len(pixels), 8) + data[entry + 12 :]


def tiff_with_two_widths() -> bytes:
    """The first says 30,000, which a decoder would take, the last 300."""
    data = tiff(_GREY)
    entry = data.index(struct.pack("<HHI", 339, 4, 1))
    return data[:entry] + struct.pack("<HHII", 256, 4, 1, 30_000) + data[entry + 12 :]


def jpeg_with_two_frames() -> bytes:
    """The first says 30,000 x 30,000 px, which a decoder would take, the last 300 x 300."""
    whole = encoded(".jpg", _GREY)
    at = whole.index(b"\xff\xc0")
    frame = whole[at : at + 2 + int.from_bytes(whole[at + 2 : at + 4], "big")]
    huge = frame[:5] + struct.pack(">HH", 30_000, 30_000) + frame[9:]
    return whole[:at] + huge + whole[at:]


def png_bomb() -> bytes:
    """A header of 300 x 300 px and a gigabyte of pixels behind it."""
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0))
    pixels = png_chunk(b"IDAT", zeros_deflated(1 << 30))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + png_chunk(b"IEND", b"")


def png_text_bomb() -> bytes:
    """A comment and a colour profile that unpack to a gigabyte each."""
    whole = encoded(".png", _GREY)
    packed = zeros_deflated(1 << 30)
    bombs = png_chunk(b"iCCP", b"p\0\0" + packed) + png_chunk(b"zTXt", b"Comment\0\0" + packed)
    return whole[:33] + bombs + whole[33:]


def webp_canvas_lies() -> bytes:
    """A canvas of 300 x 300 px and a frame of 16,383 x 16,383 in it."""
    whole = encoded(".webp", _GREY, cv2.IMWRITE_WEBP_QUALITY, 80)
    frame = bytearray(whole[12:])
    struct.pack_into("<HH", frame, 14, 16_383, 16_383)
    canvas = b"VP8X" + struct.pack("<I", 10) + bytes(4) + 2 * (_SIDE - 1).to_bytes(3, "little")
    body = b"WEBP" + canvas + bytes(frame)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def largest_image() -> bytes:
    """100 megapixels of colour as a progressive JPEG: allowed, and the most that one may cost."""
    image = np.zeros((10_000, 10_000, 3), np.uint8)
    return encoded(".jpg", image, cv2.IMWRITE_JPEG_PROGRESSIVE, 1)


def largest_deep_image() -> bytes:
    """49 megapixels of 16-bit colour without compression, in one strip."""
    return encoded(".tif", np.full((7_000, 7_000, 4), 0x8080, np.uint16), cv2.IMWRITE_TIFF_COMPRESSION, 1)


IMAGES: Mapping[str, Callable[[], bytes]] = {
    maker.__name__: maker
    for maker in (
        tiff_deflate_bomb,
        tiff_of_many_strips,
        tiff_of_a_huge_tile,
        tiff_of_a_huge_tag,
        tiff_with_two_widths,
        jpeg_with_two_frames,
        png_bomb,
        png_text_bomb,
        webp_canvas_lies,
        largest_image,
        largest_deep_image,
    )
}
SLOW = ("largest_image", "largest_deep_image", "tiff_of_a_huge_tag", "npz_bomb")
"""Those that take seconds to make or to read."""

READABLE = ("largest_image", "largest_deep_image", "png_text_bomb")
"""Those that are images all the same."""


def _array_header(shape: str) -> bytes:
    fields = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".encode()
    fields += b" " * (-(10 + len(fields) + 1) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(fields)) + fields


def _npz(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("plain.npy", content)
    return file.getvalue()


def npz_bomb() -> bytes:
    """2 GB of zeros in an array that is compressed."""
    file = io.BytesIO()
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("plain.npy", "w", force_zip64=True) as member,
    ):
        member.write(_array_header("(536870912,)"))
        for _ in range(2048):
            member.write(bytes(1 << 20))
    return file.getvalue()


def npz_that_claims() -> bytes:
    """A header that claims 4 TB, and no data."""
    return _npz(_array_header("(1099511627776,)"))


def npz_of_overlapping_members() -> bytes:
    """A hundred members that are all the same megabyte of the file."""
    whole = _npz(_array_header("(262144,)") + bytes(1 << 20))
    start = int.from_bytes(whole[-6:-2], "little")
    entry = whole[start:-22]
    end = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, 100, 100, 100 * len(entry), start, 0)
    return whole[:start] + entry * 100 + end


def npz_of_objects() -> bytes:
    """A pickle in the place of an array."""
    file = io.BytesIO()
    np.savez(file, plain=np.array([{"a": 1}], object))
    return file.getvalue()


ARRAYS: Mapping[str, Callable[[], bytes]] = {
    maker.__name__: maker for maker in (npz_bomb, npz_that_claims, npz_of_overlapping_members, npz_of_objects)
}
