"""What an image file says of itself, and whether the whole of it is there.

OpenCV decodes a truncated JPEG without a word and fills the rest with grey, which an inspection
would take for a part. So each format's own structure is walked to its end before anything is
decoded, which also gives the size before any memory is taken. Nothing is unpacked as a whole here,
and where a file could say a thing twice, it is refused: a decoder might believe the other one.

Sources: ITU-T T.81 (JPEG), the PNG specification (third edition), TIFF 6.0 and the BigTIFF
proposal, the WebP container specification (RFC 9649), Microsoft's BITMAPINFOHEADER.
"""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass

from edge.image_size import MAX_SAMPLE_BYTES


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
        channels: samples of a pixel that a decoder may hold at one time, alpha included.
    """

    format: str
    width: int
    height: int
    bits: int
    grey: bool
    channels: int = 4

    @property
    def bytes_per_pixel(self) -> int:
        """What a decoder needs for each pixel."""
        return self.channels * max(1, (self.bits + 7) // 8)


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
    raise UnsupportedImageError("the file is not a JPEG, PNG, BMP, TIFF or WebP image")


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
            if header is not None:
                raise BrokenImageError("the JPEG is damaged: it has a second frame")
            bits, height, width, channels = struct.unpack_from(">BHHB", data, position + 2)
            header = ImageHeader("JPEG", width, height, bits, channels == 1, channels)
        position += length
    if header is None:
        raise BrokenImageError("the JPEG holds no image")
    return header


def _png(data: bytes) -> ImageHeader:
    width, height, bits, colour = struct.unpack_from(">IIBB", data, 16)
    if data[12:16] != b"IHDR":
        raise BrokenImageError("the PNG does not begin with its header")
    room = _png_room(width, height, bits, colour)
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
        if kind == b"IDAT" and (room := room - length) < 0:
            raise BrokenImageError("the PNG is damaged: it holds more pixel data than its size can need")
        if kind == b"IEND":
            grey = colour in (0, 4)
            return ImageHeader("PNG", width, height, bits, grey, channels=2 if grey else 4)


_PNG_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def _png_room(width: int, height: int, bits: int, colour: int) -> int:
    """The most bytes that the packed pixels can have: what deflate cannot shorten grows by less than this."""
    row = 1 + (width * bits * _PNG_SAMPLES.get(colour, 4) + 7) // 8
    return row * height * 102 // 100 + (1 << 16)


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
_TIFF_TILE_SIDES = (322, 323)
_TIFF_COMPRESSION, _TIFF_DEFLATE = 259, (8, 32946)
_TIFF_SAMPLE_FORMAT = 339
_TIFF_READ = frozenset(
    {_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_BITS, _TIFF_PHOTOMETRIC, _TIFF_SAMPLES, _TIFF_COMPRESSION}
    | {*_TIFF_TILE_SIDES, _TIFF_SAMPLE_FORMAT, *_TIFF_DATA[0], *_TIFF_DATA[1]}
)
_TIFF_INTEGERS = {1: "B", 3: "H", 4: "I", 16: "Q"}
_TIFF_MOST_PIECES = 1 << 18
"""More than a strip for each row of each channel of the largest image."""


def _tiff(data: bytes) -> ImageHeader:
    tags = _tiff_tags(data)
    if _TIFF_WIDTH not in tags or _TIFF_HEIGHT not in tags:
        raise BrokenImageError("the TIFF's first page holds no image")
    pieces = [
        piece for at, size in _TIFF_DATA for piece in zip(tags.get(at, ()), tags.get(size, ()), strict=False)
    ]
    if not pieces:
        raise BrokenImageError("the TIFF is damaged: it does not say where its pixels are")
    if (needed := max(offset + size for offset, size in pieces)) > len(data):
        raise BrokenImageError(f"the TIFF is cut short: {len(data)} bytes of at least {needed}")
    if any(kind not in (1, 4) for kind in tags.get(_TIFF_SAMPLE_FORMAT, ())):
        raise UnsupportedImageError("the TIFF holds signed or floating-point samples")
    samples = tags.get(_TIFF_SAMPLES, (1,))[0]
    header = ImageHeader(
        "TIFF",
        width=tags[_TIFF_WIDTH][0],
        height=tags[_TIFF_HEIGHT][0],
        bits=max(tags.get(_TIFF_BITS, (1,))),
        grey=tags.get(_TIFF_PHOTOMETRIC, (1,))[0] in (0, 1) and samples <= 2,
        channels=max(samples, 1),
    )
    held = _tiff_held_bytes(header, tags)
    if tags.get(_TIFF_COMPRESSION, (1,))[0] in _TIFF_DEFLATE and held <= MAX_SAMPLE_BYTES:
        _check_deflate(data, pieces, 2 * held)  # some writers fill the last strip up
    return header


def _tiff_held_bytes(header: ImageHeader, tags: dict[int, tuple[int, ...]]) -> int:
    """The bytes of all samples, where tiles reach beyond the edge those too.

    Raises:
        BrokenImageError: one tile alone is larger than an image may be.
    """
    width, height = header.width, header.height
    if all(side in tags for side in _TIFF_TILE_SIDES):
        across, down = (max(tags[side][0], 1) for side in _TIFF_TILE_SIDES)
        if across * down * header.bytes_per_pixel > MAX_SAMPLE_BYTES:
            raise BrokenImageError(f"the TIFF is damaged: its tiles are {across}x{down} px")
        width, height = -(-width // across) * across, -(-height // down) * down
    return width * height * header.bytes_per_pixel


def _check_deflate(data: bytes, pieces: list[tuple[int, int]], most_bytes: int) -> None:
    """Hold each strip against its checksum: OpenCV logs a wrong one and decodes on.

    Raises:
        BrokenImageError: a strip is damaged, or they unpack to more than the image's ``most_bytes``.
    """
    whole = memoryview(data)
    for offset, size in pieces:
        try:
            most_bytes -= _unpacked_bytes(whole[offset : offset + size], most_bytes)
        except zlib.error as error:
            raise BrokenImageError(f"the TIFF is damaged: {error} in its pixels at byte {offset}") from error


def _unpacked_bytes(packed: memoryview, most_bytes: int) -> int:
    """How much a zlib stream unpacks to; it is counted and thrown away, a block at a time."""
    stream = zlib.decompressobj()
    count = 0
    for start in range(0, len(packed), _BLOCK_BYTES):
        block: bytes | memoryview = packed[start : start + _BLOCK_BYTES]
        while block and not stream.eof:
            count += len(stream.decompress(block, _UNPACKED_BLOCK_BYTES))
            if count > most_bytes:
                raise BrokenImageError("the TIFF is damaged: its pixels unpack to more than its size")
            block = stream.unconsumed_tail
    if not stream.eof:
        raise zlib.error("incomplete or truncated stream")
    return count


_BLOCK_BYTES = 1 << 16
_UNPACKED_BLOCK_BYTES = 1 << 20


def _tiff_tags(data: bytes) -> dict[int, tuple[int, ...]]:
    """The integer tags of the first page that are of use here, classic and BigTIFF, both byte orders."""
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
    tags: dict[int, tuple[int, ...]] = {}
    for entry in range(first, end, entry_size):
        tag, kind, count = struct.unpack_from(order + "HH" + offset_format, data, entry)
        if tag not in _TIFF_READ or kind not in _TIFF_INTEGERS or not count:
            continue
        if tag in tags:
            raise BrokenImageError(f"the TIFF is damaged: its tag {tag} stands twice")
        size = count * struct.calcsize(_TIFF_INTEGERS[kind])
        if size > len(data) or count > _TIFF_MOST_PIECES:
            raise BrokenImageError(f"the TIFF is damaged: its tag {tag} has {count} values")
        at = entry + entry_size - inline
        if size > inline:
            (at,) = struct.unpack_from(order + offset_format, data, at)
        tags[tag] = struct.unpack_from(f"{order}{count}{_TIFF_INTEGERS[kind]}", data, at)
    return tags


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
