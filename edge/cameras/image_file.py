"""One image file, made into what the engine takes, or refused with a reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from edge.bounded import read_regular
from edge.cameras.image_header import BrokenImageError, ImageHeader, UnsupportedImageError, parse_header
from edge.errors import FrameError
from edge.image_size import MAX_SAMPLE_BYTES, check_size
from edge.image_types import Image

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})
"""The file names that count as images, in lower case."""

MAX_FILE_BYTES = MAX_SAMPLE_BYTES + 10_000_000
"""Room for the largest image without compression, and for what a writer adds to it."""

# Fewer used bits than this in a 16-bit file leave less than 16 of the 256 grey levels.
_DARK_16_BIT = 1 << 12

_SAVE_AGAIN = (
    "Save or copy it again; what writes into the folder should write under a temporary name and rename."
)
_SAVE_AS = "Save it as a still JPEG, PNG, BMP, TIFF or WebP with 8 or 16 bits per sample, without a sign."


def read_image(path: Path) -> Image:
    """An image file as uint8, (H, W) grey or (H, W, 3) BGR.

    The file's bytes decide what it is, not its name. They are read once.

    * 16-bit samples become 8-bit ones by their upper byte (``>> 8``): the scale hangs on the
      depth of the sample, never on what the image shows, so two parts stay comparable.
    * Alpha is dropped, not blended. CMYK becomes BGR. Colour profiles are not applied.
    * EXIF orientation is ignored: the rows are those of the sensor, as with a live camera.
    * Of a TIFF with several pages the first is taken.

    Raises:
        FrameError: unreadable, cut short, damaged, not an image, too small or too large
            (:mod:`edge.image_size`), 16-bit words that use less than 12 of their bits, or more than
            the memory at hand.
    """
    try:
        data = read_regular(path, MAX_FILE_BYTES)
    except OSError as error:
        raise FrameError(
            f"{path}: cannot be read: {error.strerror}.",
            "Check that it exists, is an image and may be read; crop or compress it if it is too large.",
        ) from error
    except MemoryError as error:
        raise _no_memory(str(path)) from error
    return decode_image(data, str(path))


def decode_image(data: bytes, source: str) -> Image:
    """The bytes of an image file as uint8, (H, W) grey or (H, W, 3) BGR; see :func:`read_image`.

    Args:
        data: the whole file.
        source: where it came from, for the error's text.

    Raises:
        FrameError: as :func:`read_image`.
    """
    try:
        header = parse_header(data)
        check_size(header.width, header.height, header.bytes_per_pixel, place=f"{source}: ")
        return _decode(data, header, source)
    except BrokenImageError as error:
        raise FrameError(f"{source}: {error}.", _SAVE_AGAIN) from error
    except UnsupportedImageError as error:
        raise FrameError(f"{source}: {error}.", _SAVE_AS) from error
    except MemoryError as error:
        raise _no_memory(source) from error


def _no_memory(source: str) -> FrameError:
    return FrameError(
        f"{source}: there is not enough memory for it.", "Crop or shrink it, or give the station more memory."
    )


def _decode(data: bytes, header: ImageHeader, source: str) -> Image:
    import cv2

    try:
        flags = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR | cv2.IMREAD_IGNORE_ORIENTATION
        image = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError from error
        raise FrameError(
            f"{source}: the {header.format} cannot be decoded: {error.err}.", _SAVE_AGAIN
        ) from error
    if image is None:
        # OpenCV says the same of damage and of memory that it did not get: ask for that memory.
        np.empty(header.width * header.height * header.bytes_per_pixel, np.uint8)
        raise FrameError(
            f"{source}: the {header.format} cannot be decoded: its data is damaged.", _SAVE_AGAIN
        )
    if image.shape[:2] != (header.height, header.width):
        raise FrameError(
            f"{source}: the {header.format} says {header.width}x{header.height} px and holds "
            f"{image.shape[1]}x{image.shape[0]}.",
            _SAVE_AGAIN,
        )
    image = _to_8_bit(image, source)
    if header.grey and image.ndim == 3:
        image = np.ascontiguousarray(image[:, :, 0])
    return image


def _to_8_bit(image: npt.NDArray[Any], source: str) -> Image:
    if image.dtype == np.uint8:
        return image
    if image.dtype != np.uint16:
        raise FrameError(f"{source}: holds {image.dtype} samples.", _SAVE_AS)
    if int(image.max()) < _DARK_16_BIT:
        raise FrameError(
            f"{source}: its 16-bit samples end at {int(image.max())} of 65535: it would be black.",
            "If the camera has 10 or 12 bits, have it store them scaled to 16; otherwise increase "
            "the exposure.",
        )
    upper: Image = np.empty(image.shape, np.uint8)
    np.right_shift(image, 8, out=upper, casting="unsafe")
    return upper
