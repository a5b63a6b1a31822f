"""Real image files, made on the spot: the good ones and everything that goes wrong with them."""

from __future__ import annotations

import base64
import struct
import zlib
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

HEIGHT, WIDTH = 48, 64


def picture(seed: int = 0, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """A smooth colour picture with some texture, uint8 (height, width, 3) BGR."""
    y, x = np.mgrid[0:height, 0:width]
    colours = np.stack([x * 3 % 256, y * 5 % 256, (x + y) % 256], -1).astype(np.uint8)
    texture = np.random.default_rng(seed).integers(0, 20, colours.shape, dtype=np.uint8)
    return np.asarray(cv2.add(colours, texture))


def encoded(suffix: str, image: np.ndarray | None = None, *parameters: int) -> bytes:
    """The picture as a file of that suffix."""
    done, data = cv2.imencode(suffix, picture() if image is None else image, list(parameters))
    assert done
    return data.tobytes()


def save(path: Path, image: np.ndarray | None = None) -> Path:
    """The picture as a file, its format told by the suffix."""
    path.write_bytes(encoded(path.suffix, image))
    return path


def jpeg_with_exif(orientation: int, thumbnail: bytes = b"") -> bytes:
    """A JPEG whose EXIF segment holds an orientation and, after it, a whole little JPEG."""
    entry = struct.pack("<HHIHH", 0x0112, 3, 1, orientation, 0)
    exif = b"Exif\0\0II*\0" + struct.pack("<IH", 8, 1) + entry + struct.pack("<I", 0) + thumbnail
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    jpeg = encoded(".jpg")
    return jpeg[:2] + segment + jpeg[2:]


def cmyk_jpeg_red() -> bytes:
    """32x32 px of pure red as a print-shop JPEG (four inks, Adobe marker)."""
    return base64.b85decode(
        "|JeWT01iQ9Z(?NtWB>pF0095n07C#95)>B{5gQj47aklNASgmBC?zE*Q93;^LSR*8WM5TXTWWZjfogG(b6Z`7wT6(Mqp"
        "Pi}XMnuPx~9jOsH>#^zyK5o03ZM$1Va%3O%VWD5dcdO0RO}Q6#xMN00000000000000000006|HJ?k5CH%H000000000"
        "0000000095m01gC008Ic{080P>KLDmorc}TH01p5F000000000000030*#"
    )


def tiff(
    samples: np.ndarray,
    *,
    big: bool = False,
    order: Literal["<", ">"] = "<",
    sample_format: int = 1,
    deflate: bool = False,
) -> bytes:
    """A one-strip TIFF written field by field; samples (H, W) or (H, W, 3) RGB of any number type."""
    height, width = samples.shape[:2]
    channels = 1 if samples.ndim == 2 else samples.shape[2]
    pixels = samples.astype(samples.dtype.newbyteorder(order)).tobytes()
    if deflate:
        pixels = zlib.compress(pixels)
    offset_format, count_format = ("Q", "Q") if big else ("I", "H")
    start = 16 if big else 8
    tags = {
        256: width,
        257: height,
        258: samples.dtype.itemsize * 8,
        259: 8 if deflate else 1,
        262: 1 if channels == 1 else 2,
        273: start,
        277: channels,
        278: height,
        279: len(pixels),
        339: sample_format,
    }
    header = (
        struct.pack(order + "HHHQ", 43, 8, 0, start + len(pixels))
        if big
        else struct.pack(order + "HI", 42, start + len(pixels))
    )
    directory = struct.pack(order + count_format, len(tags))
    for tag, value in sorted(tags.items()):
        # One value for all channels of BitsPerSample is what small writers do, and is accepted.
        directory += struct.pack(order + "HH" + offset_format * 2, tag, 16 if big else 4, 1, value)
    directory += struct.pack(order + offset_format, 0)
    return (b"II" if order == "<" else b"MM") + header + pixels + directory


def png_chunk(kind: bytes, payload: bytes) -> bytes:
    """One PNG chunk with its checksum."""
    return struct.pack(">I", len(payload)) + kind + payload + struct.pack(">I", zlib.crc32(kind + payload))
