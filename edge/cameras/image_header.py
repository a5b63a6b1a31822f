"""What an image file says of itself, and whether the whole of it is there.

OpenCV decodes a truncated JPEG without a word and fills the rest with grey, which an inspection
would take for a part. So each format's own structure is walked to its end before anything is
decoded, which also gives the size before any memory is taken.

Sources: ITU-T T.81 (JPEG), the PNG specification (third edition), TIFF 6.0 and the BigTIFF
proposal, the WebP container specification (RFC 9649), Microsoft's BITMAPINFOHEADER.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass


class BrokenImageError(Exception):
    """The file is cut short or damaged; the message says where."""


class UnsupportedImageError(Exception):
    """The file is no image, or of a kind that is not inspected; the message says which."""


@dataclass(frozen=True, slots=True)
class ImageHeader:
    """What must be known before decoding.

    Attributes:
        format: JPEG, PNG, BMP, TIFF or WebP.
        width, height: pixels.
        bits: bits per sample as the file declares them.
        grey: true where the file holds one colour channel.
    """

    format: str
    width: int
    height: int
    bits: int
    grey: bool


def parse_header(data: bytes) -> ImageHeader:
    """The header of a whole image file, told by its first bytes and not by its name.

    Raises:
        BrokenImageError: empty, cut short or damaged.
        UnsupportedImageError: none of the five formats, or a variant that no camera makes.
    """
    if not data:
        raise BrokenImageError("the file is empty (0 bytes)")
    try:
        for signature, parse in _PARSERS:
            if signature.match(data):
                return parse(data)
    except (struct.error, IndexError, OverflowError) as error:
        raise BrokenImageError(f"the file is cut short in its header ({len(data)} bytes)") from error
    raise UnsupportedImageError("the file is no JPEG, PNG, BMP, TIFF or WebP image")


# A marker ends the entropy-coded data unless it is a stuffed zero or a restart marker.
_JPEG_MARKER = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])", re.DOTALL)
_JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def _jpeg(data: bytes) -> ImageHeader:
    header: ImageHeader | None = None
    position = 2
    while True:
        found = _JPEG_MARKER.search(data, position)
        if found is None:
            raise BrokenImageError(
                f"the JPEG is cut short: its end marker is missing after {len(data)} bytes"
            )
        marker, position = found[1][0], found.end()
        if marker == 0xD9:  # end of image
            break
        if marker in (0x01, 0xD8):  # markers without a segment
            continue
        (length,) = struct.unpack_from(">H", data, position)
        if marker in _JPEG_FRAMES:
            bits, height, width, channels = struct.unpack_from(">BHHB", data, position + 2)
            header = ImageHeader("JPEG", width, height, bits, grey=channels == 1)
        position += length
    if header is None:
        raise BrokenImageError("the JPEG holds no image")
    return header


def _png(data: bytes) -> ImageHeader:
    width, height, bits, colour = struct.unpack_from(">IIBB", data, 16)
    position = 8
    while True:
        if position + 12 > len(data):
            raise BrokenImageError(f"the PNG is cut short: its end chunk is missing after {len(data)} bytes")
        length, kind = struct.unpack_from(">I4s", data, position)
        end = position + 8 + length
        if end + 4 > len(data):
            raise BrokenImageError(f"the PNG is cut short inside a chunk after {len(data)} bytes")
        if zlib.crc32(memoryview(data)[position + 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            name = kind.decode("latin-1")
            raise BrokenImageError(
                f"the PNG is damaged: the checksum of its {name} chunk at byte {position} is wrong"
            )
        position = end + 4
        if kind == b"IEND":
            return ImageHeader("PNG", width, height, bits, grey=colour in (0, 4))


def _bmp(data: bytes) -> ImageHeader:
    pixels_at, header_size = struct.unpack_from("<II", data, 10)
    if header_size == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", data, 18)
        compression = 0
    else:
        width, height, _, bits, compression, packed_size = struct.unpack_from("<iiHHII", data, 18)
    height = abs(height)  # negative where the rows are stored from the top
    size = packed_size if compression in (1, 2) else (width * bits + 31) // 32 * 4 * height
    if len(data) < pixels_at + size:
        raise BrokenImageError(f"the BMP is cut short: {len(data)} bytes of {pixels_at + size}")
    return ImageHeader("BMP", width, height, min(bits, 8), grey=False)


_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_BITS, _TIFF_PHOTOMETRIC, _TIFF_SAMPLES = 256, 257, 258, 262, 277
_TIFF_DATA = ((273, 279), (324, 325))  # offsets and byte counts of strips, of tiles
_TIFF_COMPRESSION, _TIFF_DEFLATE = 259, (8, 32946)
_TIFF_SAMPLE_FORMAT = 339
_TIFF_INTEGERS = {1: "B", 3: "H", 4: "I", 16: "Q"}


def _tiff(data: bytes) -> ImageHeader:
    tags = dict(_tiff_tags(data))
    if _TIFF_WIDTH not in tags or _TIFF_HEIGHT not in tags:
        raise BrokenImageError("the TIFF's first page holds no image")
    pieces = [
        piece for at, size in _TIFF_DATA for piece in zip(tags.get(at, ()), tags.get(size, ()), strict=False)
    ]
    if not pieces:
        raise BrokenImageError("the TIFF is damaged: it does not say where its pixels are")
    if (needed := max(offset + size for offset, size in pieces)) > len(data):
        raise BrokenImageError(f"the TIFF is cut short: {len(data)} bytes of at least {needed}")
    if tags.get(_TIFF_COMPRESSION, (1,))[0] in _TIFF_DEFLATE:
        _check_deflate(data, pieces)
    if any(kind not in (1, 4) for kind in tags.get(_TIFF_SAMPLE_FORMAT, ())):
        raise UnsupportedImageError("the TIFF holds signed or floating-point samples")
    return ImageHeader(
        "TIFF",
        width=tags[_TIFF_WIDTH][0],
        height=tags[_TIFF_HEIGHT][0],
        bits=max(tags.get(_TIFF_BITS, (1,))),
        grey=tags.get(_TIFF_PHOTOMETRIC, (1,))[0] in (0, 1) and tags.get(_TIFF_SAMPLES, (1,))[0] <= 2,
    )


def _check_deflate(data: bytes, pieces: list[tuple[int, int]]) -> None:
    """Hold each strip against its checksum: OpenCV logs a wrong one and decodes on."""
    for offset, size in pieces:
        try:
            zlib.decompress(memoryview(data)[offset : offset + size])
        except zlib.error as error:
            raise BrokenImageError(f"the TIFF is damaged: {error} in its pixels at byte {offset}") from error


def _tiff_tags(data: bytes) -> Iterator[tuple[int, tuple[int, ...]]]:
    """The integer tags of the first page, classic and BigTIFF, both byte orders."""
    order = "<" if data[:2] == b"II" else ">"
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    count_format, offset_format, entry_size = ("Q", "Q", 20) if big else ("H", "I", 12)
    (directory,) = struct.unpack_from(order + offset_format, data, 8 if big else 4)
    (entries,) = struct.unpack_from(order + count_format, data, directory)
    first = directory + struct.calcsize(order + count_format)
    inline = struct.calcsize(order + offset_format)
    end = first + entries * entry_size
    if end + inline > len(data):  # the directory ends with the place of the next one
        raise BrokenImageError(f"the TIFF is cut short in its directory after {len(data)} bytes")
    for entry in range(first, end, entry_size):
        tag, kind, count = struct.unpack_from(order + "HH" + offset_format, data, entry)
        if kind not in _TIFF_INTEGERS or not count:
            continue
        values = f"{order}{count}{_TIFF_INTEGERS[kind]}"
        size = count * struct.calcsize(_TIFF_INTEGERS[kind])
        if size > len(data):
            raise BrokenImageError(f"the TIFF is damaged: its tag {tag} is larger than the file")
        at = entry + entry_size - inline
        if size > inline:
            (at,) = struct.unpack_from(order + offset_format, data, at)
        yield tag, struct.unpack_from(values, data, at)


def _webp(data: bytes) -> ImageHeader:
    (size,) = struct.unpack_from("<I", data, 4)
    if len(data) < size + 8:
        raise BrokenImageError(f"the WebP is cut short: {len(data)} bytes of {size + 8}")
    # The decoder takes zeros for pixels, and a copy that was cut off may end in them; compressed
    # data does not.
    if size > 1024 and not any(data[size + 8 - 128 : size + 8]):
        raise BrokenImageError("the WebP is cut short: its end was reserved and never written")
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = (value & 0x3FFF for value in struct.unpack_from("<HH", data, 26))
    elif kind == b"VP8L":
        (packed,) = struct.unpack_from("<I", data, 21)
        width, height = (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    elif kind == b"VP8X":
        if data[20] & 0x02:
            raise UnsupportedImageError("the WebP is an animation")
        width = int.from_bytes(data[24:27], "little") + 1
        height = int.from_bytes(data[27:30], "little") + 1
    else:
        raise BrokenImageError("the WebP holds no image")
    return ImageHeader("WebP", width, height, bits=8, grey=False)


_PARSERS = (
    (re.compile(rb"\xff\xd8\xff"), _jpeg),
    (re.compile(rb"\x89PNG\r\n\x1a\n"), _png),
    (re.compile(rb"BM.{12}[\x0c\x28\x34\x38\x6c\x7c]\0\0\0", re.DOTALL), _bmp),
    (re.compile(rb"II[\x2a\x2b]\0|MM\0[\x2a\x2b]"), _tiff),
    (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), _webp),
)
