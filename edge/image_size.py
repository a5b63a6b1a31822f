"""How small and how large an image may be, whatever it comes from: the one rule for files and cameras."""

from __future__ import annotations

from edge.errors import FrameError

MIN_SIDE_PX = 32
"""Two patches of any encoder: in less there is nothing to inspect."""

MAX_PIXELS = 100_000_000
"""Beyond any camera on a line."""

MAX_SAMPLE_BYTES = 400_000_000
"""100 megapixels in colour with alpha, or 50 of 16 bits: what a decoder may need once, and a copy of it,
fit into a station's memory."""


def check_size(width: int, height: int, bytes_per_pixel: int = 1, *, place: str = "") -> None:
    """Refuse an image before any memory is taken for it.

    Args:
        width, height: pixels.
        bytes_per_pixel: as it is decoded, alpha included.
        place: where it came from, such as ``part7.png: ``, for the error's text.

    Raises:
        FrameError: a side is under 32 px, or it is beyond 100 megapixels or 400 MB of samples.
    """
    if min(width, height) < MIN_SIDE_PX:
        raise FrameError(
            f"{place}{width}x{height} px is too small to inspect.",
            f"Both sides need at least {MIN_SIDE_PX} px: check the camera's resolution or the crop.",
        )
    if width * height > MAX_PIXELS:
        raise FrameError(
            f"{place}{width}x{height} px is more than {MAX_PIXELS // 1_000_000} megapixels.",
            "Crop or shrink it to the part.",
        )
    if (size := width * height * bytes_per_pixel) > MAX_SAMPLE_BYTES:
        raise FrameError(
            f"{place}{width}x{height} px of {bytes_per_pixel} bytes are {size / 1e6:.0f} MB, "
            f"more than {MAX_SAMPLE_BYTES // 1_000_000}.",
            "Crop it to the part, or save it with 8 bits per sample.",
        )
