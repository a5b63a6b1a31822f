"""GenICam pixel formats, made into what the engine takes: uint8 grey or BGR.

More than 8 bits become 8 by their upper bits, as with image files. Names, codes and bit layouts
are those of the GenICam Pixel Format Naming Convention 2.4 and of GigE Vision's older *Packed*
formats; YUV is full range, as GigE Vision defines it (the matrix of JPEG).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edge.errors import FrameError
from edge.image_types import Image

_Rows = npt.NDArray[np.uint8]
"""uint8 (H, bytes of one row) as the camera sent them."""


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """How a camera lays its pixels out.

    Attributes:
        name: the GenICam name, as ``PixelFormat`` takes it.
        code: the 32-bit code in every frame's leader.
        to_samples: from rows of bytes to uint8 (H, W) or (H, W, channels).
        to_image: from these samples to grey or BGR.
    """

    name: str
    code: int
    to_samples: Callable[[_Rows], Image]
    to_image: Callable[[Image], Image]

    @property
    def bits_per_pixel(self) -> int:
        """Bits one pixel takes on the wire; the code carries them."""
        return self.code >> 16 & 0xFF


def to_image(data: npt.NDArray[np.uint8], code: int, width: int, height: int, padding: int = 0) -> Image:
    """A frame's payload as a picture of its own memory: uint8, (H, W) grey or (H, W, 3) BGR.

    Args:
        data: uint8 (N,), the payload; it may be reused as soon as this returns.
        code: the pixel format's code from the frame's leader.
        width, height: pixels.
        padding: bytes that the camera adds to each row.

    Raises:
        FrameError: an unknown format, or a payload that is too short for the picture.
    """
    pixel_format = _BY_CODE.get(code)
    if pixel_format is None:
        raise FrameError(
            f"The camera sends pixel format 0x{code:08x}, which is not supported.",
            f"Set camera.pixel_format to one of these: {FAMILIES}.",
        )
    row_bits = width * pixel_format.bits_per_pixel
    if row_bits % 8:
        raise FrameError(
            f"A row of {width} px in {pixel_format.name} does not end on a whole byte.",
            "Choose a width that is a multiple of 4.",
        )
    stride = row_bits // 8 + padding
    if data.size < stride * height:
        raise FrameError(
            f"The image is incomplete: {data.size} of {stride * height} bytes.", "Check cable and network."
        )
    rows = data[: stride * height].reshape(height, stride)[:, : row_bits // 8]
    image = pixel_format.to_image(pixel_format.to_samples(rows))
    if np.may_share_memory(image, data):
        image = image.copy()
    return np.ascontiguousarray(image)


def _bytes(rows: _Rows) -> Image:
    return rows


def _words(bits: int) -> Callable[[_Rows], Image]:
    """Unpacked samples: little-endian 16-bit words of which the lower ``bits`` count."""

    def to_samples(rows: _Rows) -> Image:
        return (np.ascontiguousarray(rows).view("<u2") >> (bits - 8)).astype(np.uint8)

    return to_samples


def _packed(rows: _Rows) -> Image:
    """GigE Vision's Packed formats: two upper bytes with both pixels' lower bits between them."""
    triples = rows.reshape(rows.shape[0], -1, 3)
    return triples[:, :, (0, 2)].reshape(rows.shape[0], -1)


def _packed_12p(rows: _Rows) -> Image:
    """Two pixels in three bytes, the least significant bit first."""
    first, middle, last = np.moveaxis(rows.reshape(rows.shape[0], -1, 3), -1, 0)
    return np.stack([first >> 4 | middle << 4, last], -1).reshape(rows.shape[0], -1)


def _packed_10p(rows: _Rows) -> Image:
    """Four pixels in five bytes, the least significant bit first."""
    a, b, c, d, e = np.moveaxis(rows.reshape(rows.shape[0], -1, 5), -1, 0)
    pixels = [a >> 2 | b << 6, b >> 4 | c << 4, c >> 6 | d << 2, e]
    return np.stack(pixels, -1).reshape(rows.shape[0], -1)


def _channels(count: int) -> Callable[[_Rows], Image]:
    def to_samples(rows: _Rows) -> Image:
        return rows.reshape(rows.shape[0], -1, count)

    return to_samples


def _grey(samples: Image) -> Image:
    return samples


def _bgr(samples: Image) -> Image:
    return samples[:, :, :3]


def _rgb(samples: Image) -> Image:
    return samples[:, :, 2::-1]


def _bayer(pattern: str) -> Callable[[Image], Image]:
    """GenICam names a pattern by its first row's first two pixels; OpenCV's long names by all four."""

    def to_bgr(samples: Image) -> Image:
        import cv2

        code = {"RG": cv2.COLOR_BayerRGGB2BGR, "GR": cv2.COLOR_BayerGRBG2BGR,
                "GB": cv2.COLOR_BayerGBRG2BGR, "BG": cv2.COLOR_BayerBGGR2BGR}[pattern]  # fmt: skip
        demosaiced: Image = cv2.cvtColor(np.ascontiguousarray(samples), code)
        return demosaiced

    return to_bgr


def _yuv422(luma_first: bool) -> Callable[[_Rows], Image]:
    """Two pixels in four bytes share their colour: Y U Y V, or U Y V Y."""

    def to_samples(rows: _Rows) -> Image:
        import cv2

        pairs = rows.reshape(rows.shape[0], -1, 2)
        luma, chroma = (pairs[:, :, 0], pairs[:, :, 1]) if luma_first else (pairs[:, :, 1], pairs[:, :, 0])
        blue = np.repeat(chroma[:, 0::2], 2, axis=1)
        red = np.repeat(chroma[:, 1::2], 2, axis=1)
        converted: Image = cv2.cvtColor(np.dstack([luma, red, blue]), cv2.COLOR_YCrCb2BGR)
        return converted

    return to_samples


def _bayer_formats() -> list[PixelFormat]:
    # Codes of one depth lie side by side, in an order of phases that differs between families.
    families = [
        ("8", _bytes, "GR RG GB BG", (0x01080008, 0x01080009, 0x0108000A, 0x0108000B)),
        ("10", _words(10), "GR RG GB BG", (0x0110000C, 0x0110000D, 0x0110000E, 0x0110000F)),
        ("12", _words(12), "GR RG GB BG", (0x01100010, 0x01100011, 0x01100012, 0x01100013)),
        ("16", _words(16), "GR RG GB BG", (0x0110002E, 0x0110002F, 0x01100030, 0x01100031)),
        ("10Packed", _packed, "GR RG GB BG", (0x010C0026, 0x010C0027, 0x010C0028, 0x010C0029)),
        ("12Packed", _packed, "GR RG GB BG", (0x010C002A, 0x010C002B, 0x010C002C, 0x010C002D)),
        ("10p", _packed_10p, "BG GB GR RG", (0x010A0052, 0x010A0054, 0x010A0056, 0x010A0058)),
        ("12p", _packed_12p, "BG GB GR RG", (0x010C0053, 0x010C0055, 0x010C0057, 0x010C0059)),
    ]
    return [
        PixelFormat(f"Bayer{phase}{depth}", code, to_samples, _bayer(phase))
        for depth, to_samples, phases, codes in families
        for phase, code in zip(phases.split(), codes, strict=True)
    ]


PIXEL_FORMATS: dict[str, PixelFormat] = {
    pixel_format.name: pixel_format
    for pixel_format in [
        PixelFormat("Mono8", 0x01080001, _bytes, _grey),
        PixelFormat("Mono10", 0x01100003, _words(10), _grey),
        PixelFormat("Mono12", 0x01100005, _words(12), _grey),
        PixelFormat("Mono14", 0x01100025, _words(14), _grey),
        PixelFormat("Mono16", 0x01100007, _words(16), _grey),
        PixelFormat("Mono10Packed", 0x010C0004, _packed, _grey),
        PixelFormat("Mono12Packed", 0x010C0006, _packed, _grey),
        PixelFormat("Mono10p", 0x010A0046, _packed_10p, _grey),
        PixelFormat("Mono12p", 0x010C0047, _packed_12p, _grey),
        PixelFormat("RGB8", 0x02180014, _channels(3), _rgb),
        PixelFormat("BGR8", 0x02180015, _channels(3), _bgr),
        PixelFormat("RGBa8", 0x02200016, _channels(4), _rgb),
        PixelFormat("BGRa8", 0x02200017, _channels(4), _bgr),
        PixelFormat("YUV422_8_UYVY", 0x0210001F, _yuv422(luma_first=False), _bgr),
        PixelFormat("YUV422_8", 0x02100032, _yuv422(luma_first=True), _bgr),
        *_bayer_formats(),
    ]
}
"""Every pixel format that is understood, by its GenICam name."""

FAMILIES = (
    "Mono8, Mono10, Mono12, Mono14, Mono16, BayerRG8, BayerRG10, BayerRG12, BayerRG16 (and GR, GB, BG), "
    "10 and 12 bits also with Packed or p, RGB8, BGR8, RGBa8, BGRa8, YUV422_8, YUV422_8_UYVY"
)
"""The same, short enough for one line of error."""

_BY_CODE = {pixel_format.code: pixel_format for pixel_format in PIXEL_FORMATS.values()}
